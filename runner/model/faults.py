"""How one validator says several things at once, each with the key that it is about."""

from __future__ import annotations

from pydantic_core import PydanticCustomError

from runner.model.wording import dotted

FAULTS = "paddock_faults"
"""The type of the validation error; its context holds `faults` as they were given."""

Faults = list[tuple[tuple[str | int, ...], str]]
"""Paths relative to what is being validated, and a sentence for each."""


def refuse(faults: Faults) -> None:
    """Raises one validation error for all `faults`; none, no error."""
    if faults:
        text = "; ".join(f"{dotted(path)}: {sentence}" for path, sentence in faults)
        raise PydanticCustomError(FAULTS, "{text}", {"text": text, "faults": faults})
