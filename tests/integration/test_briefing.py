"""What is given along, as an agent in a real sandbox sees it: to be read, and to be read alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.cli import Paddock, show
from tests.unit.repo.sources import fingerprint, git, make_repository

pytestmark = pytest.mark.docker

LOOK = """
set -eu
cat /context/research.md /context/data/deep/numbers /context/data/link
! sh -c 'echo x >> /context/research.md' 2>/dev/null
! touch /context/data/new /beside/new /beside/lib/new 2>/dev/null
ls /context
ls /beside
for name in lib lib-2; do
    cd /beside/$name
    git log --format=%s
    git status --porcelain
    git remote
    git show HEAD:file
    ! git commit --allow-empty -qm no 2>/dev/null
done
find /context /beside -mindepth 1 ! -user "$(id -un)"
cd /workspace
cp /context/research.md /beside/lib/folder/deep .
git add research.md deep
git commit -qm 'from what was given'
"""
SEEN = """\
found
1 2 3
1 2 3
data
research.md
lib
lib-2
second
first
two
second
first
two
"""


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A file and a folder to give along."""
    folder = tmp_path / "given"
    (folder / "data" / "deep").mkdir(parents=True)
    (folder / "research.md").write_text("found\n")
    (folder / "research.md").chmod(0o600)
    (folder / "data" / "deep" / "numbers").write_text("1 2 3\n")
    (folder / "data" / "link").symlink_to("deep/numbers")
    return folder


def test_an_agent_reads_what_is_given_along_and_cannot_change_it(
    paddock: Paddock, repository: Path, given: Path, tmp_path: Path
) -> None:
    lib, other = make_repository(tmp_path / "one" / "lib"), make_repository(tmp_path / "two" / "lib")
    git(lib, "remote", "add", "origin", "https://me:secret@forge.example.test/lib")
    before = fingerprint(given), fingerprint(lib), fingerprint(other)
    options: list[str | Path] = [
        "--context",
        given / "research.md",
        "--context",
        given / "data",
        "--with",
        lib,
        "--with",
        other,
    ]
    document = paddock.run(repository, LOOK, *options)

    log = (paddock.only_run() / "agent.log").read_text()
    assert document["outcome"] == "completed", log
    assert log == SEEN
    assert show(repository, document["branch"], "research.md") == "found"
    assert show(repository, document["branch"], "deep") == "deep"
    assert (fingerprint(given), fingerprint(lib), fingerprint(other)) == before
    left = {path.name for path in paddock.only_run().iterdir()}
    assert not left & {"context", "beside", "beside.index"}


def test_without_anything_given_there_are_no_such_folders(paddock: Paddock, repository: Path) -> None:
    document = paddock.run(repository, "ls -d /context /beside 2>/dev/null")
    assert document["agent_exit_code"] == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--context home/.ssh", "credentials"),
        ("--context missing", "does not exist"),
        ("--context repository", "source repository's .git"),
        ("--with given", "is not in a git repository"),
    ],
)
def test_what_cannot_be_given_is_refused_before_anything_starts(
    words: str, says: str, paddock: Paddock, repository: Path, tmp_path: Path
) -> None:
    for folder in ("home/.ssh", "given"):
        (tmp_path / folder).mkdir(parents=True)
    paddock.variables["HOME"] = str(tmp_path / "home")
    done = paddock("run", repository, *words.split(), "--", "true")
    assert done.code == 30
    assert words.split(maxsplit=1)[0] in done.err
    assert says in done.err
    assert not list(paddock.state.glob("runs/*"))


def test_a_policy_that_mounts_something_there_is_refused(paddock: Paddock, repository: Path, given: Path) -> None:
    policy = paddock.policy(f'[[mounts]]\nsource = "{given}/data"\ntarget = "/context"')
    done = paddock("run", repository, "--policy", policy, "--context", given / "research.md", "--", "true")
    assert done.code == 30
    assert "--context is seen at /context, and the policy puts something else at /context" in done.err
