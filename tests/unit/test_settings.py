"""Settings: flags over `PADDOCK_*` over the user's file over defaults; a wrong one is named with its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import settings
from runner.errors import UsageError
from runner.settings import ceiling_files, color_wanted, load_settings, state_dir


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    monkeypatch.setenv("PADDOCK_CONFIG", str(path))
    monkeypatch.delenv("PADDOCK_STATE_DIR", raising=False)
    settings._config.cache_clear()
    settings.override()
    return path


def test_without_anything_the_defaults_hold(config: Path) -> None:
    found = load_settings()
    assert (found.policy, found.agent, found.engine) == ("offline", "command", "unix:///var/run/docker.sock")
    assert found.state_dir.name == "paddock"


def test_the_users_file_is_over_the_defaults(config: Path) -> None:
    config.write_text('policy = "ci"\nstate_dir = "/srv/paddock"\n', encoding="utf-8")
    found = load_settings()
    assert (found.policy, str(found.state_dir), str(state_dir())) == ("ci", "/srv/paddock", "/srv/paddock")


def test_the_environment_is_over_the_users_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('policy = "ci"\nstate_dir = "/srv/paddock"\nengine = "unix:///a.sock"\n', encoding="utf-8")
    monkeypatch.setenv("PADDOCK_POLICY", "paranoid")
    monkeypatch.setenv("PADDOCK_STATE_DIR", "/srv/other")
    monkeypatch.setenv("PADDOCK_ENGINE", "unix:///b.sock")
    found = load_settings()
    assert (found.policy, str(found.state_dir), found.engine) == ("paranoid", "/srv/other", "unix:///b.sock")


def test_a_flag_is_over_everything(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PADDOCK_POLICY", "paranoid")
    assert load_settings(policy="ci", agent=None).policy == "ci"


def test_what_the_command_line_says_for_all_commands_is_over_variables_and_file(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text('state_dir = "/srv/file"\n', encoding="utf-8")
    monkeypatch.setenv("PADDOCK_STATE_DIR", "/srv/variable")
    monkeypatch.setenv("PADDOCK_ENGINE", "unix:///variable.sock")
    settings.override(state_dir=Path("/srv/option"))
    found = load_settings()
    assert (str(state_dir()), str(found.state_dir)) == ("/srv/option", "/srv/option")
    assert found.engine == "unix:///variable.sock"
    settings.override(engine="unix:///option.sock")
    assert (load_settings().engine, str(state_dir())) == ("unix:///option.sock", "/srv/variable")


def test_dockers_own_variable_is_the_engine_where_nothing_of_ours_says_otherwise(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///docker.sock")
    assert load_settings().engine == "unix:///docker.sock"
    config.write_text('engine = "unix:///ours.sock"\n', encoding="utf-8")
    settings._config.cache_clear()
    assert load_settings().engine == "unix:///ours.sock"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('polcy = "ci"\n', "polcy"),
        ("policy = 3\n", "policy"),
        ("policy = \n", "config.toml"),
        ("policy = '\udcff'\n", "config.toml"),
    ],
)
def test_a_wrong_file_is_refused_with_its_key_or_its_name(config: Path, text: str, says: str) -> None:
    config.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError, match=says):
        load_settings()


def test_a_home_directory_is_written_with_a_tilde(
    config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config.write_text('state_dir = "~/runs"\n', encoding="utf-8")
    assert state_dir() == tmp_path / "runs"


@pytest.mark.parametrize(("value", "wanted"), [("", True), ("1", False), ("0", False)])
def test_no_color_says_no_whatever_it_holds(monkeypatch: pytest.MonkeyPatch, value: str, wanted: bool) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", value)
    assert color_wanted() is wanted


def test_the_administrators_ceiling_cannot_be_turned_off_by_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, further = tmp_path / "ceiling.toml", tmp_path / "further.toml"
    monkeypatch.setattr("runner.settings.CEILING", own)
    monkeypatch.delenv("PADDOCK_CEILING", raising=False)
    assert ceiling_files() == ()
    own.touch()
    assert ceiling_files() == (own,)
    for empty in ("", str(further)):
        monkeypatch.setenv("PADDOCK_CEILING", empty)
        further.touch()
        assert ceiling_files() == ((own, further) if empty else (own,))
    monkeypatch.setattr("runner.settings.CEILING", tmp_path / ("n" * 300) / "ceiling.toml")
    assert ceiling_files()[0].name == "ceiling.toml", "what cannot be looked at may be there"
