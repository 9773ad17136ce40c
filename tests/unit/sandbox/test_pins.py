"""Versions are pinned in one place, whole, without an address; they become lock files that npm and pip accept."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest

from runner.errors import ImageError
from runner.sandbox.pins import Pin, pinned_files, read_pins
from runner.shipped import shipped

IMAGES = shipped("images")
PINS = read_pins(IMAGES)
LOCKED = sorted(name for name, pin in PINS.items() if pin.locked)
HASHED = sorted(name for name, pin in PINS.items() if not pin.locked)
DIGEST = base64.b64encode(bytes(64)).decode()


def locked(image: str) -> dict[str, str]:
    """Package -> version."""
    lines = (IMAGES / image / "requirements.lock").read_text().splitlines()
    return {
        name: version for name, version in (re.findall(r"^([\w.-]+)==(\S+)", line)[0] for line in lines if "==" in line)
    }


@pytest.mark.parametrize("image", HASHED)
def test_every_pin_has_whole_hashes_of_its_ecosystem(image: str) -> None:
    pin = PINS[image]
    shape = r"sha512-[A-Za-z0-9+/]{86}==" if pin.ecosystem == "npm" else r"sha256:[0-9a-f]{64}"

    assert pin.hashes
    assert [each for each in pin.hashes.values() if not re.fullmatch(shape, each)] == []


@pytest.mark.parametrize("image", LOCKED)
def test_a_lock_file_has_the_version_that_is_pinned(image: str) -> None:
    assert locked(image)[PINS[image].package] == PINS[image].version


@pytest.mark.parametrize("image", LOCKED)
def test_a_lock_file_has_what_the_pin_adds_and_nothing_that_it_leaves_out(image: str) -> None:
    assert set(locked(image)) >= set(PINS[image].also)
    assert set(locked(image)).isdisjoint(PINS[image].without)


@pytest.mark.parametrize("image", LOCKED)
def test_every_package_of_a_lock_file_has_a_hash(image: str) -> None:
    entries = re.split(r"\n(?=[\w])", (IMAGES / image / "requirements.lock").read_text().strip())

    assert len(entries) > 10
    assert [entry for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)] == []


def test_no_image_names_a_registry() -> None:
    """Neither an address in a lock file nor one in a Dockerfile."""
    files = [
        path for path in IMAGES.rglob("*") if path.is_file() and path.name not in {"find-registries", "make-debian"}
    ]
    texts = {path.relative_to(IMAGES).as_posix(): path.read_text() for path in files}

    assert {name for name, text in texts.items() if re.search(r"https?://|resolved", text)} == set()


def test_a_pin_for_npm_becomes_a_lock_file_that_takes_the_package_of_this_processor() -> None:
    pin = Pin(
        ecosystem="npm",
        package="@maker/tool",
        version="1.2.3",
        file="@maker/tool@{version}-linux-{cpu}",
        hashes={"x64": f"sha512-{DIGEST}", "arm64": "sha512-other"},
    )
    lock, project = pinned_files(pin)

    assert (lock.path, project.path) == ("package-lock.json", "package.json")
    asked = {"program-x64": "npm:@maker/tool@1.2.3-linux-x64", "program-arm64": "npm:@maker/tool@1.2.3-linux-arm64"}
    assert json.loads(project.data)["optionalDependencies"] == asked
    packages = json.loads(lock.data)["packages"]
    assert packages[""] == json.loads(project.data)
    assert packages["node_modules/program-x64"] == {
        "name": "@maker/tool",
        "version": "1.2.3-linux-x64",
        "integrity": f"sha512-{DIGEST}",
        "optional": True,
        "cpu": ["x64"],
    }


def test_a_package_for_every_processor_is_asked_for_without_one() -> None:
    pin = Pin(ecosystem="npm", package="@maker/tool", version="1.2.3", hashes={"any": f"sha512-{DIGEST}"})
    packages = json.loads(pinned_files(pin)[0].data)["packages"]

    assert packages["node_modules/program-any"]["name"] == "@maker/tool"
    assert packages["node_modules/program-any"]["version"] == "1.2.3"
    assert "cpu" not in packages["node_modules/program-any"]


def test_a_pin_for_pip_becomes_one_line_with_all_hashes() -> None:
    pin = Pin(ecosystem="pypi", package="tool", version="1.2.3", hashes={"x64": "sha256:aa", "arm64": "sha256:bb"})
    (lock,) = pinned_files(pin)

    assert (lock.path, lock.data) == ("requirements.lock", b"tool==1.2.3 --hash=sha256:aa --hash=sha256:bb\n")


def test_a_pin_with_a_lock_file_of_its_own_adds_none() -> None:
    assert pinned_files(Pin(ecosystem="pypi", package="tool", version="1.2.3", locked=True)) == ()


@pytest.mark.parametrize("text", ["[a", "[a]\necosystem = 'cargo'", "[a]\nunknown = 1", "a = 1"])
def test_pins_that_cannot_be_read_are_told_with_their_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "pins.toml").write_text(text)

    with pytest.raises(ImageError, match=r"pins\.toml cannot be used"):
        read_pins(tmp_path)
