"""What a devcontainer.json says of its image; all that it would have run or changed on a host is left aside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.errors import RepositoryError
from runner.escape import escape_text
from runner.repo.jsonc import JsoncError, parse_jsonc

SILENT = frozenset({"$schema", "name", "image", "build", "customizations"})
"""Keys that are acted on, or that say nothing to a sandbox."""
MOST_NAMED = 12

# https://github.com/distribution/reference: a registry with a port, a path, a tag, a digest. Never an option.
_REFERENCE = re.compile(
    r"(?:[a-zA-Z0-9][a-zA-Z0-9.-]{0,200}(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", re.ASCII)
_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
MOST_REFERENCE = 512
MOST_VALUE = 4096


@dataclass(frozen=True, kw_only=True)
class Devcontainer:
    """Either `image`, or `dockerfile` with what its build is given; neither, where the file describes no image."""

    image: str = ""
    dockerfile: str = ""
    """A path from the folder of the file."""
    context: str = "."
    target: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


def parse_devcontainer(data: bytes, place: str) -> Devcontainer:
    """The parts of `data` that describe an image. Raises `RepositoryError` that names `place` and the key."""
    try:
        document = parse_jsonc(data)
    except JsoncError as error:
        raise _refused(place, str(error)) from None
    if not isinstance(document, dict):
        raise _refused(place, "it is not an object")
    ignored = [key for key in document if key not in SILENT]
    image, build = document.get("image"), document.get("build")
    if image is not None and build is not None:
        raise _refused(place, "it has both image and build, which are two images")
    if image is not None:
        return Devcontainer(image=_reference(image, place), ignored=_named(ignored))
    if build is None:
        return Devcontainer(ignored=_named(ignored))
    if not isinstance(build, dict):
        raise _refused(place, "build is not an object")
    known = {"dockerfile", "context", "args", "target"}
    ignored += [f"build.{key}" for key in build if key not in known]
    return Devcontainer(
        dockerfile=_text(build, "dockerfile", place),
        context=_text({"context": ".", **build}, "context", place),
        target=_target(build, place),
        arguments=_arguments(build.get("args", {}), place),
        ignored=_named(ignored),
    )


def _text(build: Mapping[str, Any], key: str, place: str) -> str:
    value = build.get(key)
    if not isinstance(value, str) or not value or len(value) > MOST_VALUE:
        raise _refused(place, f"build.{key} is not a path")
    return _fixed(value, f"build.{key}", place)


def _target(build: Mapping[str, Any], place: str) -> str:
    value = build.get("target", "")
    if value and not (isinstance(value, str) and _TARGET.fullmatch(value)):
        raise _refused(place, "build.target is not the name of a stage")
    return value or ""


def _arguments(value: Any, place: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _refused(place, "build.args is not an object")
    for name, text in value.items():
        if not _ARGUMENT.fullmatch(name):
            raise _refused(place, f"build.args: {escape_text(name[:80])} is not the name of a variable")
        if not isinstance(text, str) or len(text) > MOST_VALUE:
            raise _refused(place, f"build.args.{name} is not a text of at most {MOST_VALUE} characters")
        _fixed(text, f"build.args.{name}", place)
    return dict(value)


def _reference(value: Any, place: str) -> str:
    if not isinstance(value, str) or len(value) > MOST_REFERENCE or not _REFERENCE.fullmatch(value):
        shown = escape_text(value[:80]) if isinstance(value, str) else "it"
        raise _refused(place, f"image: {shown} does not name an image")
    return value


def _fixed(value: str, key: str, place: str) -> str:
    """`value`, which asks for nothing of this machine: `${localEnv:NAME}` would carry its secrets into a build."""
    if "${" in value:
        raise _refused(place, f"{key} asks for a value of this machine ({escape_text(value[:80])})")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _refused(place, f"{key} is not UTF-8 text") from None
    if "\0" in value:
        raise _refused(place, f"{key} contains NUL")
    return value


def _named(keys: list[str]) -> tuple[str, ...]:
    shown = tuple(escape_text(key[:80]) for key in keys[:MOST_NAMED])
    return (*shown, f"{len(keys) - MOST_NAMED} more") if len(keys) > MOST_NAMED else shown


def _refused(place: str, why: str) -> RepositoryError:
    return RepositoryError(f"{place}: {why}.", hint="Correct it, or leave --image repo out.")
