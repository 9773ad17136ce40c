"""Loads a policy by preset name or path: reads it and what it extends, merges, validates, and knows every origin."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runner.errors import PolicyError
from runner.model.base import Record
from runner.model.policy import Policy
from runner.model.policy_file import PolicyFile, Role
from runner.model.wording import dotted, quoted
from runner.shipped import shipped
from runner.store.policy_errors import faults_of
from runner.store.policy_text import Document, read_document
from runner.store.toml_lines import line_of

LONGEST_CHAIN = 8
"""Files in one chain of `extends`, the first one included."""

_PRESET = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
_NOT_POLICIES = frozenset({"groups"})  # policies/groups.toml holds lists of names

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Origin:
    """Where a value was written."""

    file: str
    line: int
    commit: str = ""
    instead: str = ""
    """What stood there before a bound tightened it, and where that was written."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" + (f" at {self.commit[:12]}" if self.commit else "")
        return place + (f", tightened from {self.instead}" if self.instead else "")


@dataclass(frozen=True)
class LoadedPolicy:
    """A policy with its history: `sources` by dotted key (`limits.memory`, `mounts[0].target`), `files` child first."""

    policy: Policy
    name: str
    sources: Mapping[str, Origin]
    files: tuple[Path, ...]
    """Files of this machine."""
    written: frozenset[str] = frozenset()
    """Keys that a file wrote, as in `limits.memory` or `mounts`; all else is a default."""
    evidence: tuple[PolicyFile, ...] = ()
    """Every file that had a say, with its digest."""
    notices: tuple[str, ...] = ()
    """What its user has to know of it."""


@dataclass(frozen=True)
class ExplainRow:
    """One effective value as a policy file would write it, and `file:line` or `default`."""

    key: str
    value: str
    origin: str


@dataclass
class _Merged:
    """Tables merged so far, and the origin of every key path in them."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[KeyPath, Origin] = field(default_factory=dict)

    def lay_over(self, document: Document) -> None:
        """Puts a child's keys over its parent's: tables merge key by key, everything else replaces."""
        self._merge(self.values, document.values, (), document)

    def _merge(self, under: dict[str, Any], over: Mapping[str, Any], path: KeyPath, document: Document) -> None:
        for key, value in over.items():
            here = (*path, key)
            origin = Origin(document.shown, line_of(document.lines, here), document.commit)
            if isinstance(value, dict) and isinstance(under.get(key), dict):
                self._merge(under[key], value, here, document)
                continue
            if key in under:
                for stale in (here, *_paths_in(under[key], here)):
                    self.origins.pop(stale, None)
            under[key] = _copied(value)
            self.origins[here] = origin
            for inner in _paths_in(value, here):
                self.origins[inner] = replace(origin, line=line_of(document.lines, inner))

    def origin_of(self, path: KeyPath) -> Origin | None:
        """Where `path` or its nearest parent was written."""
        while path and path not in self.origins:
            path = path[:-1]
        return self.origins.get(path)


def load_policy(name_or_path: str, *, home: Path, extra_dirs: Sequence[Path] = ()) -> LoadedPolicy:
    """The policy called `name_or_path`: a preset's name, or a path (it contains `/` or ends in `.toml`).

    Shipped presets come first, then `<name>.toml` in `extra_dirs`, in order. `home` is what `~/` means.
    Raises PolicyError: `file:line: key: sentence`, one line for each thing that is wrong.
    """
    first = read_document(_find(name_or_path, None, home, extra_dirs), home=home)
    return load_document(first, home=home, extra_dirs=extra_dirs)


def load_document(
    first: Document, *, home: Path, extra_dirs: Sequence[Path] = (), role: Role = "policy"
) -> LoadedPolicy:
    """The policy of a file that has been read, and of all that it extends. Raises PolicyError.

    One that only bounds others, whose role is not `policy`, may list denials without a mode.
    """
    chain = _chain(first, home, extra_dirs)
    merged = _Merged()
    for document in reversed(chain):
        merged.lay_over(document)
    values = merged.values if role == "policy" else _with_mode(merged.values)
    try:
        policy = Policy.model_validate(values)
    except ValidationError as error:
        raise _policy_error(error, merged, first) from None
    return LoadedPolicy(
        policy,
        first.path.stem,
        sources={dotted(path): origin for path, origin in merged.origins.items()},
        files=tuple(document.path for document in chain if not document.commit),
        written=frozenset(_short(path) for path in merged.origins),
        evidence=tuple(
            PolicyFile(role=role, file=each.shown, digest=each.digest, commit=each.commit) for each in chain
        ),
    )


def _with_mode(values: dict[str, Any]) -> dict[str, Any]:
    """A bound's denials and upload limit say something of every mode, so they need none of their own."""
    network = values.get("network")
    if not isinstance(network, dict) or not network.keys().isdisjoint({"mode", "allow", "private", "inject"}):
        return values
    return {**values, "network": {**network, "mode": "open"}}


def _short(path: KeyPath) -> str:
    """The key that a path is or lies in, of those that bind: `limits.memory`, `sandbox.env`, `mounts`."""
    return ".".join(itertools.takewhile(lambda part: isinstance(part, str), path[:2]))  # type: ignore[arg-type]


def list_policies(extra_dirs: Sequence[Path] = ()) -> list[tuple[str, str]]:
    """Every preset that can be asked for by name, sorted, with the description in its own file."""
    return [(name, _description_in(path)) for name, path in sorted(_presets(extra_dirs).items())]


def explain(loaded: LoadedPolicy) -> list[ExplainRow]:
    """Every effective value with the file and line that set it, in the order of the schema."""
    written = loaded.policy.model_dump(mode="json")
    rows = []
    for path, value in _leaves(loaded.policy, written, ()):
        origin = loaded.sources.get(dotted(path))
        rows.append(ExplainRow(dotted(path), as_toml(value), str(origin) if origin else "default"))
    return rows


def _chain(first: Document, home: Path, extra_dirs: Sequence[Path]) -> list[Document]:
    """The file and all that it extends, child first."""
    chain = [first]
    seen: set[str] = set()
    while (parent := (document := chain[-1]).extends) is not None:
        if not document.commit:
            seen.add(os.path.realpath(document.path))
        place = f"{document.shown}:{line_of(document.lines, ('extends',))}: extends"
        if document.presets_alone and _is_path(parent):
            raise PolicyError(f"{place}: {quoted(parent)} is a path, and this file may extend presets alone")
        path = _find(parent, (document.path, place), home, extra_dirs)
        if os.path.realpath(path) in seen:
            raise PolicyError(f"{place}: {quoted(parent)} leads back to a file that this one is extended by")
        if len(chain) == LONGEST_CHAIN:
            raise PolicyError(f"{place}: more than {LONGEST_CHAIN} files extend each other; put some of them together")
        chain.append(read_document(path, home=home))
    return chain


def _is_path(name: str) -> bool:
    return "/" in name or name.endswith(".toml")


def _find(name: str, child: tuple[Path, str] | None, home: Path, extra_dirs: Sequence[Path]) -> Path:
    """The file that `name` means; `child` is the file that extends it, and where in it that stands."""
    prefix = f"{child[1]}: " if child else ""
    if "\0" in name:
        raise PolicyError(f"{prefix}{quoted(name)} is neither a preset's name nor a path")
    if _is_path(name):
        path = home / name[2:] if name.startswith("~/") else Path(name)
        path = child[0].parent / path if child else path
        if child and not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for an over-long name
            raise PolicyError(
                f"{prefix}{quoted(name)} does not exist", hint=f"it was looked for at {quoted(str(path))}"
            )
        return path
    presets = _presets(extra_dirs)
    if name in presets:
        return presets[name]
    import difflib  # for a mistake alone

    close = difflib.get_close_matches(name.lower()[:64], presets, n=1, cutoff=0.6)
    guess = f"; did you mean {quoted(close[0])}?" if close else ""
    raise PolicyError(
        f"{prefix}no policy is called {quoted(name)}{guess}",
        hint=f'presets: {", ".join(sorted(presets))}; a file is named with a "/" or ".toml", like "./{name[:40]}.toml"'
        if _PRESET.fullmatch(name)
        else f'presets: {", ".join(sorted(presets))}; a file is named with a "/" or ".toml"',
    )


def _presets(extra_dirs: Sequence[Path]) -> dict[str, Path]:
    """Shipped ones win: a name like `offline` means the same on every machine."""
    found: dict[str, Path] = {}
    for folder in (shipped("policies"), *extra_dirs):
        for path in sorted(folder.glob("*.toml")):
            if _PRESET.fullmatch(path.stem) and path.stem not in _NOT_POLICIES:
                found.setdefault(path.stem, path)
    return found


def _description_in(path: Path) -> str:
    try:
        description = read_document(path, home=path.parent).values.get("description", "")
    except PolicyError as error:
        return f"cannot be used: {error.message}"
    return description if isinstance(description, str) else ""


def _policy_error(error: ValidationError, merged: _Merged, first: Document) -> PolicyError:
    told = []
    for fault in faults_of(error):
        origin = merged.origin_of(fault.path) or Origin(first.shown, 1)
        key = f"{dotted(fault.path)}: " if fault.path else ""
        told.append((origin.file != first.shown, origin.file, origin.line, f"{origin}: {key}{fault.sentence}"))
    lines = [line for *_, line in sorted(told)]
    return PolicyError(
        "\n".join(dict.fromkeys(lines)), hint="`paddock policy show offline` prints a policy that is right"
    )


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def _paths_in(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    pairs: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    for key, inner in pairs:
        yield (*path, key)
        yield from _paths_in(inner, (*path, key))


def _leaves(model: Record, written: Mapping[str, Any], path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    for name in type(model).model_fields:
        yield from _leaves_of(getattr(model, name), written[name], (*path, name))


def _leaves_of(value: Any, written: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, Record):
        yield from _leaves(value, written, path)
    elif isinstance(value, tuple) and value and isinstance(value[0], Record):
        for index, element in enumerate(value):
            yield from _leaves(element, written[index], (*path, index))
    elif isinstance(value, dict) and value:
        for key in sorted(value):
            yield (*path, key), written[key]
    else:
        yield path, written


def as_toml(value: Any) -> str:
    """A value as a policy file would write it."""
    return "unset" if value is None else json.dumps(value)
