"""The base image on a real engine: built once, usable as a sandbox uses it, and errors that say what to do."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Thread

import pytest
from docker import APIClient

from runner.errors import EngineUnavailableError, ImageError
from runner.sandbox.docker_api import EngineApi
from runner.sandbox.images import ImageStore
from tests.conftest import engine_api
from tests.integration.cli import Paddock

pytestmark = pytest.mark.docker

TOOLS = ("git", "python3", "curl", "jq", "rg", "make", "gcc", "ssh", "patch", "ps", "less", "unzip", "xz")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def images(state_dir: Path, said: list[str]) -> ImageStore:
    return ImageStore(engine_api(), said.append, state_dir=state_dir)


def run_inside(client: APIClient, image: str, script: str) -> tuple[int, str]:
    """Exit code and output of a shell script in a container closed like a sandbox."""
    created = client.create_container(
        image,
        ["sh", "-euc", script],
        labels={"paddock.role": "test"},
        host_config=client.create_host_config(
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            tmpfs={"/tmp": "", "/workspace": "uid=1000,gid=1000,exec"},
        ),
    )
    try:
        client.start(created["Id"])
        code = int(client.wait(created["Id"])["StatusCode"])
        return code, client.logs(created["Id"]).decode()
    finally:
        client.remove_container(created["Id"], force=True)


def test_every_promised_tool_is_in_the_base_image(docker_client: APIClient, images: ImageStore) -> None:
    code, output = run_inside(docker_client, images.base().name, f"for t in {' '.join(TOOLS)}; do command -v $t; done")

    assert code == 0, output
    assert len(output.splitlines()) == len(TOOLS)


def test_a_commit_and_a_c_program_can_be_made_by_a_user_who_is_not_root(
    docker_client: APIClient, images: ImageStore
) -> None:
    code, output = run_inside(
        docker_client,
        images.base().name,
        """
        id -u; id -G; pwd
        printf '#include <stdio.h>\\nint main(void) { puts("compiled"); }\\n' > a.c
        gcc a.c -o a && ./a
        git init -q . && git add a.c
        git -c user.name=a -c user.email=a@localhost commit -qm "first commit"
        git log --format=%s
        """,
    )

    assert (code, output.split("\n")) == (0, ["1000", "1000", "/workspace", "compiled", "first commit", ""])


def test_no_program_of_the_base_image_is_set_uid_or_set_gid(docker_client: APIClient, images: ImageStore) -> None:
    code, output = run_inside(
        docker_client, images.base().name, "find / -xdev -type f -perm /6000 2>/dev/null || true; echo end"
    )

    assert (code, output) == (0, "end\n")


def test_the_base_image_is_built_once_by_two_that_ask_at_the_same_time(
    docker_client: APIClient, images: ImageStore, state_dir: Path
) -> None:
    images.base()
    said: list[str] = []
    asking = [
        Thread(target=lambda: ImageStore(engine_api(), said.append, state_dir=state_dir).base()) for _ in range(2)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()

    assert said == []


def test_the_list_shows_the_base_image_with_its_size(images: ImageStore) -> None:
    base = images.base()
    listed = {image.tag: image for image in images.list()}

    assert listed[base.name].id == base.id
    assert listed[base.name].bytes > 100_000_000


@pytest.mark.parametrize("name", ["--privileged", "-v", "a b", "UPPER", "a\nb", "../../etc", "a" * 400])
def test_a_name_that_is_none_never_reaches_the_engine(name: str, images: ImageStore, said: list[str]) -> None:
    with pytest.raises(ImageError, match="does not name an image"):
        images.resolve(name)
    assert said == []


def test_an_image_of_somebody_else_is_not_removed(images: ImageStore) -> None:
    with pytest.raises(ImageError, match="is not an image of Paddock's"):
        images.remove("debian:bookworm-slim")


def test_an_unknown_shipped_image_is_refused_with_the_names_that_there_are(images: ImageStore) -> None:
    with pytest.raises(ImageError, match="no shipped image") as caught:
        images.build("../base")
    assert "base" in caught.value.hint


def test_an_engine_that_is_gone_is_told_apart_from_an_image_that_is_missing(tmp_path: Path, state_dir: Path) -> None:
    with pytest.raises(EngineUnavailableError):
        ImageStore(EngineApi(f"unix://{tmp_path}/none.sock"), print, state_dir=state_dir).base()


def test_images_are_built_listed_and_compared_by_name(paddock: Paddock) -> None:
    tag = paddock.good("image", "build", "node").strip()
    rows = {line.split()[0]: line for line in paddock.good("image", "list").splitlines()}
    found = {pin["image"]: pin for pin in json.loads(paddock.good("image", "outdated", "--json"))}

    assert tag.startswith("paddock/node:")
    assert " MB " in rows[tag]
    assert found["node"]["pinned"] in paddock.good("image", "outdated")
    assert found["node"]["outdated"] == (found["node"]["newest"] != found["node"]["pinned"])


def test_without_a_name_the_base_image_is_built(paddock: Paddock) -> None:
    assert paddock.good("image", "build").startswith("paddock/base:")


def test_a_name_that_is_no_shipped_image_is_not_built(paddock: Paddock) -> None:
    done = paddock("image", "build", "debian:bookworm-slim")

    assert done.code != 0
    assert "There is no shipped image 'debian:bookworm-slim'." in done.err
    assert "agents: aider, claude" in done.err
