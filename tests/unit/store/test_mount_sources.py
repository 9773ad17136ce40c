"""Mount sources on the disk: every way to a guarded place is refused, and ordinary places are not."""

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.errors import PolicyError
from runner.store.mount_sources import check_mount_source


@dataclass(frozen=True)
class Host:
    """A small host: home, state, repository and engine socket below one folder."""

    top: Path
    home: Path
    state: Path
    git: Path
    engine: Path
    policy: Path

    def check(self, source: str | Path) -> Path:
        return check_mount_source(
            str(source),
            home=self.home,
            state_dir=self.state,
            source_git_dir=self.git,
            engine_socket=self.engine,
            policy_files=[self.policy],
        )

    def refusal(self, source: str | Path) -> str:
        with pytest.raises(PolicyError) as caught:
            self.check(source)
        assert caught.value.exit_code == 30
        return caught.value.message


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    top = tmp_path.resolve()
    for folder in (
        "users/me/.ssh",
        "users/me/data/deep",
        "state/runs",
        "src/repo/.git/hooks",
        "src/repo/sub",
        "srv/engine",
    ):
        (top / folder).mkdir(parents=True)
    (top / "users/me/.config/gcloud").mkdir(parents=True)
    (top / "policies").mkdir()
    (top / "policies/p.toml").touch()
    engine = top / "srv/engine/docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        previous = Path.cwd()
        os.chdir(engine.parent)  # the address of a Unix socket is at most 108 bytes long
        listener.bind(engine.name)
        os.chdir(previous)
        yield Host(top, top / "users/me", top / "state", top / "src/repo/.git", engine, top / "policies/p.toml")


@pytest.mark.parametrize("place", ["users/me/data", "users/me/data/deep", "src/repo/sub"])
def test_ordinary_directories_are_seen(host: Host, place: str) -> None:
    assert host.check(host.top / place) == host.top / place


def test_ordinary_files_are_seen(host: Host) -> None:
    file = host.home / "data/file"
    file.touch()
    assert host.check(file) == file


def test_a_link_to_an_ordinary_directory_is_seen_as_what_it_leads_to(host: Host) -> None:
    (host.top / "link").symlink_to("users/me/data")
    assert host.check(host.top / "link") == host.home / "data"


def test_the_home_sign_is_the_home_that_was_given(host: Host) -> None:
    assert host.check("~/data") == host.home / "data"
    assert "a home directory" in host.refusal("~")


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("srv/engine/docker.sock", "is a socket"),
        ("srv/engine", "the engine's socket"),
        ("srv", "the engine's socket"),
        ("users/me", "a home directory"),
        ("users", "a home directory"),
        ("users/me/.ssh", "credentials"),
        ("users/me/.config", "credentials"),
        ("users/me/.config/gcloud", "credentials"),
        ("state", "Paddock's own state"),
        ("state/runs", "Paddock's own state"),
        ("src/repo/.git", "the source repository's .git"),
        ("src/repo/.git/hooks", "the source repository's .git"),
        ("src/repo", "the source repository's .git"),
        ("src", "the source repository's .git"),
        ("policies", "the policy itself"),
        ("policies/p.toml", "the policy itself"),
        ("", ""),
    ],
)
def test_guarded_places_are_refused_directly_and_by_every_detour(host: Host, place: str, reason: str) -> None:
    assert reason in host.refusal(host.top / place)
    (host.top / "link").symlink_to(host.top / place)
    assert reason in host.refusal(host.top / "link")
    (host.top / "link2").symlink_to("link")
    assert reason in host.refusal(host.top / "link2")
    (host.top / "via").symlink_to((host.top / place).parent)
    assert reason in host.refusal(host.top / "via" / (host.top / place).name)
    assert reason in host.refusal(f"{host.top}/users/../{place}")


@pytest.mark.parametrize(
    "place",
    ["/", "/etc", "/etc/passwd", "/proc", "/proc/self", "/proc/1/root", "/sys", "/sys/kernel", "/dev", "/dev/shm",
     "/run", "/var/run", "/var", "/boot", "/home", "/root", "//etc", "/./etc/", "/proc/self/cwd/../../../../../../etc"],
)  # fmt: skip
def test_system_places_are_refused(host: Host, place: str) -> None:
    if not os.path.lexists(place):
        pytest.fail(f"this machine has no {place}")
    assert "mount source" in host.refusal(place)


def test_credentials_that_are_a_link_are_guarded_where_they_are(host: Host) -> None:
    keys = host.top / "keys"
    keys.mkdir()
    (host.home / ".aws").symlink_to(keys)
    assert "credentials" in host.refusal(keys)
    assert "credentials" in host.refusal(host.home / ".aws")


def test_a_directory_that_contains_the_far_end_of_such_a_link_is_refused(host: Host) -> None:
    (host.top / "vault/keys").mkdir(parents=True)
    (host.home / ".aws").symlink_to(host.top / "vault/keys")
    assert "credentials" in host.refusal(host.top / "vault")


@pytest.mark.parametrize(
    "name",
    [
        ".ssh/id",
        ".aws",
        ".gnupg",
        ".docker/config.json",
        ".kube",
        ".netrc",
        ".git-credentials",
        ".npmrc",
        ".pypirc",
        ".cargo/credentials.toml",
        ".config/op",
        ".mozilla",
        ".config/google-chrome",
        ".config/chromium",
        ".claude",
        ".codex",
        ".gemini",
    ],
)
def test_credentials_are_guarded_whatever_their_form(tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).touch()
    with pytest.raises(PolicyError, match="credentials"):
        check_mount_source(
            str(home / name), home=home, state_dir=tmp_path / "s", source_git_dir=None, engine_socket=None
        )


def test_what_does_not_exist_is_refused_and_not_created(host: Host) -> None:
    assert "does not exist" in host.refusal(host.home / "data/nope")
    (host.top / "dangling").symlink_to("nope")
    assert "does not exist" in host.refusal(host.top / "dangling")
    assert not (host.home / "data/nope").exists()


@pytest.mark.parametrize("source", ["data", "./data", "../x", "", "-v", "~bob"])
def test_relative_sources_are_refused(host: Host, source: str) -> None:
    assert "mount source" in host.refusal(source)


@pytest.mark.parametrize("name", ["a:b", "a,b", "a\nb", "a'b", 'a"b', "a\x1bb"])
def test_a_plain_link_does_not_hide_an_odd_name(host: Host, name: str) -> None:
    odd = host.home / "data" / name
    odd.mkdir()
    (host.top / "plain").symlink_to(odd)
    assert "cannot be mounted" in host.refusal(odd)
    assert "cannot be mounted" in host.refusal(host.top / "plain")
    assert host.refusal(host.top / "plain").isprintable()


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_link_to_device(path: Path) -> None:
    path.symlink_to("/dev/null")


def make_circle(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [(make_fifo, "is a FIFO"), (make_link_to_device, "is a device"), (make_circle, "cannot be looked at")],
)
def test_what_is_no_directory_or_file_is_refused_at_once(host: Host, make: Callable[[Path], None], reason: str) -> None:
    make(host.home / "data/odd")
    assert reason in host.refusal(host.home / "data/odd")


def test_a_second_name_of_a_guarded_directory_is_refused(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    # A bind mount needs privileges that a test may lack; what it looks like is two paths with one identity.
    alias = host.top / "alias"
    (alias / "below").mkdir(parents=True)
    real_samefile = Path.samefile

    def samefile(self: Path, other: Path) -> bool:
        paths = [host.home / ".ssh" if path == alias else path for path in (self, other)]
        return real_samefile(paths[0], paths[1])

    monkeypatch.setattr(Path, "samefile", samefile)
    assert "credentials" in host.refusal(alias)
    assert "credentials" in host.refusal(alias / "below")
