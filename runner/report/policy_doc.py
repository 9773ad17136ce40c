"""The reference page of policies: its table comes from the model, so that no field can be missing from it."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticUndefined

from runner.model.base import Record
from runner.model.policy import Policy
from runner.model.quantities import Duration, Size

EXAMPLE = """\
description = "Package registries and one host; two CPUs; one hour."
extends = "offline"                 # a shipped preset or a file
artifacts = ["report.md", "out/*.png"]

[network]
mode = "allow"                      # "none" (default) | "allow" | "open"
allow = ["@python", "github.com", "*.example.com", "db.example.com:5432"]
deny = ["gist.github.com"]          # deny beats allow
upload_limit = "50MiB"

[[network.inject]]                  # the sandbox holds a placeholder, the gateway the value
host = "api.anthropic.com"
header = "x-api-key"
secret = "ANTHROPIC_API_KEY"        # a name, never the value

[[mounts]]
source = "~/datasets/imagenet-mini"
target = "/data"
mode = "ro"                         # "ro" (default) | "rw"

[[caches]]
name = "uv"
target = "/home/agent/.cache/uv"

[limits]
memory = "8GiB"
wall_clock = "1h30m"

[sandbox]
env = { CI = "1" }

[workspace]
history = "branch"                  # "branch" (default) | "full" | "shallow"
include = [".env.example"]
"""

_PROSE = """\
# Policies

A policy is a TOML file that says what a sandbox may do. It is closed unless it says otherwise: an empty file is a
policy with no network, no mounts and every limit on. `paddock policy list` names the shipped ones, `paddock policy
check FILE` reads one without starting anything, `paddock policy explain FILE` shows the file and line of every
value, and `paddock policy schema` prints a JSON Schema for editors.

A key that this version cannot enforce yet is refused when a run is planned, never ignored.

## Example

```toml
{example}```

## All keys

{table}

Sizes have a unit: `B`, `KiB`, `MiB`, `GiB`, `TiB`, or `KB`, `MB`, `GB`, `TB` for powers of ten. Durations are written
like `90s`, `15m`, `1h30m`, `1d`. A bare number has no unit and is refused.

## Extending another policy

`extends` names a shipped preset, or a file relative to the one that extends it (a name with `/` or `.toml`). The file
that extends is laid over what it extends:

- tables merge key by key, `[sandbox.env]` too: a key that is written replaces the inherited one, the others stay;
- lists and arrays of tables (`allow`, `[[mounts]]`, `[[caches]]`, `[[network.inject]]`) are replaced as a whole, so an
  inherited list is emptied by `allow = []`, and nothing is ever added to a list behind your back;
- at most eight files in a row, and no circles.

The result is validated once and hashed; the digest stands in every run's result.

## What bounds a policy

A repository's own `.paddock/policy.toml` and an administrator's `/etc/paddock/ceiling.toml` tighten the policy that was
chosen, in the keys that they write: [trust.md](trust.md) says how two policies meet, and how a repository's own can be
trusted and chosen. `paddock policy explain FILE --repo REPO` shows what is in force, and by which line of which file;
`paddock policy show` prints a policy as its own files say it.

## Artifacts

Files that are no commits, such as a report or screenshots, are handed over where `artifacts` names them, at the top of
the file. `*` and `?` stay within a name, `**` stands for folders at any depth, a folder means every file in it.
[Artifacts and records](records.md) says what comes, what does not, and where it is.

## Names of hosts

`name` means port 443 and `name:80` plain HTTP on port 80. `*.name` means every sub-domain of the name, not the name
itself. Capitals and a trailing dot make no difference. Refused: `*`, a whole top-level domain (`*.com`, `*.co.uk`), a
parent below which anybody can have a host, addresses in any spelling, schemes, paths, user names, and letters outside
ASCII, which can look like others; write the `xn--` form of such a name.

## Mounts

A source is absolute, begins with `~/`, or is relative to the policy file. It must exist. All symlinks are resolved
first, and the real path is refused when it is, contains or lies below a system directory, credentials such as
`~/.ssh`, Paddock's own state, or the `.git` of the repository at work; when it is or contains the engine's socket or
the policy itself; and when it is a home directory or a directory above one. Targets that would cover what makes the
sandbox (`/etc`, `/proc`, `/workspace`, programs ...) are refused, and so are targets within each other.
"""

_EXTENDS = (
    "extends",
    "text",
    "",
    "A shipped preset's name, or a policy file, that this file is laid over. Gone once a policy is loaded.",
)


@dataclass(frozen=True)
class _Row:
    key: str
    kind: str
    default: str
    meaning: str


def policy_page() -> str:
    """The whole of `docs/policies.md`."""
    return _PROSE.format(example=EXAMPLE, table=policy_table())


def policy_table() -> str:
    """A Markdown table of every key of a policy file: type, default and meaning, in the order of the schema."""
    rows = list(_rows(Policy, Policy().model_dump(mode="json"), ""))
    rows.insert(1, _Row(*_EXTENDS))
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for row in rows:
        default = f"`{row.default}`" if row.default else ""
        lines.append(f"| `{row.key}` | {row.kind} | {default} | {row.meaning} |")
    return "\n".join(lines)


def _rows(model: type[Record], defaults: dict[str, Any] | None, prefix: str) -> Iterator[_Row]:
    hints = typing.get_type_hints(model, include_extras=True)
    for name, field in model.model_fields.items():
        hint, key = hints[name], prefix + name
        if isinstance(hint, type) and issubclass(hint, Record):
            yield from _rows(hint, defaults[name] if defaults else None, f"{key}.")
        elif element := _element_record(hint):
            yield _Row(f"[[{key}]]", "tables", "", field.description or "")
            yield from _rows(element, None, f"{key}[].")
        else:
            if defaults is not None:
                default = _as_toml(defaults[name])
            else:
                default = "" if field.default is PydanticUndefined else _as_toml(field.default)
            yield _Row(key, _kind(hint), default, field.description or "")


def _as_toml(value: Any) -> str:
    return "unset" if value is None else json.dumps(value)


def _element_record(hint: Any) -> type[Record] | None:
    arguments = typing.get_args(hint)
    element = arguments[0] if typing.get_origin(hint) is tuple and arguments else None
    return element if isinstance(element, type) and issubclass(element, Record) else None


def _kind(hint: Any) -> str:  # noqa: PLR0911 - one line for each kind of type
    """A type in the words of somebody who writes the file."""
    for known, word in ((Size, "size"), (Duration, "duration")):
        if _metadata(known) <= _metadata(hint):
            return word
    if typing.get_origin(hint) is typing.Annotated:
        return _kind(typing.get_args(hint)[0])
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(f"`{json.dumps(choice)}`" for choice in typing.get_args(hint))
    if typing.get_origin(hint) is types.UnionType:
        return _kind(typing.get_args(hint)[0])
    if typing.get_origin(hint) is tuple:
        return "list of texts"
    if typing.get_origin(hint) is dict:
        return "table of texts"
    return {str: "text", bool: "`true` or `false`", int: "whole number", float: "number"}[hint]


def _metadata(hint: Any) -> set[int]:
    """Nested `Annotated` types are flattened: what made a type a size is still among its metadata."""
    return {id(item) for item in getattr(hint, "__metadata__", ())}
