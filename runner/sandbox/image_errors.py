"""What the engine says of images: each of its errors, also one in the middle of its progress, is an `ImageError`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from runner.errors import EngineError, EngineUnavailableError, ImageError
from runner.escape import escape_text
from runner.sandbox.docker_errors import translated

MAX_REASON = 1000


@contextmanager
def image_door(what: str, *, hint: str = "") -> Iterator[None]:
    """Every refusal inside is an `ImageError("Docker could not WHAT: ...")`; no engine is `EngineUnavailableError`."""
    try:
        with translated(what):
            yield
    except (ImageError, EngineUnavailableError):
        raise
    except EngineError as error:
        raise ImageError(error.message, hint=hint or error.hint) from error


def checked(said: str | Mapping[str, Any], what: str, *, hint: str = "") -> Mapping[str, Any]:
    """One progress message of the engine; raises `ImageError` when it says that the work failed.

    The engine answers 200 before it begins, so an error can come at any later line.
    """
    message: Mapping[str, Any] = json.loads(said.splitlines()[-1]) if isinstance(said, str) else said
    if "error" in message:
        raise ImageError(
            f"Docker could not {what}: {escape_text(str(message['error']).strip())[:MAX_REASON]}", hint=hint
        )
    return message
