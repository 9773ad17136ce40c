"""Attacks by policy files and mounts: what may not be mounted is refused, what is read-only stays as it was."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.errors import PolicyError
from runner.model.result import Outcome, RunResult
from runner.settings import load_settings
from tests.integration.cli import Paddock
from tests.integration.library import Library
from tests.unit.repo.sources import fingerprint

pytestmark = pytest.mark.docker

AM_ROOT = os.geteuid() == 0


def mount_policy(folder: Path, source: str, target: str = "/data", mode: str = "ro") -> Path:
    """A policy file with one mount; sources and targets are written as literal TOML text."""
    path = folder / "policy.toml"
    quote = "'''" if "'" in source + target or "\n" in source + target else "'"
    lines = [f"source = {quote}{source}{quote}", f"target = {quote}{target}{quote}", f'mode = "{mode}"']
    path.write_text("\n".join(['extends = "offline"', "[[mounts]]", *lines, ""]))
    return path


def text_policy(folder: Path, text: str) -> Path:
    """A policy file with this text."""
    path = folder / "policy.toml"
    path.write_text(f'extends = "offline"\n{text}\n')
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory that may be mounted, with something to read and to spoil."""
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    (data / "file").write_text("data\n")
    (data / "sub/deep").write_text("deep\n")
    for path in (data, data / "sub", data / "file", data / "sub/deep"):
        path.chmod(0o777)  # only the mount itself stands in the way
    return data


def assert_nothing_started(state: Path) -> None:
    assert not (state / "runs").exists()


def refusal(library: Library, repository: Path, policy: Path) -> str:
    """Why a policy is refused; nothing has been started then."""
    with pytest.raises(PolicyError) as caught:
        library.run(repository, policy=policy)
    assert_nothing_started(library.host.settings.state_dir)
    return caught.value.message


# --- 113, 114, 115: what may not be mounted ---------------------------------------------------------------------


def test_an_ordinary_directory_is_mounted_also_by_a_symlink(
    library: Library, repository: Path, data: Path, tmp_path: Path
) -> None:
    """The control leg of all refusals below: the same file with a harmless source."""
    (tmp_path / "link").symlink_to(data)
    result = library.run(repository, "cat /data/file", policy=mount_policy(tmp_path, f"{tmp_path}/link"))

    assert result.outcome is Outcome.NO_CHANGES
    assert Path(result.paths["log"]).read_text() == "data\n"


SYSTEM = ["/", "/etc", "/etc/ssl", "/proc", "/sys", "/dev", "/boot", "/var/run", "/run", "/home", "/root"]


@pytest.mark.parametrize("source", [path for path in SYSTEM if Path(path).exists()])
@pytest.mark.parametrize("way", ["{source}", "{tmp}/link", "{tmp}/parent/{name}"])
def test_the_system_is_not_mounted(source: str, way: str, library: Library, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source)
    (tmp_path / "parent").symlink_to(Path(source).parent)
    wanted = way.format(source=source, tmp=tmp_path, name=Path(source).name)

    assert "mount source" in refusal(library, repository, mount_policy(tmp_path, wanted))


@pytest.mark.parametrize("way", ["{socket}", "{folder}", "{tmp}/link", "{tmp}/folder-link", "{socket}/../{name}"])
def test_the_engines_socket_is_not_mounted(way: str, library: Library, repository: Path, tmp_path: Path) -> None:
    socket = Path(load_settings().engine.removeprefix("unix://"))
    (tmp_path / "link").symlink_to(socket)
    (tmp_path / "folder-link").symlink_to(socket.parent)
    source = way.format(socket=socket, folder=socket.parent, name=socket.name, tmp=tmp_path)

    assert re.search(r"mount source|contains \"\.\.\"", refusal(library, repository, mount_policy(tmp_path, source)))


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{home}", "a home directory"),
        ("~/.ssh", "credentials"),
        ("{home}/.aws/deeper", "credentials"),
        ("{state}", "Paddock's own state"),
        ("{state}/inside", "Paddock's own state"),
        ("{repo}/.git", "the source repository's .git"),
        ("{repo}/.git/hooks", "the source repository's .git"),
        ("{repo}", "the source repository's .git"),
        ("{tmp}/policy.toml", "the policy itself"),
        ("{tmp}/none", "does not exist"),
        ("{tmp}/fifo", "a FIFO"),
        ("/dev/null", "a device"),
    ],
)
def test_what_opens_other_doors_is_not_mounted(
    source: str, why: str, library: Library, repository: Path, tmp_path: Path
) -> None:
    home, state_dir = library.host.home, library.host.settings.state_dir
    for folder in (home / ".ssh", home / ".aws/deeper", state_dir / "inside", repository / ".git/hooks"):
        folder.mkdir(parents=True, exist_ok=True)
    os.mkfifo(tmp_path / "fifo")
    named = source.format(home=home, state=state_dir, repo=repository, tmp=tmp_path)

    assert why in refusal(library, repository, mount_policy(tmp_path, named))
    assert not (tmp_path / "none").exists(), "nothing is created"


REFUSED_NAMES = ["a:b", "a,b", 'a"b', "a'b", "a,readonly=false"]
REFUSED_TARGETS = ["/a:b", "/a,b", "/a\nb", "relative", "/../etc", "/", "/proc", "/etc/x"]
REFUSED_TARGETS += ["/workspace", "/workspace/.git", "/paddock/x"]


# --- 117: odd characters --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REFUSED_NAMES)
def test_characters_that_engines_take_apart_are_refused_in_a_source(
    name: str, library: Library, repository: Path, tmp_path: Path
) -> None:
    (tmp_path / name).mkdir()

    assert "mounts[0].source" in refusal(library, repository, mount_policy(tmp_path, f"{tmp_path}/{name}"))


@pytest.mark.parametrize("name", ["a b", "-v", "é"])
def test_other_characters_in_a_source_mean_themselves(
    name: str, library: Library, repository: Path, tmp_path: Path
) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "file").write_text(f"in {name}\n")
    policy = mount_policy(tmp_path, f"{tmp_path}/{name}")
    result = library.run(repository, "exec 2>&1; cat /data/file; touch /data/x", policy=policy)

    said = Path(result.paths["log"]).read_text()
    assert said == f"in {name}\ntouch: cannot touch '/data/x': Read-only file system\n"


@pytest.mark.parametrize("target", REFUSED_TARGETS)
def test_odd_targets_are_refused(target: str, library: Library, repository: Path, data: Path, tmp_path: Path) -> None:
    assert "mounts[0].target" in refusal(library, repository, mount_policy(tmp_path, str(data), target))


# --- 118: read-only --------------------------------------------------------------------------------------------------

SPOIL = """
exec 2>&1
cd /data
echo x > file && echo written
echo x > new && echo created
mv file moved && echo renamed
ln file hard && echo linked
ln file /workspace/hard && echo linked out
chmod 600 file && echo modes changed
rm -f file && echo removed
touch -d 2000-01-01 file && echo times changed
mount -o remount,rw /data && echo remounted
mount -o remount,rw,bind /data && echo bind remounted
python3 -c 'import ctypes; print("kernel says", ctypes.CDLL(None).mount(b"", b"/data", b"", 32 | 4096, None))'
cat file sub/deep
exit 0
"""


def spoil(library: Library, repository: Path, data: Path, folder: Path, mode: str) -> tuple[RunResult, list[str]]:
    result = library.run(repository, SPOIL, policy=mount_policy(folder, str(data), mode=mode))
    return result, Path(result.paths["log"]).read_text().splitlines()


def test_a_read_only_mount_stays_as_it_was(library: Library, repository: Path, data: Path, tmp_path: Path) -> None:
    before = fingerprint(data)
    result, said = spoil(library, repository, data, tmp_path, "ro")

    assert result.outcome is Outcome.NO_CHANGES
    assert fingerprint(data) == before
    assert said[-3:] == ["kernel says -1", "data", "deep"]
    done = {"written", "created", "renamed", "linked", "linked out", "modes changed", "removed", "times changed"}
    assert (done | {"remounted", "bind remounted"}).isdisjoint(said)

    _, said = spoil(library, repository, data, tmp_path, "rw")
    assert {"written", "created", "renamed"} <= set(said), "the control leg: the same, allowed"
    assert {"remounted", "bind remounted", "kernel says 0"}.isdisjoint(said)


@contextmanager
def mounted_below(place: Path) -> Iterator[None]:
    """Another file system at a place, with a secret in it."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "tmpfs", place], check=True)
    try:
        (place / "secret").write_text("below\n")
        yield
    finally:
        subprocess.run(["umount", place], check=True)


if AM_ROOT:  # nobody else can mount anything

    @pytest.mark.parametrize("mode", ["ro", "rw"])
    def test_a_file_system_below_a_mount_is_not_seen(
        mode: str, library: Library, repository: Path, data: Path, tmp_path: Path
    ) -> None:
        with mounted_below(data / "sub"):
            assert (data / "sub/secret").exists(), "the control leg: it is there for the host"
            script = "exec 2>&1; ls /data/sub; cat /data/sub/secret; echo x > /data/sub/secret; exit 0"
            result = library.run(repository, script, policy=mount_policy(tmp_path, str(data), mode=mode))
            assert (data / "sub/secret").read_text() == "below\n"

        said = Path(result.paths["log"]).read_text()
        assert said.startswith("deep\ncat: /data/sub/secret: No such file or directory\n")


# --- 122, 123, 124: what cannot be said -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[sandbox]\nprivileged = true", "sandbox.privileged"),
        ('[sandbox]\npid = "host"', "sandbox.pid"),
        ('[sandbox]\nipc = "host"', "sandbox.ipc"),
        ('[sandbox]\nuserns = "host"', "sandbox.userns"),
        ('[sandbox]\ncap_add = ["SYS_ADMIN"]', "sandbox.cap_add"),
        ('[sandbox]\ndevices = ["/dev/kvm"]', "sandbox.devices"),
        ('[sandbox]\nsecurity_opt = ["seccomp=unconfined"]', "sandbox.security_opt"),
        ('[sandbox]\nuser = "0"', "sandbox.user"),
        ('[sandbox]\nextra_args = ["--privileged"]', "sandbox.extra_args"),
        ('[network]\nmode = "host"', "network.mode"),
        ('[network]\nmode = "bridge"', "network.mode"),
        ("privileged = true", "privileged"),
        ('[sandbox]\nenv = { LD_PRELOAD = "/x" }', "sandbox.env"),
        ('[sandbox]\nenv = { "A=B" = "1" }', "sandbox.env"),
        ("[limits]\nmemory = 0", "limits.memory"),
        ('[limits]\nmemory = "-1GiB"', "limits.memory"),
        ('[limits]\nmemory = "99999999TiB"', "limits.memory"),
        ('[limits]\nmemory = "4 gigs"', "limits.memory"),
        ('[limits]\ndisk = "unlimited"', "limits.disk"),
        ("[limits]\npids = 0", "limits.pids"),
        ("[limits]\npids = -1", "limits.pids"),
        ("[limits]\npids = 1e9", "limits.pids"),
        ("[limits]\ncpus = nan", "limits.cpus"),
        ("[limits]\ncpus = inf", "limits.cpus"),
        ("[limits]\ncpus = 0.0", "limits.cpus"),
        ('[limits]\nwall_clock = "0s"', "limits.wall_clock"),
        ('[limits]\nwall_clock = "forever"', "limits.wall_clock"),
        ('[limits]\nidle = "1y"', "limits.idle"),
    ],
)
def test_the_switches_that_end_a_sandbox_cannot_be_said(
    text: str, key: str, library: Library, repository: Path, tmp_path: Path
) -> None:
    message = refusal(library, repository, text_policy(tmp_path, text))
    assert re.search(rf"policy\.toml:\d+: {re.escape(key)}", message)


def test_what_can_be_said_is_taken(library: Library, repository: Path, tmp_path: Path) -> None:
    """The control leg of all refusals above."""
    text = '[limits]\nmemory = "1GiB"\ncpus = 1.5\npids = 100\n[sandbox]\nenv = { CI = "1" }'
    result = library.run(repository, "test $CI = 1", policy=text_policy(tmp_path, text))

    assert (result.outcome, result.limits["pids"].granted) == (Outcome.NO_CHANGES, 100)


@pytest.mark.parametrize(
    "argv",
    [
        ("--image", "--privileged"),
        ("--image", "-v/:/host"),
        ("--image", "debian -v /:/host"),
        ("--image", "debian\n--privileged"),
        ("--env", "A\n--privileged=1"),
        ("--env", "--privileged=1"),
    ],
)
def test_no_word_becomes_an_option_of_the_engine(argv: tuple[str, str], paddock: Paddock, repository: Path) -> None:
    done = paddock("run", repository, *argv, "--", "true")

    assert (done.code, done.out) == (30, "")
    assert "does not name an image" in done.err or "is not a variable's name" in done.err
    assert_nothing_started(paddock.state)


@pytest.mark.parametrize("name", ["--privileged -v /:/host", "--privileged", "x/../../y", "$(id)"])
def test_a_name_that_looks_like_options_or_a_path_is_refused(name: str, paddock: Paddock, repository: Path) -> None:
    done = paddock("run", repository, f"--name={name}", "--", "true")

    assert (done.code, done.out) == (30, "")
    assert "--name takes letters" in done.err
    assert_nothing_started(paddock.state)
