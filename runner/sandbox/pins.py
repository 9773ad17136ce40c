"""Pinned packages: what `images/pins.toml` says, and the lock files that it becomes in an image's build context.

No address is in them: npm and pip ask the registries that they are set to, and take what has the hash.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from runner.errors import ImageError
from runner.model.base import Record
from runner.sandbox.build_context import ContextFile

PINS = "pins.toml"
Processor = Literal["x64", "arm64", "any"]


class Pin(Record):
    """One package that an image is made from; the fields are explained in `images/pins.toml`."""

    ecosystem: Literal["npm", "pypi"]
    package: str
    version: str
    file: str = ""
    hashes: dict[Processor, str] = {}
    locked: bool = False
    also: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    on: str = ""

    def file_for(self, processor: Processor) -> tuple[str, str]:
        """Name and version of the package that is fetched for a processor."""
        spelled = self.file.format(version=self.version, cpu=processor) or f"{self.package}@{self.version}"
        name, _, version = spelled.rpartition("@")
        return name, version


def read_pins(images: Path) -> Mapping[str, Pin]:
    """The pins by image. Raises `ImageError` when the file is missing or wrong: the installation is incomplete."""
    try:
        tables = tomllib.loads((images / PINS).read_text())
        return {name: Pin.model_validate(table) for name, table in tables.items()}
    except (OSError, ValueError, ValidationError) as error:
        raise ImageError(f"{images / PINS} cannot be used: {error}", hint="Install Paddock again.") from error


def pinned_files(pin: Pin) -> tuple[ContextFile, ...]:
    """The files from which the client of the pin's ecosystem installs just that; none where the folder has them."""
    if pin.ecosystem == "npm":
        return _npm_files(pin)
    if pin.locked:
        return ()
    hashes = " ".join(f"--hash={each}" for each in pin.hashes.values())
    return (_text("requirements.lock", f"{pin.package}=={pin.version} {hashes}\n"),)


def _npm_files(pin: Pin) -> tuple[ContextFile, ...]:
    """`npm ci` takes these two; the package of this processor then lies in `node_modules/program-CPU`."""
    asked, packages = {}, {}
    for processor, integrity in pin.hashes.items():
        name, version = pin.file_for(processor)
        asked[f"program-{processor}"] = f"npm:{name}@{version}"
        entry: dict[str, object] = {"name": name, "version": version, "integrity": integrity, "optional": True}
        packages[f"node_modules/program-{processor}"] = entry | ({} if processor == "any" else {"cpu": [processor]})
    project = {"name": "image", "version": "0.0.0", "optionalDependencies": asked}
    lock = {**project, "lockfileVersion": 3, "requires": True, "packages": {"": project, **packages}}
    return (
        _text("package-lock.json", json.dumps(lock, indent=1)),
        _text("package.json", json.dumps(project, indent=1)),
    )


def _text(path: str, text: str) -> ContextFile:
    return ContextFile(path, 0o644, text.encode())
