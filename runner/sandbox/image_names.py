"""Names of shipped images: `claude`, `go+node`, `claude+python`; which parts a name is made of, one on the other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from runner.errors import ImageError
from runner.escape import escape_text
from runner.sandbox.build_context import ContextFile, content_digest, read_context
from runner.sandbox.pins import Pin, pinned_files, read_pins

BASE = "base"
FOUNDATIONS = frozenset({BASE, "wrap"})
"""Folders of images that are no parts: what everything stands on, and what mends an image of others."""
STACKS = "stacks"
DOWNLOADERS = {"npm": "node", "pypi": BASE}
"""The image that has the client of an ecosystem."""
TOOLS_ARGUMENT = re.compile(r"^ARG TOOLS$", re.MULTILINE)


class Step(NamedTuple):
    """One image of a chain: what is added, and what it is called with all that it stands on."""

    part: str
    title: str
    """`claude-python`: of its tag, `paddock/claude-python:...`."""
    folder: Path
    pin: Pin | None

    @property
    def tools(self) -> str:
        """The shipped image with which its Dockerfile fetches packages, to copy from it what is used; often none."""
        if self.pin is None or not TOOLS_ARGUMENT.search((self.folder / "Dockerfile").read_text()):
            return ""
        return DOWNLOADERS[self.pin.ecosystem]

    @property
    def files(self) -> tuple[ContextFile, ...]:
        """All that it is built from: its folder, and the lock files that its pin becomes."""
        pinned = pinned_files(self.pin) if self.pin else ()
        return tuple(sorted((*read_context(self.folder, ()), *pinned)))


class ImageParts:
    """The parts that there are in the folder of shipped images: agents, and stacks of tools for a language."""

    def __init__(self, images: Path) -> None:
        self._images = images

    @cached_property
    def agents(self) -> tuple[str, ...]:
        """Each agent has a folder."""
        return tuple(name for name in _with_dockerfile(self._images) if name not in FOUNDATIONS)

    @cached_property
    def stacks(self) -> tuple[str, ...]:
        """Each stack has a folder in `stacks/`."""
        return _with_dockerfile(self._images / STACKS)

    @cached_property
    def pins(self) -> Mapping[str, Pin]:
        """See `read_pins`."""
        return read_pins(self._images)

    @property
    def names(self) -> tuple[str, ...]:
        """Every image that has a folder, the base first."""
        return (BASE, *self.stacks, *self.agents)

    def has(self, name: str) -> bool:
        """Whether it is an image that we build, parts and all; "" is the base."""
        return all(part in self.names for part in (name or BASE).split("+"))

    def steps(self, name: str) -> tuple[Step, ...] | None:
        """The images from the base to `name`; none for the base itself, and `None` for no shipped name.

        Raises `ImageError` for a name with "+", which nothing but a shipped name has, of which a part is unknown.
        """
        asked = name.split("+")
        unknown = [part for part in asked if part not in self.names]
        if not unknown:
            return self._chain(frozenset(asked) - {BASE})
        if "+" not in name:
            return None
        told = ", ".join(escape_text(part) or "nothing" for part in unknown)
        raise ImageError(f"The image {escape_text(name)} is made of parts, and {told} is none.", hint=self.advice())

    def tag(self, step: Step, below: str) -> str:
        """`paddock/TITLE:<12 hex>`: changes with what the step is built from, on and with; `below` is an id."""
        tools = [content_digest(each.files) for each in (self.steps(step.tools) or () if step.tools else ())]
        return f"paddock/{step.title}:{content_digest(step.files, below, *tools)}"

    def advice(self) -> str:
        """What can be asked for."""
        return f"There are: {BASE}; agents: {', '.join(self.agents)}; stacks: {', '.join(self.stacks)}."

    def _chain(self, asked: frozenset[str]) -> tuple[Step, ...]:
        """Stacks first, then agents, each in the order of the alphabet: equal names share what they stand on."""
        wanted = asked | self._needed(asked)
        parts = [name for name in (*self.stacks, *self.agents) if name in wanted]
        return tuple(self._step(part, parts[: index + 1]) for index, part in enumerate(parts))

    def _step(self, part: str, made: list[str]) -> Step:
        """The last one of `made`. What an agent's image always stands on is no part of the title."""
        agents = [name for name in made if name in self.agents]
        stacks = [name for name in made if name in self.stacks and name not in self._needed(agents)]
        folder = self._images / (STACKS if part in self.stacks else "") / part
        return Step(part, "-".join([*agents, *stacks]), folder, self.pins.get(part))

    def _needed(self, parts: Iterable[str]) -> frozenset[str]:
        return frozenset(self.pins[part].on for part in parts if part in self.pins) - {""}


def _with_dockerfile(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.parent.name for path in folder.glob("*/Dockerfile")))
