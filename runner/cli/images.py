"""`paddock image ...`."""

from __future__ import annotations

from runner.cli.terminal import answer, say, table
from runner.escape import escape_text
from runner.sandbox.docker_engine import DockerEngine
from runner.sandbox.images import ImageStore
from runner.settings import load_settings


def build_image() -> None:
    """Build the base image now."""
    answer(_store().build("base").name)


def wrap_image(name: str) -> None:
    """Build an image that has python3 from one that has not; its tag."""
    answer(_store().wrap(name).name)


def list_images() -> None:
    """Tag, size, age."""
    rows = [(image.tag, f"{image.bytes / 1e6:.0f} MB", image.created) for image in _store().list()]
    for line in table(("TAG", "SIZE", "CREATED"), rows):
        answer(line)


def remove_images(tags: list[str]) -> None:
    """Remove images by tag."""
    store = _store()
    for tag in tags:
        store.remove(tag)
        answer(f"removed {escape_text(tag)}")


def _store() -> ImageStore:
    settings = load_settings()
    return DockerEngine(settings.engine, state_dir=settings.state_dir, progress=say).images
