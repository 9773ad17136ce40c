"""Reads one policy file: a small, regular UTF-8 file of TOML, with the line of every key."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.errors import PolicyError
from runner.escape import escape_text
from runner.model.policy_file import digest_of
from runner.model.wording import quoted
from runner.store.toml_lines import KeyPath, line_of, locate, too_deep_at

LARGEST_FILE = 256 * 1024
DEEPEST_KEY = 16

_BOM = b"\xef\xbb\xbf"
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_TABLE = re.compile(r"\(('[^()]*'),?\)")
_HINTS = (
    ("Cannot overwrite a value", "this key stands here for the second time"),
    ("Cannot declare", "this table stands here for the second time; put its keys together"),
    ("Cannot mutate immutable", "a table in braces is finished where it is written"),
    ("Invalid value", 'texts need quotes, and yes or no is written as true or false: name = "text"'),
    ("Expected '='", 'a line is either a [table] or a key with a value: key = "value"'),
    ("Illegal character", "is a closing quote missing?"),
    ("Unterminated", "is a closing quote missing?"),
    ("Unclosed", "is a closing bracket missing?"),
    ("Expected newline or end of document", "texts need quotes, and there is one key on each line"),
    ("Invalid statement", 'a line is either a [table] or a key with a value: key = "value"'),
)


@dataclass(frozen=True)
class Document:
    """One file as it stands: mount sources made absolute, `extends` taken out of the values."""

    path: Path
    values: Mapping[str, Any]
    lines: Mapping[KeyPath, int]
    extends: str | None
    digest: str = ""
    commit: str = ""
    """The commit that it stands in; empty for a file of this machine."""
    presets_alone: bool = False
    """Whether it may extend presets alone: where no path in it means anything, or nobody looked at what it names."""

    @property
    def shown(self) -> str:
        """The path as messages show it."""
        return escape_text(str(self.path))


def read_document(path: Path, *, home: Path, presets_alone: bool = False) -> Document:
    """Reads and parses `path`. Raises PolicyError: `file:line: sentence`."""
    data = _content(path)
    document = _document(path, data)
    values = _with_absolute_sources(document.values, path.resolve().parent, home)
    return replace(document, values=values, presets_alone=presets_alone)


def document_of_commit(path: str, data: bytes, commit: str) -> Document:
    """Parses a file of a commit, whose mounts have to be absolute. Raises PolicyError: `file:line: sentence`."""
    return replace(_document(Path(path), data), commit=commit, presets_alone=True)


def _document(path: Path, data: bytes) -> Document:
    text = decoded(path, data)
    values = parsed(path, text)
    lines = locate(text)
    extends = values.pop("extends", None)
    if extends is not None and not (isinstance(extends, str) and extends):
        place = f"{escape_text(str(path))}:{line_of(lines, ('extends',))}: extends"
        raise PolicyError(f'{place}: must be the name of a preset or a file, in quotes, like "offline"')
    return Document(path, values, lines, extends, digest_of(data))


def _content(path: Path) -> bytes:
    shown = escape_text(str(path))
    try:
        # Not blocking: opening a FIFO would otherwise wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        hint = "`paddock policy list` names the presets"
        raise PolicyError(f"{shown}: there is no such policy file", hint=hint) from None
    except OSError as error:
        raise PolicyError(f"{shown}: cannot be read: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise PolicyError(f"{shown}: is not a regular file; a policy is a file of TOML text")
        data = os.read(descriptor, LARGEST_FILE + 1)  # one read is whole for a regular file of this size
    except OSError as error:
        raise PolicyError(f"{shown}: cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    if len(data) > LARGEST_FILE:
        raise PolicyError(f"{shown}: is larger than {LARGEST_FILE // 1024} KiB, which no policy needs")
    return data


def decoded(path: Path, data: bytes) -> str:
    """The text of a file that was read. Raises PolicyError: `file:line: sentence`."""
    if data.startswith(_BOM):
        raise PolicyError(f"{escape_text(str(path))}:1: begins with a byte-order mark; save it as UTF-8 without BOM")
    try:
        # As tomllib.load does: a file saved on Windows has the same lines.
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyError(
            f"{escape_text(str(path))}:{line}: is not UTF-8; byte {data[error.start]:#04x} is no text in it"
        ) from None


def parsed(path: Path, text: str) -> dict[str, Any]:
    """The values of a text in TOML. Raises PolicyError: `file:line: sentence`."""
    if line := too_deep_at(text, DEEPEST_KEY):
        raise PolicyError(f"{escape_text(str(path))}:{line}: keys and brackets are nested more than {DEEPEST_KEY} deep")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(path, text, str(error)) from None
    except (ValueError, RecursionError):
        # Not TOML's own error: Python refuses whole numbers of more than 4300 digits.
        raise PolicyError(f"{escape_text(str(path))}:1: holds a number or a nesting that cannot be read") from None


def _syntax_error(path: Path, text: str, message: str) -> PolicyError:
    place = _PLACE.search(message)
    line = int(place[1]) if place and place[1] else max(1, len(text.rstrip("\n").split("\n")))
    reason = message[: place.start()] if place else message
    hint = next((hint for opening, hint in _HINTS if reason.startswith(opening)), "")
    return PolicyError(
        f"{escape_text(str(path))}:{line}: this is not TOML: {_printable(reason)}" + (f" ({hint})" if hint else "")
    )


def _printable(text: str) -> str:
    text = _TABLE.sub(lambda match: f"[{match[1].replace(chr(39), '').replace(', ', '.')}]", text)
    return text if text.isascii() and text.isprintable() and len(text) <= 200 else quoted(text)


def _with_absolute_sources(values: Mapping[str, Any], folder: Path, home: Path) -> Mapping[str, Any]:
    """Mount sources as absolute paths; whatever is not a text is left for the validation to refuse."""
    mounts = values.get("mounts")
    if not isinstance(mounts, list):
        return values
    return {**values, "mounts": [_with_absolute_source(mount, folder, home) for mount in mounts]}


def _with_absolute_source(mount: Any, folder: Path, home: Path) -> Any:
    if not isinstance(mount, dict) or not isinstance(source := mount.get("source"), str):
        return mount
    if source == "~" or source.startswith("~/"):
        return {**mount, "source": str(home) + source[1:]}
    if not source or source.startswith(("/", "~")):
        return mount
    # Leading "../" may be taken off by text, because `folder` has no symlinks left; one further in may not.
    while source.split("/", 1)[0] in (".", ".."):
        first, _, source = source.partition("/")
        source = source.lstrip("/")
        folder = folder.parent if first == ".." else folder
    return {**mount, "source": str(folder / source)}
