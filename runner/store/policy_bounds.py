"""Policies that bound others: an administrator's ceiling and a repository's own, and what they make of a policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.errors import PolicyError, RefusedError, StoreError
from runner.escape import escape_text
from runner.model.base import Record
from runner.model.meet import every_key, meet
from runner.model.meet_network import Groups
from runner.model.policy import Policy
from runner.model.policy_file import PolicyFile
from runner.store.owned import refuse_others
from runner.store.policy_files import LoadedPolicy, Origin, as_toml, load_document
from runner.store.policy_text import document_of_commit, read_document

GRANTING = (
    "artifacts",
    "mounts",
    "caches",
    "network.inject",
    "sandbox.env",
    "sandbox.runtime",
    "sandbox.writable_root",
    "workspace.include",
)
"""Keys that only give something: of a repository nobody trusts they are left alone, but for an empty list or false."""
SHORTEST_LIST = 3


@dataclass(frozen=True)
class Bound:
    """A policy that bounds others, in the keys that it wrote."""

    loaded: LoadedPolicy
    shown: str
    """Where it stands, for messages."""
    left_alone: tuple[str, ...] = ()
    """Keys that it wrote and that do not count."""

    @property
    def keys(self) -> frozenset[str]:
        """The keys that bind."""
        return self.loaded.written - set(self.left_alone)

    @property
    def of_repository(self) -> bool:
        """Whether it is a repository's, and not the administrator's."""
        return self.loaded.evidence[0].role == "repository"


def load_ceiling(path: Path, *, home: Path) -> Bound:
    """The administrator's file. It may extend presets alone.

    Raises `RefusedError` for a file that somebody else could have written, that cannot be read or is not there: a
    bound that cannot be relied upon is no reason to run without one.
    """
    try:
        refuse_others(path.parent, folder=True, why=_OTHERS)
        refuse_others(path, folder=False, why=_OTHERS)
    except StoreError as error:
        raise RefusedError(f"The ceiling is not to be relied upon: {error.message}.", hint=_OTHERS) from error
    loaded = load_document(read_document(path, home=home, presets_alone=True), home=home, role="ceiling")
    return Bound(loaded, escape_text(str(path)))


_OTHERS = "A ceiling is relied upon as long as its owner alone can write it: root, or whoever runs Paddock."


def load_of_commit(path: str, data: bytes, commit: str, *, home: Path) -> LoadedPolicy:
    """A policy file of a commit, to be used as a policy. Raises `PolicyError`."""
    loaded = load_document(document_of_commit(path, data, commit), home=home)
    return replace(loaded, evidence=tuple(_of_repository(each) for each in loaded.evidence))


def _of_repository(each: PolicyFile) -> PolicyFile:
    return each.model_copy(update={"role": "repository"}) if each.commit else each


def bound_of_commit(path: str, data: bytes, commit: str, *, home: Path) -> Bound:
    """A policy file of a commit, which nobody trusts. Raises `PolicyError`."""
    loaded = load_document(document_of_commit(path, data, commit), home=home, role="repository")
    granted = (key for key in GRANTING if key in loaded.written and _grants(loaded.policy, key))
    return Bound(loaded, f"{escape_text(path)} at {commit[:12]}", tuple(granted))


def _grants(policy: Policy, key: str) -> bool:
    value = value_of(policy, key)
    return bool(value) and value != value_of(Policy(), key)


def tighten(loaded: LoadedPolicy, bound: Bound, groups: Groups) -> LoadedPolicy:
    """The policy within the bound. Every value that it changes has its place in the bounding file from then on.

    Raises `PolicyError` where the two have nothing in common.
    """
    keys = bound.keys
    mode = bound.loaded.policy.network.mode if "network.mode" in keys else "open"
    if "none" in {mode, loaded.policy.network.mode}:
        keys -= _BUDGET  # without a network nothing is spent, and nobody could count it
    try:
        policy = meet(loaded.policy, bound.loaded.policy, keys, groups)
    except ValueError as error:
        place = _place_in(bound, "sandbox.runtime")
        raise PolicyError(f"{place}: sandbox.runtime: {error}", hint="Choose a policy with the same runtime.") from None
    changed = tightened_keys(loaded.policy, policy)
    sources = {key: origin for key, origin in loaded.sources.items() if _short(key) not in changed}
    for key in changed:
        origin = _place_in(bound, key)
        before = replace(origin, instead=_before(loaded, key))
        sources |= dict.fromkeys(_leaf_keys(policy, key), before)
    return replace(
        loaded,
        policy=policy,
        sources=sources,
        evidence=(*loaded.evidence, *bound.loaded.evidence),
        notices=(*loaded.notices, *_notices(bound, changed)),
    )


_BUDGET = frozenset({"limits.tokens", "limits.cost_usd"})


def _notices(bound: Bound, changed: tuple[str, ...]) -> Iterator[str]:
    if changed:
        yield f"{bound.shown} tightens {', '.join(changed)}; `paddock policy explain` shows from what."
    if bound.left_alone:
        yield (
            f"{bound.shown}: {', '.join(bound.left_alone)} would give something, and count only in a policy that you "
            "trust and choose: paddock trust, then --policy repo."
        )


def tightened_keys(before: Policy, after: Policy) -> tuple[str, ...]:
    """The keys whose values differ, in the order of the schema."""
    return tuple(key for key in every_key() if value_of(before, key) != value_of(after, key))


def value_of(policy: Policy, key: str) -> Any:
    """The value of `limits.memory`."""
    found: Any = policy
    for name in key.split("."):
        found = getattr(found, name)
    return found


def _place_in(bound: Bound, key: str) -> Origin:
    """Where a bound says it: the key itself, or the mode, with which all of the network binds."""
    sources = bound.loaded.sources
    section = key.partition(".")[0]
    candidates = (key, "network.deny" if key == "network.inject" else "", "network.mode", section)
    found = (sources[each] for each in candidates if each in sources and each.partition(".")[0] == section)
    return next(found, Origin(bound.loaded.evidence[0].file, 1, bound.loaded.evidence[0].commit))


def _short(key: str) -> str:
    """`mounts` of `mounts[0].target`, `sandbox.env` of `sandbox.env.CI`."""
    return ".".join(key.partition("[")[0].split(".")[:2])


def _leaf_keys(policy: Policy, key: str) -> Iterator[str]:
    """The key itself, and the beginnings of all that its tables hold."""
    yield key
    value = value_of(policy, key)
    if isinstance(value, Mapping):
        yield from (f"{key}.{name}" for name in value)
    elif isinstance(value, tuple) and value and isinstance(value[0], Record):
        for index, element in enumerate(value):
            yield from (f"{key}[{index}].{name}" for name in type(element).model_fields)


def _before(loaded: LoadedPolicy, key: str) -> str:
    """A value as it was, and where that was written."""
    section, _, name = key.partition(".")
    written = loaded.policy.model_dump(mode="json", include={section})[section]
    value = written[name] if name else written
    text = f"{len(value)} entries" if isinstance(value, list | dict) and len(value) > SHORTEST_LIST else as_toml(value)
    origin = loaded.sources.get(key)
    return f"{text} ({origin or 'default'})"
