"""Every kind of repository that a run may start from, from the source to the branch that comes back."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from runner.errors import RepositoryError
from runner.model.result import Outcome, RunResult
from tests.integration.cli import SUBJECTS, WORK, branches, outside_of_paddock, show
from tests.integration.library import Library
from tests.unit.repo.sources import commit, git, make_repository

pytestmark = pytest.mark.docker


def assert_it_came_back(result: RunResult, place: Path) -> None:
    assert result.outcome is Outcome.COMPLETED, result.reason
    assert [entry.subject for entry in result.commits] == SUBJECTS
    assert branches(place) == [result.branch]
    assert git(place, "rev-parse", result.branch) == result.head
    assert git(place, "merge-base", result.branch, result.base) == result.base
    assert show(place, result.branch, "left") == "left"
    assert result.leaks == ()


def test_a_linked_worktree(library: Library, repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    before = outside_of_paddock(repository), outside_of_paddock(tmp_path / "linked")
    result = library.run(tmp_path / "linked", f"test $(git branch --show-current) = side && {WORK}")

    assert_it_came_back(result, repository)
    assert (outside_of_paddock(repository), outside_of_paddock(tmp_path / "linked")) == before


def test_a_bare_repository(library: Library, repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repository), "bare.git")

    assert_it_came_back(library.run(tmp_path / "bare.git"), tmp_path / "bare.git")


def test_a_shallow_repository(library: Library, repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", "shallow")
    result = library.run(tmp_path / "shallow", f"test $(git rev-list --count HEAD) = 1 && {WORK}")

    assert_it_came_back(result, tmp_path / "shallow")
    assert (tmp_path / "shallow/.git/shallow").exists()


def test_a_detached_head(library: Library, repository: Path) -> None:
    git(repository, "switch", "-q", "--detach", "HEAD~1")
    result = library.run(repository)

    assert_it_came_back(result, repository)
    assert result.base == git(repository, "rev-parse", "main~1")


def test_a_directory_below_the_top(library: Library, repository: Path) -> None:
    result = library.run(repository / "folder", f"test -e folder/deep && {WORK}")

    assert_it_came_back(result, repository)
    assert result.repo == str(repository)


def test_objects_named_by_sha256(library: Library, tmp_path: Path) -> None:
    place = make_repository(tmp_path / "sha256", object_format="sha256")
    result = library.run(place)

    assert_it_came_back(result, place)
    assert len(result.head) == 64


def test_a_submodule_stays_an_empty_directory_and_is_told_of(
    library: Library, repository: Path, tmp_path: Path
) -> None:
    inner = make_repository(tmp_path / "inner")
    git(repository, "submodule", "--quiet", "add", str(inner), "sub")
    commit(repository, "submodule")
    result = library.run(repository, f"test -d sub && test -z $(ls sub) && {WORK}")

    assert_it_came_back(result, repository)
    assert any("submodule" in notice for notice in result.notices)
    assert git(repository, "ls-tree", result.branch, "sub").startswith("160000 commit")


def test_lfs_pointers_stay_pointers_and_no_filter_runs(library: Library, repository: Path, tmp_path: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12\n"
    (repository / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (repository / "data.bin").write_text(pointer)
    commit(repository, "lfs")
    for name in ("clean", "smudge"):
        git(repository, "config", f"filter.lfs.{name}", f"sh -c 'touch {tmp_path}/ran; cat'")
    result = library.run(repository, f"grep -q git-lfs data.bin && {WORK}")

    assert_it_came_back(result, repository)
    assert not (tmp_path / "ran").exists()
    assert any("LFS" in notice for notice in result.notices)
    assert show(repository, result.branch, "data.bin") == pointer.strip()


def test_a_repository_that_borrows_objects(library: Library, repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--shared", str(repository), "borrower")
    git(repository, "config", "gc.auto", "0")

    assert_it_came_back(library.run(tmp_path / "borrower"), tmp_path / "borrower")


def test_a_repository_without_a_commit_is_refused(library: Library, tmp_path: Path, state_dir: Path) -> None:
    git(tmp_path, "init", "-q", "empty")

    with pytest.raises(RepositoryError, match="has no commits yet"):
        library.run(tmp_path / "empty")
    assert not (state_dir / "runs").exists()


@pytest.fixture
def web(repository: Path, tmp_path: Path) -> Iterator[str]:
    """The repository on a web server of this machine, for git's simplest way to fetch."""
    git(tmp_path, "clone", "-q", "--bare", str(repository), "served.git")
    git(tmp_path / "served.git", "update-server-info")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://user:s3cr3t-t0ken@127.0.0.1:{server.server_port}/served.git"
        server.shutdown()
        thread.join()


def test_a_url_over_http_is_cloned_first_and_its_password_is_written_nowhere(
    library: Library, web: str, state_dir: Path
) -> None:
    result = library.run(web, base="other")

    assert_it_came_back(result, Path(result.repo))
    assert show(Path(result.repo), result.branch, "other") == "other"
    assert Path(result.repo).is_relative_to(state_dir)
    written = [path for path in state_dir.rglob("*") if path.is_file() and b"s3cr3t" in path.read_bytes()]
    assert written == []


def test_a_file_url_is_cloned_first_and_brought_up_to_date(library: Library, repository: Path) -> None:
    before = outside_of_paddock(repository)
    first = library.run(f"file://{repository}")
    assert_it_came_back(first, Path(first.repo))
    assert (branches(repository), outside_of_paddock(repository)) == ([], before)

    (repository / "more").write_text("more\n")
    new = commit(repository, "more")
    second = library.run(f"file://{repository}", "test -e more")
    assert (second.repo, second.base, second.outcome) == (first.repo, new, Outcome.NO_CHANGES)
