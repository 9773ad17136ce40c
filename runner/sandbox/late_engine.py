"""An engine whose modules are loaded when it is first asked: a run asks beside its look at the repository."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from runner.model.spec import ImageRef, SandboxSpec
from runner.sandbox.engine import Box, Engine, EngineFacts, Found, ImageFacts

if TYPE_CHECKING:
    from runner.model.offer import Offer

FRESH = 5.0
"""It changes with the engine's settings, when the engine starts; what they allow is proved in each sandbox anew."""


class LateEngine:
    """The `Engine` that `make` gives. Bad input is told without waiting for it."""

    def __init__(self, make: Callable[[], Engine]) -> None:
        self._make = make
        self._told: tuple[float, EngineFacts] | None = None

    @cached_property
    def _engine(self) -> Engine:
        return self._make()

    def facts(self) -> EngineFacts:
        """See `Engine.facts`. What was told within `FRESH` seconds is told again: the tasks of a batch all ask."""
        told, now = self._told, time.monotonic()
        if told is None or now - told[0] > FRESH:
            self._told = told = (now, self._engine.facts())
        return told[1]

    def image(self, name: str) -> ImageFacts:
        """See `Engine.image`."""
        return self._engine.image(name)

    def offered(self, offer: Offer, parts: str = "") -> ImageFacts:
        """See `Engine.offered`."""
        return self._engine.offered(offer, parts)

    def registries(self, image: ImageRef) -> Mapping[str, tuple[str, ...]]:
        """See `Engine.registries`."""
        return self._engine.registries(image)

    def create(self, spec: SandboxSpec, secrets: Mapping[str, str]) -> Box:
        """See `Engine.create`."""
        return self._engine.create(spec, secrets)

    def open(self, container: str) -> Box:
        """See `Engine.open`."""
        return self._engine.open(container)

    def find(self, *, run: str = "", state: str = "") -> list[Found]:
        """See `Engine.find`."""
        return self._engine.find(run=run, state=state)
