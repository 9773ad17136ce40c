"""The one place that reads the environment and the user's config file.

`state_dir` costs no import of pydantic, because `paddock ps` has to answer at once; `load_settings`
gives the whole, validated.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import UsageError

if TYPE_CHECKING:
    from runner.model.settings import Settings

MAX_CONFIG = 256 * 1024
CEILING = Path("/etc/paddock/ceiling.toml")
"""An administrator's bound on every policy of this machine."""

_overrides: dict[str, Any] = {}


def override(*, state_dir: Path | None = None, engine: str | None = None) -> None:
    """What the command line says for this whole process; `None` was not given. Each call replaces the one before."""
    given = {"state_dir": state_dir, "engine": engine}
    _overrides.clear()
    _overrides.update({name: value for name, value in given.items() if value is not None})


def leave_plugins_out() -> None:
    """Keep pydantic from asking every installed package for a plugin: that takes a run 50 ms, and lets others in.

    See https://docs.pydantic.dev/latest/concepts/plugins/. To be called before pydantic is loaded.
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")


def read_by_ci() -> bool:
    """Whether a CI system reads along that takes some lines for commands."""
    systems = ("GITHUB_ACTIONS", "GITEA_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION", "GITLAB_CI")
    return any(os.environ.get(name) for name in systems)


def other_ci() -> str:
    """`azure` or `teamcity` where that reads along, which have commands of their own."""
    return "azure" if os.environ.get("TF_BUILD") else "teamcity" if os.environ.get("TEAMCITY_VERSION") else ""


def takes_workflow_commands() -> bool:
    """Whether the CI system that reads along knows GitHub's commands."""
    return bool(os.environ.get("GITHUB_ACTIONS") or os.environ.get("GITEA_ACTIONS"))


def workflow_files() -> tuple[Path | None, Path | None]:
    """Where GitHub and its like want a step's summary and its outputs."""
    named = (os.environ.get(f"GITHUB_{name}") for name in ("STEP_SUMMARY", "OUTPUT"))
    summary, outputs = (Path(path) if path else None for path in named)
    return summary, outputs


def config_file() -> Path:
    """`$PADDOCK_CONFIG`, else `config.toml` in the user's configuration folder."""
    if named := os.environ.get("PADDOCK_CONFIG"):
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_config_dir("paddock")) / "config.toml"


def own_templates() -> Path:
    """The user's own folder of templates, beside the config file; it need not be there."""
    return config_file().parent / "templates"


def trust_file() -> Path:
    """Where it is kept what the user trusts of repositories: beside the config file."""
    file = config_file()
    if file.exists() and not file.is_file():  # /dev/null: there is to be no config, which says nothing of trust
        import platformdirs

        file = Path(platformdirs.user_config_dir("paddock")) / "config.toml"
    return file.absolute().with_name("trusted.json")


def ceiling_files() -> tuple[Path, ...]:
    """The administrator's ceiling, and the one that `$PADDOCK_CEILING` adds to it: never instead, for both bind.

    Each has to be there when it is loaded: the administrator's is left out only where there is surely none.
    """
    found = []
    try:
        CEILING.lstat()
        found.append(CEILING)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError:  # whoever loads it says why it cannot be looked at
        found.append(CEILING)
    if named := os.environ.get("PADDOCK_CEILING"):
        found.append(Path(named).absolute())
    return tuple(found)


def state_dir(flag: Path | None = None) -> Path:
    """The state directory: flag, then `PADDOCK_STATE_DIR`, then the config file, then the platform's own place."""
    named = flag or _overrides.get("state_dir") or os.environ.get("PADDOCK_STATE_DIR") or _config().get("state_dir")
    if named:
        return Path(os.path.abspath(Path(str(named)).expanduser()))  # noqa: PTH100 - resolve() would follow links
    import platformdirs

    return Path(platformdirs.user_state_dir("paddock"))


def load_settings(**flags: Any) -> Settings:
    """All settings; `flags` are over what `override` said. Flags that are `None` were not given.

    Raises `UsageError` with file, key and reason.
    """
    from pydantic import ValidationError

    from runner.model.settings import Settings

    given = {**_overrides, **{name: value for name, value in flags.items() if value is not None}}
    in_file = {name: value for name, value in _config().items() if f"PADDOCK_{name.upper()}" not in os.environ}
    engine = {"engine": host} if (host := os.environ.get("DOCKER_HOST")) else {}
    environment = {"engine": os.environ["PADDOCK_ENGINE"]} if os.environ.get("PADDOCK_ENGINE") else {}
    layers: dict[str, Any] = {
        **engine,
        **in_file,
        **environment,
        **given,
        "state_dir": state_dir(given.get("state_dir")),
    }
    reader = Settings
    if any(f"PADDOCK_{name.upper()}" in os.environ for name in Settings.model_fields.keys() - layers.keys()):
        # pydantic-settings brings asyncio and more along, which a run without such variables need not wait for.
        from runner.model.outside import OutsideSettings

        reader = OutsideSettings
    try:
        return reader(**layers)
    except ValidationError as error:
        first = error.errors()[0]
        key, why = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        raise UsageError(f"Setting {key}: {why}.", hint=f"Look at {config_file()} and PADDOCK_* variables.") from error


@cache
def _config() -> Mapping[str, Any]:
    """The config file as it stands; a missing file is an empty one."""
    path = config_file()
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    if len(data) > MAX_CONFIG:
        raise UsageError(f"{path} is larger than {MAX_CONFIG} bytes.")
    try:
        return tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: {error}.") from error


def variable(name: str) -> str | None:
    """One variable of the environment, for a secret that a policy injects."""
    return os.environ.get(name)


def git_environment() -> dict[str, str]:
    """The user's own variables for the one git call that clones a URL: credential helpers, SSH agent, proxies."""
    wanted = (
        "HOME",
        "PATH",
        "USER",
        "LOGNAME",
        "LANG",
        "SSH_AUTH_SOCK",
        "SSH_AGENT_PID",
        "XDG_CONFIG_HOME",
        "XDG_RUNTIME_DIR",
    )
    trust = (
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "GIT_SSL_CAINFO",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "HTTPS_PROXY",
        "HTTP_PROXY",
    )
    return {name: os.environ[name] for name in (*wanted, *trust) if name in os.environ}


def forge_environment() -> dict[str, str]:
    """The user's own variables for `gh` and `glab`, their tokens among them; nobody is there to be asked anything."""
    own = re.compile(r"(GH|GITHUB|GLAB|GITLAB)_[A-Z_]*(TOKEN|HOST|CONFIG_DIR)")
    more = ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "DBUS_SESSION_BUS_ADDRESS")
    named = {name: value for name, value in os.environ.items() if own.fullmatch(name) or name in more}
    quiet = {"GH_PROMPT_DISABLED": "1", "GH_NO_UPDATE_NOTIFIER": "1", "NO_PROMPT": "1", "GLAB_CHECK_UPDATE": "false"}
    return {**git_environment(), **named, **quiet, "NO_COLOR": "1"}


def home() -> Path:
    """The user's home directory."""
    return Path(os.environ.get("HOME") or Path.home())


def color_wanted() -> bool:
    """Whether colours may be shown: `NO_COLOR` (no-color.org) says no whatever it holds, unless it is empty."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
