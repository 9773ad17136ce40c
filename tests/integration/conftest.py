"""What tests of whole runs share: the command, a repository, and the promise that nothing is left of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from docker import APIClient

from tests.integration.agents_user import User
from tests.integration.cli import Paddock
from tests.integration.injection_kit import Desk
from tests.integration.library import Library
from tests.integration.programs_kit import Bench, programs_image
from tests.unit.repo.sources import make_repository


@pytest.fixture
def paddock(state_dir: Path, tmp_path: Path, docker_client: APIClient) -> Iterator[Paddock]:
    """The command; no container of its state directory outlives the test."""
    yield Paddock(state=state_dir, folder=tmp_path)
    left = docker_client.containers(all=True, filters={"label": f"paddock.state={state_dir}"})
    for container in left:
        docker_client.remove_container(container["Id"], force=True)
    assert [container["Names"] for container in left] == []


@pytest.fixture
def library(state_dir: Path, tmp_path: Path) -> Library:
    """Paddock without a process of its own."""
    return Library(state_dir, tmp_path)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A user's repository: two commits on `main`, one on `other`, a tag."""
    return make_repository(tmp_path / "repository")


@pytest.fixture
def bench(
    library: Library,
    tmp_path: Path,
    docker_client: APIClient,
    tmp_path_factory: pytest.TempPathFactory,
    state_dir: Path,
) -> Bench:
    """A repository, a town of servers, and an image with programs that go there."""
    return Bench(library, tmp_path, programs_image(docker_client, tmp_path_factory.getbasetemp().parent, state_dir))


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def desk(library: Library, tmp_path: Path, authority: trustme.CA) -> Desk:
    return Desk(library, tmp_path, authority)


@pytest.fixture
def user(paddock: Paddock, repository: Path, authority: trustme.CA) -> User:
    """Whoever lets agents with a model work."""
    return User(paddock, repository, authority)
