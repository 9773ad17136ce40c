"""The meet of two policies: what both of them allow, key by key. A policy that bounds another one binds by it. Pure.

Only keys that the bounding file writes bind. `docs/trust.md` has the same table in words.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from runner.model.base import Record
from runner.model.meet_network import Groups, meet_networks
from runner.model.policy import Cache, Limits, Policy, PolicyMount
from runner.model.wording import quoted

HISTORY = ("shallow", "branch", "full")
"""From the least to the most."""
Section = TypeVar("Section", bound=Record)


def meet(mine: Policy, bound: Policy, written: Collection[str], groups: Groups) -> Policy:
    """What `mine` allows and `bound` does not forbid; never more than `mine`, nor than `bound` in what it writes.

    `written` are the keys of `bound` that bind, as in `limits.memory`; `groups` are what shipped groups stand for.
    Raises ValueError where two values have nothing in common.
    """
    changes: dict[str, Any] = {"network": meet_networks(mine.network, bound.network, written, groups)}
    for key, both in MEETS.items():
        if key not in written:
            continue
        section, _, name = key.partition(".")
        if not name:
            changes[key] = both(getattr(mine, key), getattr(bound, key))
            continue
        before = changes.get(section, getattr(mine, section))
        value = both(getattr(before, name), getattr(getattr(bound, section), name))
        changes[section] = _with(before, name, value)
    return mine.model_copy(update=changes)


def every_key(model: type[Record] = Policy) -> tuple[str, ...]:
    """All keys that can bind: those of the tables with one level, and those that stand alone."""
    keys = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        inner = kind.model_fields if isinstance(kind, type) and issubclass(kind, Record) else {}
        keys += [f"{name}.{key}" for key in inner] or [name]
    return tuple(keys)


def _with(section: Section, name: str, value: object) -> Section:
    return section.model_copy(update={name: value})


def _least(mine: Any, bound: Any) -> Any:
    """The smaller one; None is no limit."""
    return min((each for each in (mine, bound) if each is not None), default=None)


def _both_true(mine: bool, bound: bool) -> bool:
    return mine and bound


def _less_history(mine: str, bound: str) -> str:
    return min(mine, bound, key=HISTORY.index)


def _runtime(mine: str, bound: str) -> str:
    """Each of the others shields more than runc; of two others neither can stand for the other one."""
    if bound in {mine, "runc"}:
        return mine
    if mine == "runc":
        return bound
    raise ValueError(f"{quoted(mine)} and {quoted(bound)} shield in ways of their own, and neither replaces the other")


def _common(mine: tuple[str, ...], bound: tuple[str, ...]) -> tuple[str, ...]:
    """What both lists say in the same words."""
    there = set(bound)
    return tuple(each for each in mine if each in there)


def _common_variables(mine: Mapping[str, str], bound: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in mine.items() if bound.get(name) == value}


def _every_block(mine: Mapping[str, Any], bound: Mapping[str, Any]) -> dict[str, Any]:
    """A gate can only be made stricter, so that either's word is enough."""
    return {**mine, **bound}


def _mounts(mine: tuple[PolicyMount, ...], bound: tuple[PolicyMount, ...]) -> tuple[PolicyMount, ...]:
    """Mounts of sources that both name, writable where both say so; a folder below another one is another source."""
    writable = {each.source for each in bound if each.mode == "rw"}
    known = {each.source for each in bound}
    kept = (each for each in mine if each.source in known)
    return tuple(each if each.source in writable else each.model_copy(update={"mode": "ro"}) for each in kept)


def _caches(mine: tuple[Cache, ...], bound: tuple[Cache, ...]) -> tuple[Cache, ...]:
    names = {each.name for each in bound}
    return tuple(each for each in mine if each.name in names)


def _either(mine: Mapping[str, str], bound: Mapping[str, str]) -> dict[str, str]:
    """What a table of gates can say only makes them stricter, so both are held."""
    return {**mine, **bound}


MEETS: dict[str, Callable[[Any, Any], Any]] = {
    "artifacts": _common,
    "mounts": _mounts,
    "caches": _caches,
    **{f"limits.{name}": _least for name in Limits.model_fields},
    "sandbox.runtime": _runtime,
    "sandbox.writable_root": _both_true,
    "sandbox.env": _common_variables,
    "workspace.history": _less_history,
    "workspace.include": _common,
    "gates": _either,
}
"""How each key's two values meet; the keys of `network` are one rule together. `description` bounds nothing."""
