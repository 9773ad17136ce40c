"""Finds out which tasks a task needs: by their names, by the name of a group, or by a glob of names. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from runner.model.wording import quoted


class Wanted(NamedTuple):
    """A task, and what it says it needs."""

    name: str
    group: str
    repo: str
    needs: tuple[str, ...]


def name_needs(tasks: Sequence[Wanted]) -> tuple[list[tuple[str, ...]], list[tuple[int, str]]]:
    """The names that each task needs, and what is wrong: the task's number, and a sentence.

    A task that is one of a group needs of another group the one on its own repository; a task that stands alone
    needs all of it.
    """
    needs, faults = [], []
    for index, task in enumerate(tasks):
        found: dict[str, None] = {}
        for wanted in task.needs:
            members = list(_meant(wanted, task, tasks))
            if not members:
                faults.append((index, _unknown(wanted, task, tasks)))
            found.update(dict.fromkeys(members))
        needs.append(tuple(found))
    return needs, faults + _circles(tasks, needs)


def _meant(wanted: str, task: Wanted, tasks: Sequence[Wanted]) -> Iterator[str]:
    others = [other for other in tasks if other.name != task.name]
    if exact := [other for other in others if other.name == wanted]:
        return iter(other.name for other in exact)
    group = [other for other in others if other.group == wanted]
    if task.group:
        group = [other for other in group if other.repo == task.repo and other.group != task.group]
    if group or not any(sign in wanted for sign in "*?["):
        return iter(other.name for other in group)
    return iter(other.name for other in others if fnmatchcase(other.name, wanted))


def _unknown(wanted: str, task: Wanted, tasks: Sequence[Wanted]) -> str:
    import difflib  # for a mistake alone

    if wanted in {task.name, task.group}:
        return f"{quoted(wanted)} is this task itself"
    names = dict.fromkeys([*(other.name for other in tasks), *(other.group for other in tasks if other.group)])
    close = difflib.get_close_matches(wanted[:64], list(names), n=1, cutoff=0.6)
    return f"there is no task {quoted(wanted)}" + (f"; did you mean {quoted(close[0])}?" if close else "")


def _circles(tasks: Sequence[Wanted], needs: Sequence[tuple[str, ...]]) -> list[tuple[int, str]]:
    numbers = {task.name: index for index, task in enumerate(tasks)}
    try:
        TopologicalSorter({task.name: names for task, names in zip(tasks, needs, strict=True)}).prepare()
    except CycleError as error:
        circle = [str(name) for name in reversed(error.args[1])]
        return [(numbers[circle[0]], f"these tasks wait for each other: {' -> '.join(circle)}")]
    return []
