"""Who owns what: Paddock as root and as an ordinary user in the engine's group, each file with its right owner."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TypeVar

import pytest

from runner.settings import load_settings
from tests.integration.cli import ROOT, WORK, Paddock, show
from tests.unit.identities import shared_directory
from tests.unit.repo.sources import git, make_repository

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

AM_ROOT = os.geteuid() == 0
USER = 23_456 if AM_ROOT else os.geteuid()
"""An ordinary user; no account of that number is needed."""
SYSTEM_PYTHON = Path("/usr/bin/python3")
IMPORTS = "import docker, pydantic_settings, platformdirs, rich, tenacity, typer"
WHO = "stat -c '%u' . .git .git/config file .git/index > owners; id -u >> owners; id -g >> owners"

Test = TypeVar("Test")


def root_only(test: Test) -> Test | None:
    """A test that only root can carry out; for anybody else there is none, rather than one that is skipped."""
    return test if AM_ROOT else None


def can_import(python: str | Path, place: Path) -> bool:
    """Whether the ordinary user can run Paddock's dependencies with this Python."""
    try:
        done = subprocess.run(
            [python, "-c", IMPORTS],
            check=False,
            cwd=place,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(place)},
            capture_output=True,
            user=USER if AM_ROOT else None,
            group=USER if AM_ROOT else None,
            extra_groups=[] if AM_ROOT else None,
        )
    except OSError:
        return False
    return done.returncode == 0


@pytest.fixture(scope="session")
def installed() -> Iterator[Path]:
    """A folder that everybody may read, with Paddock's source and a Python that has its dependencies."""
    with tempfile.TemporaryDirectory(prefix="paddock-installed-") as private:
        place = Path(private)
        place.chmod(0o755)
        for name in ("runner", "images", "policies"):
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        (place / "python").symlink_to(usable_python(place))
        yield place


def usable_python(place: Path) -> Path:
    """Ours, if everybody may use it; else the system's with a copy of what we import; else a new environment."""
    if can_import(sys.executable, place):
        return Path(sys.executable)
    copy_dependencies(place)
    if can_import(SYSTEM_PYTHON, place):
        return SYSTEM_PYTHON
    subprocess.run([SYSTEM_PYTHON, "-m", "venv", place / "venv"], check=True)
    options = ["-qq", "--no-deps", "--require-hashes", "--disable-pip-version-check"]
    subprocess.run([place / "venv/bin/pip", "install", *options, "-r", ROOT / "requirements.lock"], check=True)
    return place / "venv/bin/python"


def copy_dependencies(place: Path) -> None:
    """What Paddock's dependencies, and theirs, have put into our site-packages."""
    locked = (ROOT / "requirements.lock").read_text()
    for name in re.findall(r"^([A-Za-z0-9._-]+)==", locked, re.MULTILINE):
        try:
            files = distribution(name).files or ()
        except PackageNotFoundError:
            continue  # needed on other systems alone
        for top in {file.parts[0] for file in files if file.parts[0] not in {"..", "__pycache__"}}:
            source = Path(str(distribution(name).locate_file(top)))
            if source.is_dir():
                shutil.copytree(source, place / top, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
            else:
                shutil.copy(source, place / top)


class Household:
    """One user's Paddock: state directory, home and repository in a place that this user can reach."""

    def __init__(self, place: Path, installed: Path, *, uid: int, owner: int, groups: list[int]) -> None:
        self.owner = owner
        self.repository = make_repository(place / "repository")
        for name in ("home", "state"):
            (place / name).mkdir()
            give(place / name, uid)
        give(self.repository, owner)
        variables = {"HOME": str(place / "home"), "PYTHONPATH": str(installed)}
        self.paddock = Paddock(
            state=place / "state",
            folder=place,
            python=os.fspath((installed / "python").readlink()),
            variables=variables,
            user=uid if AM_ROOT and uid != 0 else None,
            groups=groups,
        )


def strangers(place: Path, owner: int) -> list[str]:
    """What in a place is not the owner's."""
    argv = ["find", str(place), "!", "-uid", str(owner)]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()


def give(place: Path, uid: int) -> None:
    """Make all of a place somebody's."""
    if AM_ROOT:
        subprocess.run(["chown", "-R", f"{uid}:{uid}", place], check=True)


def engine_group() -> int:
    """The group that may use the engine's socket."""
    return os.stat(load_settings().engine.removeprefix("unix://")).st_gid  # noqa: PTH116 - an address, not a path


@pytest.fixture
def place() -> Iterator[Path]:
    with shared_directory() as place:
        yield place


def carried_out(household: Household, agent: int) -> None:
    """A run whose files are the agent's inside, and the repository owner's outside."""
    done = household.paddock("run", household.repository, "--json", "--", "sh", "-c", f"{WORK}; {WHO}")
    assert done.code == 0, done.err
    branch = done.document["branch"]

    assert show(household.repository, branch, "owners").split() == [str(agent)] * 7
    assert strangers(household.repository, household.owner) == []
    assert git(household.repository, "fsck", "--strict", "--no-dangling") == ""
    assert household.paddock.good("merge", branch.removeprefix("paddock/")).strip() == done.document["head"]
    assert strangers(household.repository, household.owner) == []
    household.paddock.good("rm", "last")
    assert list((household.paddock.state / "runs").iterdir()) == []


@root_only
def test_roots_agent_in_roots_repository_is_an_ordinary_user(place: Path, installed: Path) -> None:
    carried_out(Household(place, installed, uid=0, owner=0, groups=[]), agent=1000)


@root_only
def test_roots_agent_in_a_users_repository_is_that_user(place: Path, installed: Path) -> None:
    household = Household(place, installed, uid=0, owner=USER, groups=[])
    carried_out(household, agent=USER)


def test_a_user_in_the_engines_group_needs_no_root(place: Path, installed: Path) -> None:
    household = Household(place, installed, uid=USER, owner=USER, groups=[engine_group()])
    carried_out(household, agent=USER)
    assert strangers(household.paddock.state, USER) == []


def test_a_users_uncommitted_changes_are_carried_along(place: Path, installed: Path) -> None:
    household = Household(place, installed, uid=USER, owner=USER, groups=[engine_group()])
    (household.repository / "fresh").write_text("fresh\n")
    give(household.repository / "fresh", USER)
    document = household.paddock.run(household.repository, "cat fresh > copy", "--dirty")

    assert show(household.repository, document["branch"], "copy") == "fresh"
    assert strangers(household.repository, USER) == []


@root_only
def test_roots_dirty_run_leaves_no_file_of_roots_in_a_users_repository(place: Path, installed: Path) -> None:
    household = Household(place, installed, uid=0, owner=USER, groups=[])
    (household.repository / "file").write_text("changed\n")
    give(household.repository / "file", USER)
    document = household.paddock.run(household.repository, "cat file > copy", "--dirty")

    assert show(household.repository, document["branch"], "copy") == "changed"
    assert strangers(household.repository, USER) == []


@root_only
def test_a_repository_of_somebody_else_is_refused(place: Path, installed: Path) -> None:
    household = Household(place, installed, uid=USER, owner=0, groups=[engine_group()])
    done = household.paddock("run", household.repository, "--", "true")

    assert (done.code, "belongs to another user (uid 0)" in done.err) == (30, True)
    assert list(household.paddock.state.iterdir()) == []


@root_only
def test_a_user_outside_the_engines_group_is_told_how_to_join(place: Path, installed: Path) -> None:
    household = Household(place, installed, uid=USER, owner=USER, groups=[])
    done = household.paddock("run", household.repository, "--", "true")

    assert done.code == 30
    assert "may not be opened by this user" in done.err
    assert "usermod -aG docker" in done.err
    assert not (household.paddock.state / "runs").exists()
