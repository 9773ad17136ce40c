"""Images that would rather decide for themselves: what they set is overridden; those that cannot serve are refused."""

from __future__ import annotations

import base64
import io
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import APIClient

from runner.sandbox.images import ImageStore
from tests.conftest import engine_api
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


FLOOD = "#!/bin/sh\nyes https://evil.test/\n"
LIE = """#!/bin/sh
echo '{"python": ["https://*.test/", "https://10.0.0.1/", "https://one.test/"], "github": ["https://evil.test/"]}'
"""


def in_place_of_python(script: str) -> str:
    """A Dockerfile's line that puts `script` where python3 was."""
    coded = base64.b64encode(script.encode()).decode()
    return f"RUN rm /usr/bin/python3 && echo {coded} | base64 -d >/usr/bin/python3 && chmod 755 /usr/bin/python3\n"


@pytest.fixture(scope="module")
def client() -> Iterator[APIClient]:
    from tests.conftest import connect

    client = connect()
    yield client
    client.close()


@pytest.fixture(scope="module")
def base(client: APIClient, tmp_path_factory: pytest.TempPathFactory) -> str:
    return ImageStore(engine_api(), print, state_dir=tmp_path_factory.mktemp("images")).base().name


@pytest.fixture(scope="module")
def images(client: APIClient, base: str) -> Iterator[dict[str, str]]:
    made = {
        "hostile": build(client, f"FROM {base}\nUSER 0\n{HOSTILE}"),
        "no-python": build(client, f"FROM {base}\nUSER 0\nRUN rm -f /usr/bin/python3*\n"),
        "mirrored": build(
            client, f"FROM {base}\nUSER 0\nRUN printf '[global]\\nindex-url=http://mirror.test/x\\n' >/etc/pip.conf\n"
        ),
        "credentials": build(
            client,
            f"FROM {base}\nUSER 0\n"
            "RUN printf '[global]\\nindex-url=https://joe:s3cret@mirror.test/x\\n' >/etc/pip.conf\n",
        ),
        "hanging": build(
            client,
            f"FROM {base}\nUSER 0\nENV PIP_INDEX_URL=http://mirror.test/x\n"
            "RUN printf '#!/bin/sh\\nsleep 1000\\n' >/usr/local/bin/npm && chmod 755 /usr/local/bin/npm\n",
        ),
        "no-manager": build(client, f"FROM {base}\nUSER 0\nRUN rm -f /usr/bin/python3* /usr/bin/apt-get\n"),
        "flooding": build(client, f"FROM {base}\nUSER 0\n{in_place_of_python(FLOOD)}"),
        "lying": build(client, f"FROM {base}\nUSER 0\n{in_place_of_python(LIE)}"),
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
    assert f"paddock image wrap {images[image]}" in done.document["reason"]
    assert done.document["leaks"] == []


def test_no_volume_of_an_image_is_left_behind(
    paddock: Paddock, repository: Path, images: dict[str, str], client: APIClient
) -> None:
    before = {volume["Name"] for volume in client.volumes(filters={"dangling": True})["Volumes"] or ()}
    document = paddock.run(repository, "echo x > /data/x", "--image", images["hostile"])
    after = {volume["Name"] for volume in client.volumes(filters={"dangling": True})["Volumes"] or ()}

    assert document["outcome"] == "no-changes", document["reason"]
    assert after <= before


def explained(paddock: Paddock, image: str) -> str:
    done = paddock("policy", "explain", "python", "--image", image)
    assert done.code == 0, done.err
    return done.out.partition("STANDS FOR\n")[2]


def test_a_mirror_that_an_image_is_set_to_is_what_its_group_stands_for_and_nothing_else(
    paddock: Paddock, images: dict[str, str]
) -> None:
    assert explained(paddock, images["mirrored"]).split() == ["@python", "mirror.test:80"]


def test_an_image_that_lies_about_its_registries_adds_plain_names_alone(
    paddock: Paddock, images: dict[str, str]
) -> None:
    group, *left_out = explained(paddock, images["lying"]).splitlines()
    assert group.split() == ["@python", "one.test"]
    assert [line.split('"')[1] for line in left_out] == ["*.test", "10.0.0.1"]


def test_no_password_of_a_registry_is_kept_or_shown(paddock: Paddock, images: dict[str, str]) -> None:
    assert explained(paddock, images["credentials"]).split() == ["@python", "mirror.test"]
    assert not [path for path in paddock.state.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]


def test_a_tool_that_never_ends_is_left_out_and_the_others_are_not(paddock: Paddock, images: dict[str, str]) -> None:
    assert explained(paddock, images["hanging"]).split() == ["@python", "mirror.test:80"]


def test_a_group_asked_from_an_image_without_python_says_how_to_add_it(
    paddock: Paddock, repository: Path, images: dict[str, str]
) -> None:
    done = paddock("run", repository, "--json", "--policy", "python", "--image", images["no-python"], "--", "true")
    assert (done.code, done.document["outcome"]) == (30, "refused"), done.err
    assert f"paddock image wrap {images['no-python']}" in done.document["reason"]


def test_an_image_that_floods_the_search_is_refused(paddock: Paddock, images: dict[str, str]) -> None:
    done = paddock("policy", "explain", "python", "--image", images["flooding"])
    assert (done.code, "more than it could have to say" in done.err) == (40, True), done.err


def test_a_wrapped_image_runs_and_is_built_once(
    paddock: Paddock, repository: Path, client: APIClient, base: str
) -> None:
    debian = client.inspect_image(base)["Config"]["Labels"]["paddock.base"]
    first, second = (paddock("image", "wrap", debian) for _ in range(2))
    assert (first.code, second.out) == (0, first.out), first.err
    assert "Building" not in second.err
    tag = first.out.strip()
    try:
        assert paddock.run(repository, "command -v python3", "--image", tag)["outcome"] == "no-changes"
    finally:
        assert paddock("image", "rm", tag).code == 0


@pytest.mark.parametrize(
    ("image", "why"),
    [("empty", "no such file"), ("no-manager", "There is no apt-get, apk, microdnf, dnf or zypper in this image.")],
)
def test_an_image_that_cannot_be_wrapped_says_why_and_what_to_do(
    image: str, why: str, paddock: Paddock, images: dict[str, str]
) -> None:
    done = paddock("image", "wrap", images[image])
    assert done.code == 40
    assert f"python3 could not be added to {images[image]}" in done.err
    assert why in done.err
    assert f"begins with: FROM {images[image]}" in done.err


def test_a_wrapped_image_that_has_pip_knows_where_its_index_keeps_files(
    paddock: Paddock, client: APIClient, base: str
) -> None:
    plain = build(client, f"FROM {base}\nUSER 0\nRUN rm /usr/local/share/paddock/registries.json\n")
    tag = ""
    try:
        tag = paddock("image", "wrap", plain).out.strip()
        assert explained(paddock, tag) == explained(paddock, base)
    finally:
        for image in (tag, plain):
            client.remove_image(image, force=True)
