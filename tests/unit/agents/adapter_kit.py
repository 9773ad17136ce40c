"""What the tests of agent adapters share: an assignment, recorded output, and a reader fed with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.agents.base import Api, Assignment, Reader
from runner.agents.providers import PROVIDERS
from runner.model.activity import Activity
from runner.model.task import Task

STREAMS = Path(__file__).parent / "streams"


def api(provider: str) -> Api:
    known = PROVIDERS[provider]
    return Api(provider=provider, url=known.url.replace("https:", "http:"), variable=known.keys[0].variable)


def assignment(provider: str = "anthropic", prompt: str = "fix it", **changes: Any) -> Assignment:
    return Assignment(task=Task(repo="/repo", prompt=prompt), api=api(provider), **changes)


def read(reader: Reader, data: bytes) -> list[Activity]:
    return [activity for line in data.splitlines() for activity in reader.read(line)]


def recorded(reader: Reader, name: str) -> list[Activity]:
    return read(reader, (STREAMS / name).read_bytes())
