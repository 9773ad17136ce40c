"""`paddock show`, `logs` and `diff`: what a run left, printed so that it cannot steer the terminal."""

from __future__ import annotations

import time
from pathlib import Path

from runner.cli.runs import find_run, open_ledger
from runner.cli.terminal import OutputWriter, answer, outcome_color, styled
from runner.errors import RunNotFoundError
from runner.store.ledger import RUNNING, RunRow
from runner.store.owner import owner_alive
from runner.store.runs import read_result

PIECE = 64 * 1024
POLL_SECONDS = 0.2


def show_run(run_id: str, *, as_json: bool) -> None:
    """Print the result document, or its summary."""
    from runner.report.summary import headline, summary_lines

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
        answer(result.model_dump_json(indent=2))
        return
    answer(f"{styled(result.outcome.value, color=outcome_color(result.outcome.value), bold=True)}  {headline(result)}")
    for line in summary_lines(result, full=True):
        answer(line)


def print_log(run_id: str, *, follow: bool) -> None:
    """Print `agent.log`, and with `follow` what is added to it until the run is over."""
    row, paths = find_run(run_id)
    writer = OutputWriter(stdout_is_taken=False)
    position = copy_from(paths.agent_log, 0, writer)
    while follow and still_running(row):
        time.sleep(POLL_SECONDS)
        position = copy_from(paths.agent_log, position, writer)
    copy_from(paths.agent_log, position, writer)


def print_diff(run_id: str) -> None:
    """Print `diff.patch`."""
    row, paths = find_run(run_id)
    if not paths.diff.exists():
        raise RunNotFoundError(f"{row.id} left no change.", hint=f"Look at `paddock show {row.id}`.")
    copy_from(paths.diff, 0, OutputWriter(stdout_is_taken=False))


def still_running(row: RunRow) -> bool:
    """Whether somebody still carries the run out."""
    with open_ledger() as ledger:
        now = ledger.get(row.id)
    return now is not None and now.state == RUNNING and owner_alive(now)


def copy_from(path: Path, position: int, writer: OutputWriter) -> int:
    """Print what a file holds from `position` on; where it ends now. A file that is not there yet is empty."""
    try:
        with path.open("rb") as file:
            file.seek(position)
            while data := file.read(PIECE):
                writer.write(1, data)
                position += len(data)
    except FileNotFoundError:
        return position
    return position
