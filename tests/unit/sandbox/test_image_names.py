"""A name of shipped parts is a chain of images, the same one however it is written; any other name is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import ImageError
from runner.sandbox.image_names import ImageParts
from runner.shipped import shipped

PINS = """
[alpha]
ecosystem = "npm"
package = "alpha"
version = "1.0"
hashes.any = "sha512-aaaa"
[needy]
ecosystem = "npm"
package = "needy"
version = "1.0"
hashes.any = "sha512-bbbb"
on = "node"
[node]
ecosystem = "pypi"
package = "node"
version = "1.0"
hashes.x64 = "sha256:cccc"
[snake]
ecosystem = "pypi"
package = "snake"
version = "1.0"
hashes.x64 = "sha256:dddd"
"""


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for name in ("base", "wrap", "alpha", "needy", "snake", "stacks/go", "stacks/node"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\n")
    for name in ("alpha", "needy", "stacks/node"):
        (tmp_path / name / "Dockerfile").write_text("ARG BASE\nARG TOOLS\nFROM ${TOOLS} AS package\nFROM ${BASE}\n")
    (tmp_path / "pins.toml").write_text(PINS)
    return tmp_path


def titles(images: Path, name: str) -> list[str] | None:
    steps = ImageParts(images).steps(name)
    return None if steps is None else [step.title for step in steps]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("base", []),
        ("alpha", ["alpha"]),
        ("go", ["go"]),
        ("node+go", ["go", "go-node"]),
        ("alpha+go", ["go", "alpha-go"]),
        ("go+alpha", ["go", "alpha-go"]),
        ("base+alpha", ["alpha"]),
        ("alpha+alpha", ["alpha"]),
        ("alpha+snake", ["alpha", "alpha-snake"]),
        ("needy", ["node", "needy"]),
        ("needy+node", ["node", "needy"]),
        ("needy+go", ["go", "go-node", "needy-go"]),
        ("alpha+needy", ["node", "alpha-node", "alpha-needy"]),
    ],
)
def test_a_name_is_a_chain_of_stacks_and_then_agents(name: str, expected: list[str], images: Path) -> None:
    assert titles(images, name) == expected


@pytest.mark.parametrize(
    "name", ["debian:bookworm", "python", "stacks/go", "wrap", "alpha:latest", "paddock/alpha", ".."]
)
def test_a_name_that_is_not_made_of_shipped_parts_is_left_to_docker(name: str, images: Path) -> None:
    assert titles(images, name) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [("alpha+cobol", "cobol is none"), ("alpha+", "nothing is none"), ("a+\x1bb", r"a, \\x1bb is none")],
)
def test_a_name_with_an_unknown_part_is_refused_with_the_parts_that_there_are(
    name: str, told: str, images: Path
) -> None:
    with pytest.raises(ImageError, match=told) as caught:
        ImageParts(images).steps(name)
    assert caught.value.hint == "There are: base; agents: alpha, needy, snake; stacks: go, node."


@pytest.mark.parametrize(("name", "tools"), [("alpha", "node"), ("node", "base"), ("snake", ""), ("go", "")])
def test_what_is_only_downloaded_is_fetched_with_another_image(name: str, tools: str, images: Path) -> None:
    steps = ImageParts(images).steps(name)

    assert steps is not None
    assert steps[-1].tools == tools


def test_a_new_version_of_a_pin_changes_the_tag_and_that_of_no_other_image(images: Path) -> None:
    before = {name: tag(images, name) for name in ("alpha", "needy", "go")}
    (images / "pins.toml").write_text(
        PINS.replace('package = "alpha"\nversion = "1.0"', 'package = "alpha"\nversion = "1.1"')
    )
    after = {name: tag(images, name) for name in before}

    assert [name for name in before if before[name] != after[name]] == ["alpha"]


def test_another_program_to_download_with_changes_the_tags_of_what_it_downloads(images: Path) -> None:
    before = {name: tag(images, name) for name in ("alpha", "snake", "go")}
    (images / "stacks/node/more").touch()
    after = {name: tag(images, name) for name in before}

    assert [name for name in before if before[name] != after[name]] == ["alpha"]


def test_the_tag_changes_with_the_image_below(images: Path) -> None:
    assert tag(images, "go", "sha256:one") != tag(images, "go", "sha256:two")
    assert tag(images, "go").startswith("paddock/go:")


def tag(images: Path, name: str, below: str = "sha256:below") -> str:
    parts = ImageParts(images)
    steps = parts.steps(name)
    assert steps
    return parts.tag(steps[-1], below)


def test_every_shipped_part_has_one_name_and_every_pin_a_part() -> None:
    parts = ImageParts(shipped("images"))

    assert {"claude", "codex", "gemini", "opencode", "aider", "mini"} <= set(parts.agents)
    assert set(parts.stacks) == {"python", "node", "go", "rust", "java"}
    assert len(parts.names) == len(set(parts.names))
    assert set(parts.pins) <= set(parts.names)
    assert {pin.on for pin in parts.pins.values()} - {""} <= set(parts.stacks)


@pytest.mark.parametrize("name", ImageParts(shipped("images")).names[1:])
def test_every_shipped_dockerfile_is_built_on_what_it_is_given_and_ends_without_root(name: str) -> None:
    steps = ImageParts(shipped("images")).steps(name)
    assert steps
    lines = (steps[-1].folder / "Dockerfile").read_text().splitlines()
    final = lines[lines.index("FROM ${BASE}") :]

    assert [
        line for line in lines if line.startswith("FROM ") and not line.startswith(("FROM ${BASE}", "FROM ${TOOLS}"))
    ] == []
    assert [line for line in final if line.startswith("USER ")][-1:] in ([], ["USER 1000:1000"])
    assert f"LABEL paddock.image={name}" in final
