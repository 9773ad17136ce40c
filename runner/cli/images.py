"""`paddock image ...`."""

from __future__ import annotations

import json

from runner.cli.terminal import answer, say, table
from runner.escape import escape_text
from runner.sandbox.docker_engine import DockerEngine
from runner.sandbox.images import ImageStore
from runner.sandbox.outdated import Freshness
from runner.settings import load_settings


def build_images(names: list[str], *, every: bool) -> None:
    """Build shipped images now, the base if none is named; the tag of each."""
    store = _store()
    for name in store.names() if every else names or ["base"]:
        answer(store.build(name).name)


def wrap_image(name: str) -> None:
    """Build an image that has python3 from one that has not; its tag."""
    answer(_store().wrap(name).name)


def list_images() -> None:
    """Tag, size, age; a leftover without a tag by its id."""
    rows = [
        (image.tag or image.id.removeprefix("sha256:")[:12], f"{image.bytes / 1e6:.0f} MB", image.created)
        for image in _store().list()
    ]
    for line in table(("TAG", "SIZE", "CREATED"), rows):
        answer(line)


def outdated_images(*, as_json: bool) -> None:
    """Each pinned package, its version, and the newest one."""
    found = _store().freshness()
    if as_json:
        answer(json.dumps([{**each.model_dump(), "outdated": each.outdated} for each in found], indent=2))
        return
    rows = [
        (each.image, escape_text(f"{each.package} ({each.ecosystem})"), each.pinned, escape_text(_newest(each)))
        for each in found
    ]
    for line in table(("IMAGE", "PACKAGE", "PINNED", "NEWEST"), rows):
        answer(line)


def _newest(pin: Freshness) -> str:
    if not pin.newest:
        return "not told"
    return pin.newest if pin.outdated else "the same"


def remove_images(tags: list[str]) -> None:
    """Remove images by tag."""
    store = _store()
    for tag in tags:
        store.remove(tag)
        answer(f"removed {escape_text(tag)}")


def _store() -> ImageStore:
    settings = load_settings()
    return DockerEngine(settings.engine, state_dir=settings.state_dir, progress=say, path_map=settings.path_map).images
