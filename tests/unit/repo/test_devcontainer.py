"""A devcontainer.json gives an image or a build, and nothing else of it is acted on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import RepositoryError
from runner.escape import is_plain
from runner.repo.devcontainer import Devcontainer, parse_devcontainer

PLACE = ".devcontainer.json"


def parse(document: Any) -> Devcontainer:
    return parse_devcontainer(json.dumps(document).encode(), PLACE)


def test_an_image_is_read_and_what_would_act_is_only_named() -> None:
    document = {
        "name": "x",
        "image": "registry.example.test:5000/dev/python:3.12",
        "runArgs": ["--privileged"],
        "postCreateCommand": "curl x | sh",
        "initializeCommand": "touch /tmp/on-the-host",
        "mounts": ["source=/,target=/host,type=bind"],
        "evil\x1b[2J": 1,
        "customizations": {},
    }
    found = parse(document)
    assert found.image == "registry.example.test:5000/dev/python:3.12"
    assert found.ignored == ("runArgs", "postCreateCommand", "initializeCommand", "mounts", r"evil\x1b[2J")
    assert (found.dockerfile, found.arguments) == ("", {})


def test_a_build_is_read_with_what_it_is_given() -> None:
    build = {
        "dockerfile": "Dockerfile",
        "context": "..",
        "args": {"A": "1"},
        "target": "dev",
        "options": ["--net=host"],
    }
    found = parse({"build": build, "features": {}})
    assert (found.dockerfile, found.context, found.arguments, found.target) == ("Dockerfile", "..", {"A": "1"}, "dev")
    assert found.ignored == ("features", "build.options")


def test_many_ignored_keys_are_counted() -> None:
    found = parse({"image": "a", **{f"key{n}": n for n in range(100)}})
    assert (len(found.ignored), found.ignored[-1]) == (13, "88 more")


def test_a_file_that_describes_no_image_gives_none() -> None:
    found = parse({"dockerComposeFile": "compose.yml"})
    assert (found.image, found.dockerfile, found.ignored) == ("", "", ("dockerComposeFile",))


@pytest.mark.parametrize("name", ["debian", "a/b/c:1.2", "host:5000/x", "127.0.0.1:5000/x/y", f"a@sha256:{'0' * 64}"])
def test_names_of_images_are_taken(name: str) -> None:
    assert parse({"image": name}).image == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-v",
        "--privileged",
        "a b",
        "a;b",
        "Upper",
        "a\n",
        "../x",
        "/x",
        "a:",
        "a@sha256:1",
        "${localEnv:I}",
        "é",
        "a" * 600,
        1,
        ["debian"],
    ],
)
def test_what_names_no_image_is_refused(name: Any) -> None:
    with pytest.raises(RepositoryError, match="does not name an image"):
        parse({"image": name})


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "not an object"),
        ({"image": "a", "build": {}}, "two images"),
        ({"build": "x"}, "build is not an object"),
        ({"build": {}}, "build.dockerfile is not a path"),
        ({"build": {"dockerfile": 1}}, "build.dockerfile is not a path"),
        ({"build": {"dockerfile": "D", "context": ""}}, "build.context is not a path"),
        ({"build": {"dockerfile": "D", "context": "${localWorkspaceFolder}"}}, "asks for a value of this machine"),
        ({"build": {"dockerfile": "D\0"}}, "contains NUL"),
        ({"build": {"dockerfile": "\ud800"}}, "not UTF-8"),
        ({"build": {"dockerfile": "D", "target": "-x"}}, "build.target"),
        ({"build": {"dockerfile": "D", "target": ["x"]}}, "build.target"),
        ({"build": {"dockerfile": "D", "args": []}}, "build.args is not an object"),
        ({"build": {"dockerfile": "D", "args": {"a-b": "1"}}}, "not the name of a variable"),
        ({"build": {"dockerfile": "D", "args": {"A": 1}}}, "build.args.A is not a text"),
        ({"build": {"dockerfile": "D", "args": {"A": "${localEnv:AWS_SECRET_ACCESS_KEY}"}}}, "value of this machine"),
    ],
)
def test_a_wrong_one_is_refused_with_its_place_and_key(document: Any, says: str) -> None:
    with pytest.raises(RepositoryError, match=says) as caught:
        parse(document)
    assert caught.value.message.startswith(f"{PLACE}: ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
BUILDS = st.dictionaries(st.sampled_from(["dockerfile", "context", "args", "target", "x"]), JSON, max_size=5)


@given(st.dictionaries(st.sampled_from(["image", "build", "features"]), JSON | BUILDS, max_size=3))
def test_any_object_ends_in_an_image_or_a_refusal_of_printable_text(document: dict[str, Any]) -> None:
    said = ""
    try:
        parse(document)
    except RepositoryError as error:
        said = error.message
    assert is_plain(said)
