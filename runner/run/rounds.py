"""Going round: a failed check or a reviewer's findings go back to the agent, within one set of limits."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.errors import PaddockError, RefusedError, StoreError, UsageError
from runner.model.events import Notice
from runner.model.quantities import Seconds
from runner.model.result import Outcome, Round, RunResult
from runner.model.task import Remaining, Task
from runner.model.template import render
from runner.report.answers import findings
from runner.report.cells import readable
from runner.run.chain import Chain
from runner.run.decision import decide
from runner.run.execute import run_task
from runner.run.host import Host
from runner.run.model_api import require_key
from runner.store.runs import RunPaths, read_result, run_paths, write_result
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
        """One more run; who watches is told why."""
        if why != "task":
            with suppress(OSError, ValueError):  # whoever watched has gone; the work goes on
                self.host.tell(Notice(text=self._words(task, why)))
        result = run_task(task, self.host)
        if result.id and not self.task.policy_base:
            self.task = self.task.model_copy(update={"policy_base": policy_base_of(result, self.host)})
        self.rounds.append(
            Round(
                id=result.id,
                agent=task.agent,
                outcome=result.outcome,
                why=why,
                tokens=sum(row.tokens for row in result.spent),
                cost_usd=result.cost_usd,
            )
        )
        self.results.append(result)
        return result

    def _words(self, task: Task, why: str) -> str:
        if why == "review":
            return f"{task.agent} reviews the branch."
        number = 1 + sum(each.why != "review" for each in self.rounds)
        cause = "the check failed" if why == "check" else "the review found something"
        return f"round {number} of at most {self.loop.max_rounds}: {cause}; {task.agent} is told, and goes on."

    @property
    def title(self) -> str:
        """What the work as a whole is about."""
        return self.task.name or self.task.title or self.task.prompt


def policy_base_of(result: RunResult, host: Host) -> str:
    """The commit whose policy a run was under, which holds for all that goes on with it."""
    with suppress(OSError, ValueError):
        task = Task.model_validate_json(run_paths(host.settings.state_dir, result.id).task.read_bytes())
        return task.policy_base or result.base
    return result.base


def run_rounds(task: Task, loop: Loop, host: Host) -> RunResult:
    """Carry out a task, and go round while the check fails or the review finds something, and limits are left.

    The result is that of the last run of the agent itself; it lists the rounds. Raises as `run_task` does, when
    nothing was started; what keeps a later round from its start is a notice, since there is work by then.
    """
    chain = Chain()
    work = Work(task=task, loop=loop, host=chained(host, chain))
    if loop.review:
        foresee_review(work)
    try:
        return go_round(work)
    finally:
        chain.close()


def chained(host: Host, chain: Chain) -> Host:
    """The same host; each run is a link of the chain before anybody hears of it."""

    def opened(paths: RunPaths) -> None:
        chain.opened(paths)
        host.opened(paths)

    return replace(host, opened=opened)


def go_round(work: Work) -> RunResult:
    """The runs of one piece of work, and the result of the last one of the agent itself."""
    result = work.carry_out(work.task, "task")
    for _ in range(1, work.loop.max_rounds):
        following = one_more(work, result)
        if following is None:
            break
        result = following
    if (len(work.rounds) > 1 or work.notices) and result.id:
        rounds = tuple(work.rounds) if len(work.rounds) > 1 else ()
        result = result.model_copy(update={"rounds": rounds, "notices": (*result.notices, *work.notices)})
        write_result(run_paths(work.host.settings.state_dir, result.id), result)
    return result


def one_more(work: Work, result: RunResult) -> RunResult | None:
    """The agent once more; `None` when there is nothing to mend, nothing left to do it with, or it cannot be done."""
    try:
        words, why = what_is_wrong(work, result)
        following = next_round(work, result, words) if words else None
        return work.carry_out(following, why) if following else None
    except PaddockError as error:
        work.notices.append(f"No further round could be started: {error.message}")
    except KeyboardInterrupt:
        work.notices.append("No further round was started: it was cancelled.")
    return None


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
    output = readable(check.output).replace(FENCE, "")
    return (
        f"This check ran on what you committed, in a fresh sandbox without a network, and {ended}:\n\n"
        f"    {check.command}\n\nThe end of its output:\n\n{FENCE}\n{output}\n{FENCE}\n\n"
        "Find the cause, mend it, and commit."
    )


def foresee_review(work: Work) -> None:
    """Raises what the review would raise, before anybody has worked for it: no such agent, no key, no template."""
    if work.loop.review == "command":
        raise UsageError("A command cannot review.", hint="Name an agent in --review.")
    task = review_task(work, work.task.base)
    decision = decide(task, work.host)
    require_key(decision.agent, decision.api, task, work.host)


def review_task(work: Work, base: str) -> Task:
    """What the reviewer is asked for, of the commits from `base` on."""
    words = f"The commits from {base} to the checked-out one. They were to do this:\n\n{work.task.prompt}"
    text, kind = render(find_template("review", work.loop.templates).template, words)
    return work.task.model_copy(
        update={
            "agent": work.loop.review,
            "model": work.loop.review_model,
            "prompt": text,
            "title": f"review {work.title}",
            "template": "review",
            "result": kind,
            "dirty": False,
            "name": "",
            "check": "",
            "continues": "",
        }
    )


def words_of_review(work: Work, result: RunResult) -> str:
    """What a reviewer found on the branch; empty when it found nothing, or could not look."""
    left = remaining_of(work)
    if left is None:
        return ""
    place = {"repo": result.repo, "base": result.branch, "remaining": left}
    reviewed = work.carry_out(review_task(work, result.base).model_copy(update=place), "review")
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
    return continuation(work.task, result, words).model_copy(update={"title": work.title, "remaining": left})


def continuation(task: Task, result: RunResult, words: str) -> Task:
    """The task that goes on where a run ended: on its branch, in its agent's own conversation."""
    return task.model_copy(
        update={
            "repo": result.repo,
            "base": result.branch or result.base,
            "prompt": words,
            "title": "",
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
    if result.branches and not result.branch and task.result == "branch":
        raise RefusedError(
            f"{run_id} is {result.outcome.value}: it has no branch to go on with.",
            hint=f"Look at `paddock show {run_id}`, and run the task anew.",
        )
    kept = {name: value for name, value in task.environment.items() if value != "[secret]"}
    kept_as_it_was = {
        "environment": kept,
        "remaining": None,
        "policy_base": task.policy_base or result.base,
        "batch": "",
    }
    return continuation(task, result, words).model_copy(update=kept_as_it_was)
