"""`paddock batch ...`; each command imports what it needs when it runs."""

# No `from __future__ import annotations` here: Typer reads these at run time.

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from runner.cli.batch_after_commands import add_after
from runner.cli.options import BatchId

batch_app = typer.Typer(
    help="Many tasks from one file: checked first, carried out side by side, gone on with after a crash.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

BatchFileArgument = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Argument(metavar="FILE", help="A batch file: TOML, or one JSON object a line in .jsonl.", show_default=False),
]
ReposFrom = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--repos-from", metavar="LIST", help="Instead of a file: one repository a line, one task for each."),
]
BatchPrompt = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--prompt-file", metavar="FILE", help="With --repos-from: what is asked on each."),
]
BatchAgent = Annotated[str, typer.Option("--agent", "-a", help="With --repos-from: who works.")]
BatchModel = Annotated[str, typer.Option("--model", "-m", help="With --repos-from: the model.")]
BatchPolicy = Annotated[str, typer.Option("--policy", "-p", help="With --repos-from: the policy.")]
BatchImage = Annotated[str, typer.Option("--image", help="With --repos-from: the image.")]
BatchCheck = Annotated[str, typer.Option("--check", metavar="CMD", help="With --repos-from: the check.")]
Jobs = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--jobs", "-j", min=1, max=1000, help="How many at one time, as far as they fit. [default: 8]"),
]
FailFast = Annotated[
    Optional[bool],  # noqa: UP045
    typer.Option("--fail-fast", help="Begin nothing new once a task has failed."),
]
MaxCost = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option("--max-cost", metavar="USD", min=0.01, help="Stop when all of it has cost that much."),
]
BatchJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout at the end, and nothing else.")]
BatchNotify = Annotated[
    Optional[bool],  # noqa: UP045
    typer.Option(
        "--notify/--no-notify", help="Tell those that [notify] of the settings names; without any, the desktop."
    ),
]
BatchQuiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show nothing until the end.")]


@batch_app.command("plan")
def plan(  # noqa: PLR0913, PLR0917 - one parameter for each option
    file: BatchFileArgument = None,
    repos_from: ReposFrom = None,
    prompt_file: BatchPrompt = None,
    agent: BatchAgent = "",
    model: BatchModel = "",
    policy: BatchPolicy = "",
    image: BatchImage = "",
    check: BatchCheck = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Check everything that a file asks for, and show its tasks. Starts nothing."""
    given = _given({name: value for name, value in locals().items() if name != "json"})
    from runner.cli.batching import plan_batch

    plan_batch(given, as_json=json)


@batch_app.command("run")
def run(  # noqa: PLR0913, PLR0917
    file: BatchFileArgument = None,
    repos_from: ReposFrom = None,
    prompt_file: BatchPrompt = None,
    agent: BatchAgent = "",
    model: BatchModel = "",
    policy: BatchPolicy = "",
    image: BatchImage = "",
    check: BatchCheck = "",
    jobs: Jobs = None,
    fail_fast: FailFast = None,
    max_cost: MaxCost = None,
    new: Annotated[bool, typer.Option("--new", help="Also where a batch of the same file is not done.")] = False,
    notify: BatchNotify = None,
    quiet: BatchQuiet = False,
    json: BatchJson = False,
) -> None:
    """Carry a batch out. Ctrl-C once: nothing new begins; twice: what runs is stopped and collected."""
    ours = {"jobs", "fail_fast", "max_cost", "new", "notify", "quiet", "json"}
    given = _given({name: value for name, value in locals().items() if name not in {*ours, "ours"}})
    from runner.cli.batching import Ask, run_batch
    from runner.library.batching import Changes

    changes = Changes(jobs=jobs, fail_fast=fail_fast, max_cost=max_cost)
    raise typer.Exit(run_batch(given, changes, Ask(quiet=quiet, as_json=json, notify=notify), new=new))


@batch_app.command("resume")
def resume(  # noqa: PLR0913, PLR0917
    batch: BatchId = "last",
    jobs: Jobs = None,
    fail_fast: FailFast = None,
    max_cost: MaxCost = None,
    notify: BatchNotify = None,
    quiet: BatchQuiet = False,
    json: BatchJson = False,
) -> None:
    """Go on with a batch that was stopped or whose process died. What is done stays done; what ran is recovered."""
    from runner.cli.batching import Ask, resume_batch
    from runner.library.batching import Changes

    changes = Changes(jobs=jobs, fail_fast=fail_fast, max_cost=max_cost)
    raise typer.Exit(resume_batch(batch, changes, Ask(quiet=quiet, as_json=json, notify=notify)))


@batch_app.command("retry")
def retry(  # noqa: PLR0913, PLR0917
    batch: BatchId = "last",
    tasks: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(metavar="TASK...", help="Names or globs of names. [default: all that did not succeed]"),
    ] = None,
    jobs: Jobs = None,
    fail_fast: FailFast = None,
    max_cost: MaxCost = None,
    notify: BatchNotify = None,
    quiet: BatchQuiet = False,
    json: BatchJson = False,
) -> None:
    """Make tasks anew that failed or were skipped, and go on."""
    from runner.cli.batching import Ask, resume_batch
    from runner.library.batching import Again, Changes

    changes = Changes(jobs=jobs, fail_fast=fail_fast, max_cost=max_cost)
    again = Again(tasks=tasks or ["*"], named=bool(tasks))
    raise typer.Exit(resume_batch(batch, changes, Ask(quiet=quiet, as_json=json, notify=notify), again))


@batch_app.command("status")
def status(
    batch: Annotated[str, typer.Argument(metavar="[ID]", help="A batch; without it, all of them.")] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """How far a batch has got, task by task. Without an id: the batches that there are."""
    from runner.cli.batch_status import show_status

    show_status(batch, as_json=json)


@batch_app.command("logs")
def logs(
    batch: BatchId = "last",
    task: Annotated[str, typer.Argument(metavar="[TASK]", help="What one task's agent printed, instead.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it is over.")] = False,
) -> None:
    """Print what happened in a batch, or what the agent of one task printed."""
    from runner.cli.batch_status import print_logs

    print_logs(batch, task, follow=follow)


@batch_app.command("stop")
def stop(
    batch: BatchId = "last",
    now: Annotated[bool, typer.Option("--now", help="Also stop what runs, and collect it.")] = False,
) -> None:
    """Let a batch begin nothing new. It can be gone on with."""
    from runner.cli.batch_status import stop_batch

    stop_batch(batch, now=now)


@batch_app.command("report")
def report(
    batch: BatchId = "last",
    form: Annotated[
        str,
        typer.Option(
            "--format", "-f", metavar="FORMAT", help="md, html, json, junit or csv. [default: the file's, or md]"
        ),
    ] = "",
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to write it, whole or not at all. [default: stdout]"
        ),
    ] = None,
) -> None:
    """Tell all that a batch did: timeline, tasks, checks, gates, denials, diffs, cost. Also while it is at work."""
    from runner.cli.batch_report import report_batch

    report_batch(batch, form=form, output=output)


add_after(batch_app)


def _given(parameters: dict[str, Any]) -> Any:
    """What a batch is made of, as `Given`."""
    from runner.cli.batching import Given

    return Given(**parameters)
