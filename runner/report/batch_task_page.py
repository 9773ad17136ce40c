"""One task of a batch as a part of the report's page: what it left, with every word of an agent's as text. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from runner.model.batch_report import AttemptFacts, Evidence, ReportTask, TaskFacts
from runner.model.gates import danger, heading
from runner.model.network import NetworkRow
from runner.model.result import GateResult, RunResult, Verdict
from runner.report.batch_words import (
    attempt_name,
    changes_of,
    cost_of,
    cut_note,
    diff_note,
    kind_of,
    moment,
    period,
    word_of,
)
from runner.report.markup import Markup, element, joined
from runner.report.network import amount, without_canary
from runner.report.network_words import words_of
from runner.report.spending import round_lines, spent_lines

MARKS = {"+": "plus", "-": "minus", "@": "place"}
MOST_BLOCKS = 500
"""Of a patch in colour: the markup of one that changes its kind with every line would be many times its size."""
HEADS = ("diff --git ", "index ", "--- ", "+++ ", "new file ", "deleted file ", "similarity ", "rename ", "old mode ")


def task_part(task: ReportTask) -> Markup:
    """The whole part, closed; the attempt that stands for the task comes first."""
    order = sorted(range(len(task.attempts)), key=lambda each: each != task.stands)
    others = [_other(task, task.attempts[each], task.evidence[each]) for each in order[1:]]
    head = element(
        "summary",
        element("b", f"{task.number}. {task.name}"),
        pill(task.state, ok=task.ok),
        element("span", " · ".join(filter(None, (task.repo, task.best.branch))), class_="quiet"),
    )
    body = joined(*_attempt(task, task.best, task.evidence[task.stands]), *others)
    return element("details", head, element("div", body, id=f"task-{task.number}", class_="body"), class_="task")


def pill(word: str, *, ok: bool = True) -> Markup:
    """A word in its colour."""
    return element("span", word, class_=f"pill {kind_of(word, ok=ok)}")


def _other(task: TaskFacts, facts: AttemptFacts, evidence: Evidence) -> Markup:
    name = element("summary", f"{attempt_name(task, facts).capitalize()}: ", pill(word_of(facts), ok=facts.ok))
    return element("details", name, *_attempt(task, facts, evidence), class_="attempt")


def _attempt(task: TaskFacts, facts: AttemptFacts, evidence: Evidence) -> Iterator[Markup]:
    listed = [(name, value) for name, value in _facts(task, facts) if value]
    yield element("dl", *(joined(element("dt", name), element("dd", value)) for name, value in listed), class_="facts")
    yield from _tries(facts)
    if evidence.missing:
        yield element("p", f"What it left cannot be told: {evidence.missing}", class_="quiet")
    if evidence.result is not None:
        yield from _result(evidence.result)
        yield from _patch(evidence)
    if note := cut_note(evidence):
        yield element("p", note, class_="more")


def _facts(task: TaskFacts, facts: AttemptFacts) -> Iterator[tuple[str, str]]:
    yield "attempt", attempt_name(task, facts)
    yield "reason", facts.reason
    yield "run", element("code", facts.run) if facts.run else ""
    yield "repository", task.repo
    yield "branch", element("code", facts.branch) if facts.branch else ""
    yield "head", element("code", facts.head) if facts.branch else ""
    yield "changes", changes_of(facts)
    yield "began", moment(facts.started_at)
    yield "time", period(facts.seconds)
    yield "CPU time", period(facts.cpu_seconds)
    yield "peak memory", amount(facts.peak_memory) if facts.peak_memory else ""
    yield "cost", cost_of(facts.cost_usd)
    yield "needs", ", ".join(task.needs)
    yield "tags", ", ".join(task.tags)


def _tries(facts: AttemptFacts) -> Iterator[Markup]:
    """All of them, where there was more than one."""
    if len(facts.tries) > 1:
        yield _listed(
            "Tries",
            [
                f"{each.number}: {each.outcome or 'no end was seen'}, {each.run}"
                + f" ({each.reason})" * bool(each.reason)
                for each in facts.tries
            ],
        )


def _result(result: RunResult) -> Iterator[Markup]:
    for title, verdict in (("Blocked by gates", Verdict.BLOCKED), ("To be reviewed", Verdict.FLAGGED)):
        yield _listed(title, list(_gates([gate for gate in result.gates if gate.verdict is verdict])))
    if result.gates:
        passed = sum(gate.verdict is Verdict.PASSED for gate in result.gates)
        yield element("p", f"{passed} of {len(result.gates)} gates passed.", class_="more")
    yield from _check(result)
    yield _listed("Denied by the network's policy", [_denial(row) for row in without_canary(result.denials)])
    yield _listed("Commits", [_commit(each.sha, each.subject) for each in result.commits])
    yield _listed("Rounds", [text for _, text in round_lines(result.rounds)])
    yield _listed("Tokens and cost", [text for _, text in spent_lines(result.spent, result.cost_usd)])
    yield _listed("Artifacts", [f"{each.name}, {amount(each.size)}" for each in result.artifacts])
    yield _listed("Notes", [*result.notices, *result.leaks])
    if result.answer.strip():
        yield element("h3", "The agent's answer, in its own words")
        yield element("pre", result.answer.strip("\n"))


def _gates(gates: Sequence[GateResult]) -> Iterator[str]:
    for gate in sorted(gates, key=lambda each: danger(each.name)):
        yield from (f"{heading(gate.name)}: {line}" for line in gate.detail or ("",))


def _check(result: RunResult) -> Iterator[Markup]:
    check = result.check
    if check is None:
        return
    ended = f"exit code {check.exit_code}" if check.stopped is None else check.stopped.value
    yield element("h3", "Check")
    yield element("p", element("code", check.command), f": {ended}, {period(check.seconds)}")
    if check.output.strip():
        yield element("pre", check.output.strip("\n"))


def _denial(row: NetworkRow) -> str:
    name = row.name if row.port is None else f"{row.name}:{row.port}"
    return f"{name}: {words_of(row.reason).sentence}, asked for {row.count} times"


def _commit(sha: str, subject: str) -> Markup:
    return joined(element("code", sha[:10]), f" {subject}")


def _listed(title: str, lines: Sequence[str]) -> Markup:
    """Nothing where there are none."""
    return joined(element("h3", title), element("ul", *(element("li", each) for each in lines))) if lines else Markup()


def _patch(evidence: Evidence) -> Iterator[Markup]:
    if not evidence.diff:
        return
    lines = evidence.diff.removesuffix("\n").split("\n")
    blocks = [(mark, "\n".join(group)) for mark, group in groupby(lines, _mark)]
    pieces = [element("span", block, class_=mark) for mark, block in blocks[:MOST_BLOCKS]]
    if rest := blocks[MOST_BLOCKS:]:
        pieces.append(element("span", "\n".join(block for _, block in rest), class_="same"))
    note = element("p", note, class_="more") if (note := diff_note(evidence)) else Markup()
    title = element("summary", f"Diff, {amount(evidence.diff_bytes)}")
    yield element("details", title, note, element("pre", *pieces, class_="diff"), class_="patch", open="")


def _mark(line: str) -> str:
    """Of which kind a line of a patch is; lines of one kind that follow each other are one element."""
    return "file" if line.startswith(HEADS) else MARKS.get(line[:1], "same")
