"""One build by the engine: a context goes in, progress comes out, and each of its errors is an `ImageError`."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import NamedTuple

from runner.escape import escape_text
from runner.sandbox.build_context import ContextFile, context_archive
from runner.sandbox.debian_base import Progress
from runner.sandbox.docker_api import EngineApi
from runner.sandbox.docker_sdk import sdk
from runner.sandbox.image_errors import checked, image_door

STEP_WIDTH = 100
BUILD_SILENCE_SECONDS = 600
"""The longest that one step of a build may say nothing."""

_ASIDE = re.compile(r"\s*--->|Removing intermediate container")
"""What the engine itself says between the lines of a build."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Recipe(NamedTuple):
    """All that decides what comes out of a build, and what it is then called."""

    tag: str
    files: Sequence[ContextFile]
    arguments: Mapping[str, str]
    labels: Mapping[str, str]


def build(api: EngineApi, progress: Progress, recipe: Recipe) -> None:
    """Build an image of ours. Raises `ImageError` with what was said last."""
    what, tail = f"build {recipe.tag}", deque[str](maxlen=8)
    with image_door(what), sdk(api) as client:
        steps = client.build(
            fileobj=BytesIO(context_archive(recipe.files)),
            custom_context=True,
            tag=recipe.tag,
            buildargs=dict(recipe.arguments),
            labels=dict(recipe.labels),
            rm=True,
            forcerm=True,
            decode=True,
            timeout=BUILD_SILENCE_SECONDS,
        )
        for said in steps:
            message = checked(said, what, hint=f"It said last: {' / '.join(tail)}")
            for line in filter(str.strip, str(message.get("stream", "")).splitlines()):
                if not _ASIDE.match(line):
                    tail.append(escape_text(_COLOUR.sub("", line.strip()))[:STEP_WIDTH])
                if line.startswith("Step "):
                    progress(" ".join(line.split())[:STEP_WIDTH])
