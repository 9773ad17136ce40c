"""`paddock show`, `logs` and `diff`: what a run left, printed so that it cannot steer the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from runner.cli.runs import find_run, open_ledger
from runner.cli.terminal import OutputWriter, answer, answer_json, color_for, outcome_color, styled
from runner.errors import RunNotFoundError
from runner.store.ledger import RUNNING, RunRow
from runner.store.owner import owner_alive
from runner.store.runs import read_result

PIECE = 64 * 1024
POLL_SECONDS = 0.2


def show_run(run_id: str, *, as_json: bool) -> None:
    """Print the result document, or its summary."""
    from runner.report.summary import answer_lines, headline, summary_lines

    row, paths = find_run(run_id)
    if row.state == RUNNING:
        raise RunNotFoundError(
            f"{row.id} has no result yet: it is in its phase {row.phase!r}.",
            hint=f"Follow it with `paddock logs -f {row.id}`."
            if owner_alive(row)
            else f"Its Paddock died; `paddock recover {row.id}` collects its work.",
        )
    result = read_result(paths)
    if as_json:
        answer_json(result.model_dump_json(indent=2))
        return
    answer(f"{styled(result.outcome.value, color=outcome_color(result.outcome.value), bold=True)}  {headline(result)}")
    for line in summary_lines(result, full=True):
        answer(line)
    if result.answer.strip():
        answer("\nThe agent's answer, in its own words:\n")
        for line in answer_lines(result.answer, more=f"paddock logs {row.id} --transcript"):
            answer(f"  {line}".rstrip())


def print_log(run_id: str, *, follow: bool) -> None:
    """Print `agent.log`, and with `follow` what is added to it until the run is over."""
    row, paths = find_run(run_id)
    print_growing(row, paths.agent_log, follow=follow)


def print_transcript(run_id: str, *, follow: bool) -> None:
    """Print `transcript.md`, in the same way."""
    row, paths = find_run(run_id)
    wait_for(paths.transcript, row, follow=follow)
    print_growing(row, paths.transcript, follow=follow)


def print_activity(run_id: str, *, follow: bool) -> None:
    """Print what the agent said and did as it was shown while it worked, and its answer, from `activity.jsonl`."""
    from runner.cli.playing import Player

    row, paths = find_run(run_id)
    wait_for(paths.activity, row, follow=follow)
    player = Player(sys.stdout, fancy=color_for(sys.stdout.isatty()))
    position = 0
    going = True
    while going:
        going = follow and still_running(row)
        for data in pieces_from(paths.activity, position):
            player.feed(data)
            position += len(data)
        if going:
            time.sleep(POLL_SECONDS)


def wait_for(path: Path, row: RunRow, *, follow: bool) -> None:
    """Wait until a file of a run's is there. Raises `RunNotFoundError` once it is clear that it never will be."""
    while not path.exists():
        if not (follow and still_running(row)) and not path.exists():
            raise RunNotFoundError(
                f"{row.id} has no {path.name}: only agents with an event stream leave one, once they have begun.",
                hint=f"`paddock logs {row.id}` prints all output.",
            )
        time.sleep(POLL_SECONDS)


def print_growing(row: RunRow, path: Path, *, follow: bool) -> None:
    """Print a file of a run's, and with `follow` what is added to it until the run is over."""
    writer = OutputWriter(stdout_is_taken=False)
    position = copy_from(path, 0, writer)
    while follow and still_running(row):
        time.sleep(POLL_SECONDS)
        position = copy_from(path, position, writer)
    copy_from(path, position, writer)


def print_diff(run_id: str) -> None:
    """Print `diff.patch`."""
    row, paths = find_run(run_id)
    if not paths.diff.exists():
        raise RunNotFoundError(f"{row.id} left no change.", hint=f"Look at `paddock show {row.id}`.")
    copy_from(paths.diff, 0, OutputWriter(stdout_is_taken=False, is_patch=True))


def still_running(row: RunRow) -> bool:
    """Whether somebody still carries the run out."""
    with open_ledger() as ledger:
        now = ledger.get(row.id)
    return now is not None and now.state == RUNNING and owner_alive(now)


def copy_from(path: Path, position: int, writer: OutputWriter) -> int:
    """Print what a file holds from `position` on; where it ends now."""
    for data in pieces_from(path, position):
        writer.write(1, data)
        position += len(data)
    return position


def pieces_from(path: Path, position: int) -> Iterator[bytes]:
    """What a file holds from `position` on. A file that is not there yet is empty."""
    try:
        with path.open("rb") as file:
            file.seek(position)
            while data := file.read(PIECE):
                yield data
    except FileNotFoundError:
        return
