"""Images that would rather decide for themselves: what they set is overridden; those that cannot serve are refused."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import APIClient

from runner.sandbox.images import ImageStore
from tests.integration.cli import WORK, Paddock, show

pytestmark = pytest.mark.docker

HOSTILE = """
RUN mkdir -p /evil && printf 'import os; os._exit(66)' > /evil/sitecustomize.py
ENTRYPOINT ["/bin/false"]
CMD ["--help"]
USER 0
WORKDIR /root
VOLUME /data /workspace /tmp
STOPSIGNAL SIGUSR1
HEALTHCHECK --interval=1s CMD touch /workspace/health
ENV LD_PRELOAD=/evil/none.so LD_LIBRARY_PATH=/evil GIT_DIR=/evil GIT_CONFIG_GLOBAL=/evil/config
ENV GIT_SSH_COMMAND=/bin/false PYTHONPATH=/evil
ENV PYTHONSTARTUP=/evil/sitecustomize.py PYTHONHOME=/evil BASH_ENV=/evil/env NODE_OPTIONS=--bad
ENV HTTPS_PROXY=http://127.0.0.1:1 HOME=/evil KEPT=kept PADDOCK_RUN=forged
EXPOSE 80
"""
PLAIN_VIEW = """
test "$(id -u)" = 1000 && test "$(pwd)" = /workspace && test "$HOME" = /home/agent
env | sort
echo written > /data/file && touch /tmp/ok
sleep 1.2; test ! -e health
"""


def build(client: APIClient, dockerfile: str) -> str:
    tag = f"paddock-test/{uuid.uuid4().hex[:12]}:1"
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(dockerfile.encode())
        archive.addfile(entry, io.BytesIO(dockerfile.encode()))
    said = list(
        client.build(
            fileobj=io.BytesIO(context.getvalue()),
            custom_context=True,
            tag=tag,
            rm=True,
            forcerm=True,
            decode=True,
            labels={"paddock.role": "test"},
            network_mode="none",
        )
    )
    assert not any("error" in message for message in said), said
    return tag


@pytest.fixture(scope="module")
def client() -> Iterator[APIClient]:
    from tests.conftest import connect

    client = connect()
    yield client
    client.close()


@pytest.fixture(scope="module")
def base(client: APIClient, tmp_path_factory: pytest.TempPathFactory) -> str:
    return ImageStore(client, print, state_dir=tmp_path_factory.mktemp("images")).base().name


@pytest.fixture(scope="module")
def images(client: APIClient, base: str) -> Iterator[dict[str, str]]:
    made = {
        "hostile": build(client, f"FROM {base}\nUSER 0\n{HOSTILE}"),
        "no-python": build(client, f"FROM {base}\nUSER 0\nRUN rm -f /usr/bin/python3*\n"),
        "empty": build(client, "FROM scratch\nCOPY Dockerfile /\n"),
    }
    yield made
    for tag in made.values():
        client.remove_image(tag, force=True)


def test_an_images_own_settings_do_not_decide(paddock: Paddock, repository: Path, images: dict[str, str]) -> None:
    document = paddock.run(repository, f"{PLAIN_VIEW}\n{WORK}", "--image", images["hostile"])
    log = Path(document["paths"]["log"]).read_text() if "log" in document["paths"] else ""
    names = {line.partition("=")[0] for line in log.splitlines()}

    assert (document["outcome"], document["agent_exit_code"]) == ("completed", 0), document["reason"] + log
    assert show(repository, document["branch"], "committed") == "committed"
    assert "KEPT=kept" in log
    assert f"PADDOCK_RUN={document['id']}" in log
    assert (
        names
        & {
            *("LD_PRELOAD", "LD_LIBRARY_PATH", "GIT_DIR", "GIT_CONFIG_GLOBAL", "GIT_SSH_COMMAND", "HTTPS_PROXY"),
            *("PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "BASH_ENV", "NODE_OPTIONS"),
        }
        == set()
    )


@pytest.mark.parametrize("image", ["no-python", "empty"])
def test_an_image_without_python_is_refused_and_says_what_to_do(
    image: str, paddock: Paddock, repository: Path, images: dict[str, str]
) -> None:
    done = paddock("run", repository, "--json", "--image", images[image], "--", "true")

    assert (done.code, done.document["outcome"]) == (30, "refused")
    assert "has no python3" in done.document["reason"]
    assert "Install python3 in the image" in done.err + done.document["reason"]
    assert done.document["leaks"] == []


def test_no_volume_of_an_image_is_left_behind(
    paddock: Paddock, repository: Path, images: dict[str, str], client: APIClient
) -> None:
    before = {volume["Name"] for volume in client.volumes(filters={"dangling": True})["Volumes"] or ()}
    document = paddock.run(repository, "echo x > /data/x", "--image", images["hostile"])
    after = {volume["Name"] for volume in client.volumes(filters={"dangling": True})["Volumes"] or ()}

    assert document["outcome"] == "no-changes", document["reason"]
    assert after <= before
