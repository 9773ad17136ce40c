"""What the user trusts is their own word: by content, for one repository, in a file that nobody else could write."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from runner.errors import RefusedError
from runner.store.trust import MOST_BYTES, Trusted, add_trust, is_trusted, read_trust, revoke_trust

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "trusted.json"


def entry(repository: str = "/r/.git", digest: str = DIGEST, at: str = "2026-01-01T00:00:00Z") -> Trusted:
    return Trusted(repository=repository, what="image", digest=digest, origin=".paddock/Dockerfile", at=at)


def trusts(file: Path | None, repository: str = "/r/.git", digest: str = DIGEST) -> bool:
    return is_trusted(file, repository=repository, what="image", digest=digest)


def test_nothing_is_trusted_without_a_file(file: Path) -> None:
    assert not trusts(file)
    assert not trusts(None)
    assert revoke_trust(file, "/r/.git") == ()
    assert not file.parent.exists()


def test_exactly_what_was_trusted_is_trusted(file: Path) -> None:
    add_trust(file, entry())
    assert trusts(file)
    assert not trusts(file, digest=OTHER)
    assert not trusts(file, repository="/r2/.git")
    assert not is_trusted(file, repository="/r/.git", what="policy", digest=DIGEST)


def test_the_file_is_the_users_alone(file: Path) -> None:
    before = os.umask(0)
    try:
        add_trust(file, entry())
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_trusting_again_keeps_one_line_and_the_newest_date(file: Path) -> None:
    for at in ("2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"):
        add_trust(file, entry(at=at))
    add_trust(file, entry(digest=OTHER))
    assert [(each.digest, each.at[:7]) for each in read_trust(file)] == [(DIGEST, "2026-02"), (OTHER, "2026-01")]


def test_revoking_forgets_one_repository(file: Path) -> None:
    for each in (entry(), entry(digest=OTHER), entry(repository="/r2/.git")):
        add_trust(file, each)
    assert {each.digest for each in revoke_trust(file, "/r/.git")} == {DIGEST, OTHER}
    assert [each.repository for each in read_trust(file)] == ["/r2/.git"]


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_refused(file: Path, mode: int) -> None:
    add_trust(file, entry())
    file.chmod(mode)
    with pytest.raises(RefusedError, match="Others may write"):
        trusts(file)
    with pytest.raises(RefusedError, match="Others may write"):
        add_trust(file, entry(digest=OTHER))


def test_a_folder_that_others_may_write_is_refused(file: Path) -> None:
    add_trust(file, entry())
    file.parent.chmod(0o777)
    with pytest.raises(RefusedError, match="Others may write"):
        trusts(file)


def test_a_link_is_refused(file: Path, tmp_path: Path) -> None:
    add_trust(file, entry())
    file.rename(tmp_path / "real")
    file.symlink_to(tmp_path / "real")
    with pytest.raises(RefusedError, match="symbolic link"):
        trusts(file)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"version": 2, "trusted": []}',
        '{"trusted": [{"repository": "/r/.git"}]}',
        json.dumps({"trusted": [{**entry().model_dump(), "digest": "sha256:short"}]}),
        json.dumps({"trusted": [], "more": 1}),
        " " * (MOST_BYTES + 1),
    ],
)
def test_a_file_that_is_not_ours_is_refused_rather_than_guessed_at(file: Path, content: str) -> None:
    file.parent.mkdir(mode=0o700)
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(RefusedError):
        trusts(file)


def test_a_pipe_in_its_place_is_refused_at_once(file: Path) -> None:
    file.parent.mkdir(mode=0o700)
    os.mkfifo(file, 0o600)
    with pytest.raises(RefusedError, match="not a regular file"):
        trusts(file)


def test_two_at_once_lose_nothing(file: Path) -> None:
    digests = [f"sha256:{number:064x}" for number in range(20)]
    threads = [threading.Thread(target=add_trust, args=(file, entry(digest=digest))) for digest in digests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {each.digest for each in read_trust(file)} == set(digests)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file another user's")
def test_a_file_of_another_user_is_refused(file: Path) -> None:
    add_trust(file, entry())
    os.chown(file, 12345, 12345)
    with pytest.raises(RefusedError, match="belongs to another user"):
        trusts(file)
