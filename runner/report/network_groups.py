"""What the groups in a policy's lists stand for, entry by entry. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from runner.model.destinations import parse_destination
from runner.model.policy import Network

HEADER = ("GROUP", "STANDS FOR")


def groups_in(network: Network) -> tuple[str, ...]:
    """The groups that `allow` and `deny` name, without `@`, each once, in their order."""
    entries = map(parse_destination, (*network.allow, *network.deny))
    return tuple(dict.fromkeys(entry.name for entry in entries if entry.kind == "group"))


def unknown_groups(network: Network, known: Collection[str]) -> tuple[str, ...]:
    """The groups of `network` that nobody defines."""
    return tuple(group for group in groups_in(network) if group not in known)


def group_cells(
    network: Network, groups: Mapping[str, Collection[str]], from_image: Collection[str]
) -> Iterator[tuple[str, str]]:
    """The cells below `HEADER`. A group in `from_image` that `groups` does not have is known to its image alone."""
    for group in groups_in(network):
        if group in groups:
            entries = tuple(groups[group]) or ("nothing: the image has no such tool, or none with a registry",)
        elif group in from_image:
            entries = ("what the image's own tools are set to use: add --image base, or another one",)
        else:
            entries = ("no group is called this, and a run would be refused",)
        for index, entry in enumerate(entries):
            yield "" if index else f"@{group}", entry
