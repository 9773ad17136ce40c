"""The table of `paddock batch plan`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from runner.batch.check import Demand, Room
from runner.cli.terminal import styled, table
from runner.model.batch import Batch, Item
from runner.model.quantities import format_size
from runner.repo.urls import is_url, parse_url

HEADER = ("TASK", "REPOSITORY", "AGENT", "POLICY", "ATTEMPTS", "NEEDS", "CPUS", "MEMORY", "CHECK")
MOST_WORDS = 40
GIB = 1024**3


def plan_lines(batch: Batch, demands: Sequence[Demand], room: Room) -> Iterator[str]:
    """Every task, and what they come to."""
    header, *lines = table(HEADER, (cells_of(item, demand) for item, demand in zip(batch.items, demands, strict=True)))
    yield styled(header, bold=True)
    yield from lines
    runs = sum(item.attempts for item in batch.items)
    repos = len({item.work.task.repo for item in batch.items})
    yield ""
    yield f"{len(batch.items)} tasks, {runs} runs, {repos} repositories"
    most = max(demands, key=lambda each: (each.cpus, each.memory))
    fit = max(1, min(int(room.cpus / most.cpus), room.memory // most.memory))
    yield f"{room.cpus:g} CPUs and {room.memory / GIB:.1f} GiB may be handed out: {fit} of the largest fit at one time"
    for provider, bound in room.providers.items():
        yield f"{provider}: {bound} at one time"


def cells_of(item: Item, demand: Demand) -> tuple[str, ...]:
    """One line."""
    task = item.work.task
    return (
        item.name,
        shown_repo(task.repo),
        " ".join(filter(None, (task.agent, task.model))),
        task.policy,
        str(item.attempts),
        ",".join(item.needs) or "-",
        f"{demand.cpus:g}",
        format_size(demand.memory),
        task.check[:MOST_WORDS] or "-",
    )


def shown_repo(repo: str) -> str:
    """A repository without credentials."""
    return parse_url(repo).url if is_url(repo) else repo


def plan_document(batch: Batch, demands: Sequence[Demand]) -> str:
    """All of it, for programs."""
    tasks = [
        {
            **item.model_dump(mode="json", exclude={"work"}),
            "repo": shown_repo(item.work.task.repo),
            "agent": item.work.task.agent,
            "prompt": item.work.task.prompt,
            "argv": item.work.task.argv,
            "policy": item.work.task.policy,
            "check": item.work.task.check,
            "cpus": demand.cpus,
            "memory": demand.memory,
            "provider": demand.provider,
        }
        for item, demand in zip(batch.items, demands, strict=True)
    ]
    return json.dumps({"version": 1, "file": batch.file, "tasks": tasks}, indent=2)
