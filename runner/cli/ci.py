"""`paddock ci`: a run as a step of a pipeline, whose log, summary, annotations and outputs can be trusted.

What an agent wrote cannot be a command to the CI system: all that is printed goes through `ci_log`, and where GitHub's
commands are known they are stopped, too, by a token that nobody inside can know. Ours are written before and after.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TextIO

from runner.cli.ci_files import CiFiles
from runner.cli.ci_log import exact, guard_streams
from runner.cli.console import Console
from runner.cli.running import TaskOptions, result_of, task_of, tell
from runner.cli.terminal import say
from runner.model.result import RunResult
from runner.report.ci_annotations import annotations_of
from runner.settings import other_ci, takes_workflow_commands, workflow_files

UNTOLD = 1
"""The exit code of a run that went well when later steps cannot be told of it."""


def ci_command(options: TaskOptions, files: CiFiles) -> int:
    """Carry out one task, and leave what later steps and readers of the job need; the exit code is that of `run`."""
    guard_streams()
    summary, outputs = workflow_files()
    files = replace(files, summary=files.summary or summary, outputs=files.outputs or outputs)
    files.prepare()
    console = Console(stdout_is_taken=options.json)
    ours = sys.stderr if options.json else sys.stdout
    with commands_stopped(ours):
        result = result_of(options, lambda settings, _: task_of(options, settings), console, always=True)
        tell(result, options, console)
    annotate(result, ours)
    troubles = list(files.deliver(result))
    for trouble in troubles:
        say(f"not written: {trouble}")
    return result.exit_code or (UNTOLD if troubles else 0)


def annotate(result: RunResult, log: TextIO) -> None:
    """Say at the job, and at the files, what a person should see."""
    if takes_workflow_commands():
        write_commands(annotations_of(result), log)
    elif system := other_ci():
        from runner.report.ci_dialects import azure_command, teamcity_command

        command = azure_command if system == "azure" else teamcity_command
        write_commands(filter(None, annotations_of(result, command)), log)


@contextmanager
def commands_stopped(log: TextIO) -> Iterator[None]:
    """Nothing is a command in between, and what is said is folded together."""
    if not takes_workflow_commands():
        yield
        return
    token = secrets.token_hex(32)
    write_commands(("::group::paddock", f"::stop-commands::{token}"), log)
    try:
        yield
    finally:
        write_commands((f"::{token}::", "::endgroup::"), log)


def write_commands(lines: Iterable[str], log: TextIO) -> None:
    """Commands of ours, past the guard, each on a line of its own: an agent's output may have ended within one."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    out = exact(log)
    for line in lines:
        out.write(b"\n" + line.encode("utf-8", "backslashreplace") + b"\n")
    out.flush()
