"""`paddock batch merge`, `push`, `pr` and `rm`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.batch.after import Deed, Place, Push, merge_pick, push_pick
from runner.batch.picking import Pick, picked
from runner.batch.where import parse_where
from runner.cli.batch_status import open_batches
from runner.cli.running import cancellation_by_signals
from runner.cli.runs import open_ledger
from runner.cli.terminal import answer, answer_json, outcome_color, say, styled, table
from runner.errors import PaddockError, UsageError
from runner.escape import escape_text
from runner.model.result import EXIT_CODES, EXIT_TASKS_FAILED, Outcome
from runner.run.cancellation import Cancellation
from runner.settings import forge_environment, git_environment, home, state_dir
from runner.store.afterwards import Afterwards
from runner.store.batches import Batches, BatchRow
from runner.store.files import read_bounded
from runner.store.ledger import LEDGER_NAME

if TYPE_CHECKING:
    from runner.batch.offering import Offer

HEADER = ("TASK", "REPOSITORY", "BRANCH")
RESULT = "WHAT BECAME OF IT"
LARGEST_BODY = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What every command is told."""

    batch: str
    where: str = ""
    dry_run: bool = False
    as_json: bool = False


@dataclass(frozen=True, kw_only=True)
class Row:
    """What became of one task."""

    pick: Pick
    did: str
    """`done`, `failed`, `left` when the command was stopped before, or `planned`."""
    text: str
    url: str = ""


def merge_batch(asked: Asked) -> int:
    """Merge branches into what is checked out in their repositories; the exit code."""
    with chosen(asked) as (row, picks, _):
        place = place_of(row)
        return carry_out(asked, "merge", row, picks, lambda pick: merge_pick(pick, place, dry_run=asked.dry_run))


def push_batch(asked: Asked, push: Push) -> int:
    """Push branches to the remotes of their repositories; the exit code."""
    with chosen(asked) as (row, picks, _):
        place = place_of(row)
        push.check(picks, row.id)
        return carry_out(asked, "push", row, picks, lambda pick: push_pick(pick, push, place, dry_run=asked.dry_run))


def offer_batch(asked: Asked, push: Push, offer: Offer, body_file: Path | None) -> int:
    """Push branches and open pull requests for them; the exit code."""
    from runner.batch.offering import offer_pick
    from runner.model.batch import Work

    offer = replace(offer, body=body_of(body_file)) if body_file else offer
    offer.check()
    with chosen(asked) as (row, picks, batches), Afterwards(state_dir() / LEDGER_NAME) as notes:
        place = place_of(row)
        push.check(picks, row.id)

        def act(pick: Pick) -> Deed:
            work = Work.model_validate_json(batches.work(row.id, pick.task.number))
            return offer_pick(pick, push, offer, place, work.task, notes, dry_run=asked.dry_run)

        return carry_out(asked, "pr", row, picks, act)


def remove_batch_of(prefix: str, *, runs: bool, force: bool, dry_run: bool) -> None:
    """Forget a batch; with `runs`, its runs too."""
    from runner.batch.forgetting import plan_removal, remove_batch

    state = state_dir()
    with open_batches() as batches, Afterwards(state / LEDGER_NAME) as afterwards:
        row = batches.find(prefix)
        removal = plan_removal(row, batches.tasks(row.id), afterwards, state, runs=runs, force=force)
        if not dry_run:
            with cancellation_by_signals(), open_ledger() as ledger:
                remove_batch(removal, afterwards, ledger, state)
    for line in removal.lines():
        answer(line if dry_run or line.startswith("kept") else f"removed {line}")


@contextmanager
def chosen(asked: Asked) -> Iterator[tuple[BatchRow, list[Pick], Batches]]:
    """The batch, and what is meant of it. Raises `UsageError`, `RefusedError`."""
    where = parse_where(asked.where) if asked.where else None
    with open_batches() as batches:
        row = batches.find(asked.batch)
        yield row, picked(row, batches, where, place_of(row).result), batches


def place_of(row: BatchRow) -> Place:
    """This machine, as this user."""
    return Place(
        batch=row.id,
        state=state_dir(),
        home=home(),
        uid=os.geteuid(),
        git=git_environment(),
        forges=forge_environment(),
    )


def body_of(file: Path) -> str:
    """A template. Raises `UsageError`, `StoreError`."""
    try:
        return read_bounded(Path(os.path.realpath(file)), LARGEST_BODY).decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"--body-file {escape_text(str(file))}: not UTF-8 text.") from error


def carry_out(asked: Asked, what: str, row: BatchRow, picks: Sequence[Pick], act: Callable[[Pick], Deed]) -> int:
    """One after the other; a failure stops nothing, a signal begins nothing new. Tells of each; the exit code."""
    header, *lines = table((*HEADER, RESULT), [(*cells_of(pick), ".") for pick in picks])
    if not asked.as_json:
        answer(styled(header, bold=True))
    rows = []
    with cancellation_by_signals() as cancellation:

        def stoppable(pick: Pick) -> Deed:
            with cancellation.interrupting():
                return act(pick)

        do = act if what == "merge" else stoppable  # half a merge would be left in the work tree
        for pick, line in zip(picks, lines, strict=True):
            rows.append(row_of(pick, do, cancellation, dry_run=asked.dry_run))
            if not asked.as_json:
                answer(line[:-1] + shown(rows[-1]))
    counts = {did: sum(each.did == did for each in rows) for did in ("done", "planned", "failed", "left")}
    if asked.as_json:
        answer_json(json.dumps(document_of(what, row, rows, counts), indent=2))
    else:
        say(f"{row.id}: " + ", ".join(f"{count} {did}" for did, count in counts.items() if count))
    if counts["left"]:
        return EXIT_CODES[Outcome.CANCELLED]
    return EXIT_TASKS_FAILED if counts["failed"] else 0


def row_of(pick: Pick, act: Callable[[Pick], Deed], cancellation: Cancellation, *, dry_run: bool) -> Row:
    """Do it for one task, unless somebody asked to stop."""
    if cancellation.requested:
        return Row(pick=pick, did="left", text="stopped before it was its turn")
    try:
        deed = act(pick)
    except KeyboardInterrupt:
        return Row(pick=pick, did="left", text="stopped on the way; do it again")
    except PaddockError as error:
        hint = f" ({error.hint.rstrip('.')})" if error.hint else ""
        return Row(pick=pick, did="failed", text=escape_text(error.message.rstrip(".") + hint))
    return Row(pick=pick, did="planned" if dry_run else "done", text=deed.text, url=deed.url)


def cells_of(pick: Pick) -> tuple[str, str, str]:
    """What is known of a task before."""
    task, attempt = pick
    return task.name, task.repo, attempt.branch


def shown(row: Row) -> str:
    """What became of it, in one line."""
    text = escape_text(" ".join(filter(None, (row.text, row.url))))
    return f"{styled('failed', color=outcome_color('failed'))}: {text}" if row.did == "failed" else text


def document_of(what: str, row: BatchRow, rows: Sequence[Row], counts: dict[str, int]) -> dict[str, object]:
    """All of it as a JSON object."""
    tasks = [
        {
            "name": each.pick.task.name,
            "attempt": each.pick.attempt.attempt,
            "run": each.pick.attempt.run,
            "repo": each.pick.task.repo,
            "branch": each.pick.attempt.branch,
            "did": each.did,
            "text": each.text,
            "url": each.url,
        }
        for each in rows
    ]
    return {"version": 1, "batch": row.id, "command": what, **counts, "tasks": tasks}
