"""`paddock wait`: until runs are over."""

from __future__ import annotations

import time

from runner.cli.ending import await_work, ended_line
from runner.cli.runs import find_run
from runner.cli.terminal import answer, answer_json, print_error
from runner.errors import PaddockError, UsageError
from runner.model.quantities import parse_duration


def wait_for_runs(run_ids: list[str], *, timeout: str, as_json: bool) -> int:
    """One line, or one document in a line, for each run, in the order given; the first exit code that is not 0."""
    try:
        until = time.monotonic() + parse_duration(timeout) if timeout else None
    except ValueError as error:
        raise UsageError(f"--timeout: {error}.") from error
    runs = [find_run(run_id) for run_id in run_ids]
    code = 0
    for row, paths in runs:
        try:
            result = await_work(row, paths, until)
        except PaddockError as error:  # the others are still waited for
            print_error(error)
            code = code or error.exit_code
            continue
        if as_json:
            answer_json(result.model_dump_json())
        else:
            answer(ended_line(result))
        code = code or result.exit_code
    return code
