"""Going round: a failed check or a reviewer's findings go back to the agent, within one set of limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from runner.errors import RefusedError, StoreError
from runner.model.quantities import Seconds
from runner.model.result import Outcome, Round, RunResult
from runner.model.task import Remaining, Task
from runner.model.template import render
from runner.report.answers import findings
from runner.run.execute import run_task
from runner.run.host import Host
from runner.store.runs import read_result, run_paths, write_result
from runner.store.templates import find_template

FENCE = "````"
GOES_ON = frozenset({Outcome.COMPLETED, Outcome.NO_CHANGES, Outcome.CHECK_FAILED})
LEAST_SECONDS = 1.0
SHARED = frozenset({"wall_clock", "tokens", "cost_usd"})
"""Limits that hold for all rounds together."""


@dataclass(frozen=True, kw_only=True)
class Loop:
    """How often the work may go round, and who looks at it."""

    max_rounds: int = 1
    """Runs of the agent, the first one included."""
    review: str = ""
    """The agent that reviews; empty: nobody."""
    review_model: str = ""
    templates: Path
    """The user's own templates, of which `review` may be one."""


@dataclass
class Work:
    """One piece of work and the rounds that it took."""

    task: Task
    loop: Loop
    host: Host
    rounds: list[Round] = field(default_factory=list)
    results: list[RunResult] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def carry_out(self, task: Task, why: str) -> RunResult:
        """One more run."""
        result = run_task(task, self.host)
        self.rounds.append(Round(id=result.id, agent=task.agent, outcome=result.outcome, why=why))
        self.results.append(result)
        return result


def run_rounds(task: Task, loop: Loop, host: Host) -> RunResult:
    """Carry out a task, and go round while the check fails or the review finds something, and limits are left.

    The result is that of the last run of the agent itself; it lists the rounds. Raises as `run_task` does, when
    nothing was started.
    """
    work = Work(task=task, loop=loop, host=host)
    result = work.carry_out(task, "task")
    for _ in range(1, loop.max_rounds):
        words, why = what_is_wrong(work, result)
        following = next_round(work, result, words) if words else None
        if following is None:
            break
        result = work.carry_out(following, why)
    if len(work.rounds) > 1 and result.id:
        notices = (*result.notices, *work.notices)
        result = result.model_copy(update={"rounds": tuple(work.rounds), "notices": notices})
        write_result(run_paths(host.settings.state_dir, result.id), result)
    return result


def what_is_wrong(work: Work, result: RunResult) -> tuple[str, str]:
    """What the agent is told, and why; nothing when there is nothing to mend, or nobody who could."""
    if result.outcome not in GOES_ON or work.host.cancellation.requested:
        return "", ""
    if result.check is not None and result.check.failed:
        return words_of_check(result), "check"
    if work.loop.review and result.branch:
        return words_of_review(work, result), "findings"
    return "", ""


def words_of_check(result: RunResult) -> str:
    """A failed check, as the agent is told of it."""
    check = result.check
    assert check is not None  # noqa: S101 - `what_is_wrong` has looked
    ended = f"ended with exit code {check.exit_code}" if check.stopped is None else f"was stopped: {check.stopped}"
    return (
        f"This check ran on what you committed, in a fresh sandbox without a network, and {ended}:\n\n"
        f"    {check.command}\n\nThe end of its output:\n\n{FENCE}\n{check.output.replace(FENCE, '')}\n{FENCE}\n\n"
        "Find the cause, mend it, and commit."
    )


def words_of_review(work: Work, result: RunResult) -> str:
    """What a reviewer found on the branch; empty when it found nothing, or could not look."""
    left = remaining_of(work)
    if left is None:
        return ""
    words = f"The commits from {result.base} to the checked-out one. They were to do this:\n\n{work.task.prompt}"
    text, kind = render(find_template("review", work.loop.templates).template, words)
    review = work.task.model_copy(
        update={
            "agent": work.loop.review,
            "model": work.loop.review_model,
            "prompt": text,
            "template": "review",
            "result": kind,
            "repo": result.repo,
            "base": result.branch,
            "dirty": False,
            "name": "",
            "check": "",
            "continues": "",
            "remaining": left,
        }
    )
    reviewed = work.carry_out(review, "review")
    found = findings(reviewed.answer) if reviewed.outcome is Outcome.COMPLETED else None
    if found is None:
        work.notices.append(f"The review {reviewed.id} ended without findings that can be read; look at it yourself.")
    if not found:
        return ""
    listed = "\n".join(f"- {each}" for each in found)
    return f"Another agent has reviewed your commits and found this:\n\n{listed}\n\nMend what is right, and commit."


def next_round(work: Work, result: RunResult, words: str) -> Task | None:
    """The next task for the agent; `None` when the limits are used up."""
    left = remaining_of(work)
    if left is None:
        return None
    return continuation(work.task, result, words).model_copy(update={"remaining": left})


def continuation(task: Task, result: RunResult, words: str) -> Task:
    """The task that goes on where a run ended: on its branch, in its agent's own conversation."""
    return task.model_copy(
        update={
            "repo": result.repo,
            "base": result.branch or result.base,
            "prompt": words,
            "template": "",
            "dirty": False,
            "name": "",
            "continues": result.id,
        }
    )


def remaining_of(work: Work) -> Remaining | None:
    """What is left of the first round's limits; `None` when one of them is used up."""
    left = {name: use.granted for name, use in work.results[0].limits.items() if name in SHARED}
    for result in work.results:
        for name in left:
            left[name] -= (result.limits[name].peak or 0) if name in result.limits else 0
        left["wall_clock"] -= result.check.seconds if result.check else 0
    if left["wall_clock"] < LEAST_SECONDS or left.get("tokens", 1) < 1 or left.get("cost_usd", 1) <= 0:
        return None
    return Remaining(
        wall_clock=Seconds(round(left["wall_clock"], 3)),
        tokens=int(left["tokens"]) if "tokens" in left else None,
        cost_usd=left.get("cost_usd"),
    )


def task_to_continue(run_id: str, words: str, host: Host) -> Task:
    """What `paddock continue` carries out. Raises `RefusedError` when there is nothing to go on with."""
    paths = run_paths(host.settings.state_dir, run_id)
    result = read_result(paths)
    try:
        task = Task.model_validate_json(paths.task.read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(f"{run_id} cannot be gone on with: its task cannot be read ({error}).") from error
    if task.agent == "command":
        raise RefusedError(
            f"{run_id} was a command, which nobody can talk to.",
            hint=f"Run another command on its branch, with --base {result.branch or result.base}.",
        )
    if result.branches and not result.branch:
        raise RefusedError(
            f"{run_id} is {result.outcome.value}: it has no branch to go on with.",
            hint=f"Look at `paddock show {run_id}`, and run the task anew.",
        )
    kept = {name: value for name, value in task.environment.items() if value != "[secret]"}
    return continuation(task, result, words).model_copy(update={"environment": kept, "remaining": None})
