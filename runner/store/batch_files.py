"""Reads batch files: TOML, one JSON object a line, or a list of repositories; with the place of every key."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runner.errors import PolicyError, RefusedError, StoreError
from runner.escape import escape_text
from runner.model.batch import MOST_TASKS, BatchFile
from runner.model.wording import dotted
from runner.store.files import read_bounded
from runner.store.policy_errors import MOST_FAULTS, faults_of
from runner.store.policy_text import DEEPEST_KEY, decoded, parsed
from runner.store.toml_lines import KeyPath, line_of, locate

LARGEST_FILE = 16 * 1024 * 1024
LARGEST_PROMPT = 1024 * 1024
HINT = "`paddock batch plan FILE` checks a file and starts nothing"


@dataclass(frozen=True)
class BatchSource:
    """A batch file as it was read, and where everything stands in it."""

    path: Path
    words: BatchFile
    lines: Mapping[KeyPath, int]

    @property
    def folder(self) -> Path:
        """What paths in it are relative to."""
        return Path(os.path.abspath(self.path)).parent  # noqa: PTH100 - resolve() would follow links

    def place(self, path: KeyPath) -> str:
        """`file:line` of a key, or of the nearest thing around it."""
        return f"{escape_text(str(self.path))}:{line_of(self.lines, path)}"

    def fault(self, path: KeyPath, sentence: str) -> str:
        """A sentence with its place and its key."""
        key = f"{dotted(path)}: " if path else ""
        return f"{self.place(path)}: {key}{sentence}"


@dataclass
class PromptFiles:
    """Prompt files, each read once."""

    folder: Path
    home: Path
    _known: dict[str, str] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Relative to the batch file; `~/` is the user's home."""
        return absolute(name, self.folder, self.home)

    def read(self, name: str) -> str:
        """The text. Raises RefusedError."""
        if name not in self._known:
            path = self.path(name)
            try:
                self._known[name] = read_bounded(Path(os.path.realpath(path)), LARGEST_PROMPT).decode()
            except (StoreError, UnicodeDecodeError) as error:
                why = error.message if isinstance(error, StoreError) else "it is not UTF-8 text"
                raise RefusedError(f"the prompt file cannot be used: {why}") from error
        return self._known[name]


def absolute(name: str, folder: Path, home: Path) -> Path:
    """A path of a batch file: relative to its folder, `~/` being the user's home. Links stay."""
    path = home / name[2:] if name.startswith("~/") else Path(name)
    return Path(os.path.abspath(folder / path))  # noqa: PTH100 - resolve() would follow links


def read_batch(path: Path) -> BatchSource:
    """A batch file; `.jsonl` holds one task a line, anything else is TOML. Raises RefusedError: every fault a line."""
    shown = escape_text(str(path))
    try:
        data = read_bounded(Path(os.path.realpath(path)), LARGEST_FILE)
    except StoreError as error:
        raise RefusedError(f"{shown}: the batch file cannot be used: {error.message}") from error
    try:
        text = decoded(path, data)
        if path.suffix == ".jsonl":
            return _of_lines(path, text)
        values, lines = parsed(path, text), locate(text)
    except PolicyError as error:
        raise RefusedError(error.message, hint=error.hint or HINT) from error
    return _validated(path, values, lines)


def repos_from(path: Path, defaults: Mapping[str, Any]) -> BatchSource:
    """A batch of one task for each repository of a list, one a line; `#` begins a comment. Raises RefusedError."""
    shown = escape_text(str(path))
    try:
        text = decoded(path, read_bounded(Path(os.path.realpath(path)), LARGEST_FILE))
    except StoreError as error:
        raise RefusedError(f"{shown}: the list of repositories cannot be used: {error.message}") from error
    numbered = ((number, line.partition(" #")[0].strip()) for number, line in enumerate(text.splitlines(), 1))
    found = [(number, line) for number, line in numbered if line and not line.startswith("#")]
    if not found:
        raise RefusedError(f"{shown}:1: there is no repository in it", hint="Write one path or URL on each line.")
    values = {"defaults": dict(defaults), "tasks": [{"repo": repo} for _, repo in found]}
    return _validated(path, values, {("tasks", index): number for index, (number, _) in enumerate(found)})


def _of_lines(path: Path, text: str) -> BatchSource:
    tasks: list[Any] = []
    lines: dict[KeyPath, int] = {}
    faults = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            lines["tasks", len(tasks)] = number
            tasks.append(_object(line))
        except ValueError as error:
            faults.append(f"{escape_text(str(path))}:{number}: this is not a JSON object: {escape_text(str(error))}")
    refuse(faults)
    return _validated(path, {"tasks": tasks}, lines)


def _object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except RecursionError:
        raise ValueError(f"it is nested more than {DEEPEST_KEY} deep") from None
    if not isinstance(value, dict):
        raise ValueError("a line is one task, in braces")
    return value


def _validated(path: Path, values: Mapping[str, Any], lines: Mapping[KeyPath, int]) -> BatchSource:
    try:
        source = BatchSource(path, BatchFile.model_validate(values), lines)
    except ValidationError as error:
        shown = BatchSource(path, BatchFile(), lines)
        refuse(shown.fault(fault.path, fault.sentence) for fault in faults_of(error, BatchFile))
        raise
    if len(source.words.tasks) > MOST_TASKS:
        raise RefusedError(f"{escape_text(str(path))}: more than {MOST_TASKS} tasks; split it")
    return source


def refuse(faults: Iterable[str]) -> None:
    """Raises RefusedError with all faults, in the order of their places; none, no error."""
    found = sorted(dict.fromkeys(faults), key=_by_place)
    if found:
        more = [f"and {len(found) - MOST_FAULTS} more"] if len(found) > MOST_FAULTS else []
        raise RefusedError("\n".join([*found[:MOST_FAULTS], *more]), hint=HINT)


def _by_place(fault: str) -> tuple[str, int]:
    file, _, rest = fault.partition(":")
    number = rest.partition(":")[0]
    return file, int(number) if number.isdigit() else 0
