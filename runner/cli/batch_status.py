"""`paddock batch status`, `logs` and `stop`: what stands in the ledger of a batch."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from runner.batch.carry import events_file
from runner.batch.standing import DIED, TaskState, state_of, task_states
from runner.cli.batch_lines import line_of
from runner.cli.listing import age
from runner.cli.runs import find_run
from runner.cli.terminal import answer, outcome_color, styled, table
from runner.errors import RefusedError, RunNotFoundError
from runner.escape import escape_text
from runner.model.batch_events import BatchEvent
from runner.settings import state_dir
from runner.store.batches import RUNNING, Batches, BatchRow
from runner.store.ledger import LEDGER_NAME

BATCHES = ("BATCH", "STATE", "TASKS", "DONE", "FAILED", "AGE", "FILE")
TASKS = ("TASK", "STATE", "REPOSITORY", "AGENT", "TRIES", "COMMITS", "COST", "RUN")
POLL_SECONDS = 0.5


def open_batches() -> Batches:
    """The batches of this user's state directory; to be used with `with`."""
    return Batches(state_dir() / LEDGER_NAME)


def show_status(prefix: str, *, as_json: bool) -> None:
    """One batch, task by task; or all batches."""
    with open_batches() as batches:
        rows = [batches.find(prefix)] if prefix else list(batches.list())
        found = [(row, task_states(row.id, batches)) for row in rows]
    if as_json:
        documents = [document_of(row, states, tasks=bool(prefix)) for row, states in found]
        answer(json.dumps(documents[0] if prefix else documents, indent=2))
    elif prefix:
        print_tasks(*found[0])
    elif found:
        print_batches(found)
    else:
        answer("No batches yet; `paddock batch plan` looks at a file.")


def print_batches(found: Sequence[tuple[BatchRow, Sequence[TaskState]]]) -> None:
    """One line for each."""
    now = datetime.now(UTC)
    cells = [
        (
            row.id,
            state_of(row),
            str(len(states)),
            str(sum(each.over for each in states)),
            str(sum(each.failed for each in states)),
            age(row.created_at, now),
            row.file,
        )
        for row, states in found
    ]
    header, *lines = table(BATCHES, cells)
    answer(styled(header, bold=True))
    for line in lines:
        answer(line)


def print_tasks(row: BatchRow, states: Sequence[TaskState]) -> None:
    """One line for each task, why some failed, and the sum."""
    header, *lines = table(TASKS, map(cells_of, states))
    answer(styled(header, bold=True))
    for line, each in zip(lines, states, strict=True):
        answer(line.replace(f" {each.word} ", f" {styled(each.word, color=outcome_color(each.word))} ", 1))
    answer()
    for each in states:
        if each.failed and each.best.reason:
            answer(f"{each.task.name}: {escape_text(each.best.reason)}")
    for line in summary_of(row, states):
        answer(line)


def cells_of(state: TaskState) -> tuple[str, ...]:
    """One task's line."""
    best = state.best
    shown = f"{state.cost_usd:.2f}" if state.cost_usd else "-"
    return (
        state.task.name,
        state.word,
        state.task.repo,
        state.task.agent,
        str(state.tries),
        str(best.commits),
        shown,
        best.run or "-",
    )


def summary_of(row: BatchRow, states: Sequence[TaskState]) -> Iterator[str]:
    """What it comes to, and what to do next."""
    failed, over = sum(each.failed for each in states), sum(each.over for each in states)
    cost = sum(each.cost_usd for each in states)
    spent = f", {cost:.2f} USD" if cost else ""
    yield f"{row.id}: {state_of(row)}, {over - failed} of {len(states)} tasks succeeded, {failed} failed{spent}"
    if row.why:
        yield f"why it was stopped: {escape_text(row.why)}"
    if state_of(row) in {DIED, "stopped"} and over < len(states):
        yield f"go on with it: paddock batch resume {row.id}"
    elif over == len(states) and state_of(row) != RUNNING:
        if failed:
            yield f"make the failed ones anew: paddock batch retry {row.id}"
        yield f"look at all of it: paddock batch report {row.id} --output report.html"
        if any(each.best.branch and not each.failed for each in states):
            yield f"take the branches: paddock batch merge {row.id} (or push, or pr)"


def batch_document(row: BatchRow, states: Sequence[TaskState]) -> str:
    """All of it, for programs."""
    return json.dumps(document_of(row, states, tasks=True), indent=2)


def document_of(row: BatchRow, states: Sequence[TaskState], *, tasks: bool) -> dict[str, object]:
    """A batch as a JSON object."""
    document: dict[str, object] = {
        "version": 1,
        "id": row.id,
        "state": state_of(row),
        "why": row.why,
        "file": row.file,
        "digest": row.digest,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
        "total": len(states),
        "over": sum(each.over for each in states),
        "failed": sum(each.failed for each in states),
        "cost_usd": sum(each.cost_usd for each in states),
    }
    return {**document, "tasks": [task_document(each) for each in states]} if tasks else document


def task_document(state: TaskState) -> dict[str, object]:
    """A task as a JSON object."""
    task = state.task
    hidden = {"task", "stop", "failures"}
    attempts = [
        {
            **{name: value for name, value in each._asdict().items() if name not in hidden},
            "ok": bool(each.ok),
            "chosen": bool(each.chosen),
        }
        for each in state.attempts
    ]
    return {
        "name": task.name,
        "state": state.word,
        "ok": state.ok,
        "repo": task.repo,
        "agent": task.agent,
        "needs": json.loads(task.needs),
        "tags": json.loads(task.tags),
        "branch": state.best.branch,
        "run": state.best.run,
        "attempts": attempts,
    }


def print_logs(prefix: str, name: str, *, follow: bool) -> None:
    """What happened in a batch; or what the agent of one task printed."""
    with open_batches() as batches:
        row = batches.find(prefix)
        states = task_states(row.id, batches)
    if name:
        from runner.cli.looking import print_log

        found = [each for each in states if each.task.name == name]
        if not found or not found[0].best.run:
            why = "has no run yet" if found else "is no task of it"
            raise RunNotFoundError(f"{escape_text(name)} {why}.", hint=f"`paddock batch status {row.id}` lists them.")
        print_log(find_run(found[0].best.run)[0].id, follow=follow)
        return
    for event in events_of(row, follow=follow):
        answer(f"{event.at}  {line_of(event)}")


def events_of(row: BatchRow, *, follow: bool) -> Iterator[BatchEvent]:
    """Every event that was kept, and with `follow` those that come."""
    path = events_file(state_dir(), row.id)
    position = 0
    while True:
        under_way = is_under_way(row) if follow else False
        if path.exists():
            with path.open("rb") as lines:
                lines.seek(position)
                whole, newline, _ = lines.read().rpartition(b"\n")
            position += len(whole) + len(newline)
            yield from (BatchEvent.model_validate_json(line) for line in whole.splitlines())
        if not under_way:
            return
        time.sleep(POLL_SECONDS)


def is_under_way(row: BatchRow) -> bool:
    """Whether somebody carries it out."""
    with open_batches() as batches:
        now = batches.get(row.id)
    return now is not None and state_of(now) == RUNNING


def stop_batch(prefix: str, *, now: bool) -> None:
    """Ask whoever carries a batch out to begin nothing new; with `now`, to stop what runs."""
    with open_batches() as batches:
        row = batches.find(prefix)
        if state_of(row) != RUNNING:
            raise RefusedError(f"{row.id} is not at work: {state_of(row)}.", hint=f"`paddock batch status {row.id}`")
        batches.ask_stop(row.id, 2 if now else 1)
    while is_under_way(row):
        time.sleep(POLL_SECONDS)
    with open_batches() as batches:
        for line in summary_of(batches.find(row.id), task_states(row.id, batches)):
            answer(line)
