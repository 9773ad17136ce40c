"""A result as the Markdown of a job's summary. Pure.

Every text that an agent chose is a span of code or a quotation that it cannot leave, and loads nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from runner.model.gates import GATES
from runner.model.network import NetworkRow
from runner.model.result import CommitSummary, GateResult, RunResult, Verdict
from runner.report.network import amount
from runner.report.spending import spent_lines
from runner.report.summary import headline
from runner.report.transcript import code, quoted

MOST_LINES = 100
MOST_TEXT = 20_000
"""Characters of an answer and of a check's output."""
MARKS = {Verdict.BLOCKED: "blocked", Verdict.FLAGGED: "to be reviewed"}


def ci_summary(result: RunResult) -> str:
    """The whole section, with a heading of its own, so that it can follow other sections."""
    head = f"## Paddock: {result.outcome.value}\n\n{code(headline(result))}\n"
    facts = "".join(f"- {name}: {text}\n" for name, text in _facts(result))
    return "\n".join((head, facts, *sections_of(result))) + "\n"


def sections_of(result: RunResult, quote: Callable[[str], str] = quoted) -> Iterator[str]:
    """What came out, each with a heading of its own; the empty ones are left out. `quote` makes long texts harmless."""
    pieces = [
        _listed("Commits", [_commit(each) for each in result.commits]),
        *(
            _gates(words, [gate for gate in result.gates if gate.verdict is verdict])
            for verdict, words in MARKS.items()
        ),
        _check(result, quote),
        _listed("Denied by the policy", [_denial(row) for row in result.denials]),
        _listed("Artifacts", [f"{code(each.name)}, {amount(each.size)}" for each in result.artifacts]),
        _listed("Notes", [code(text) for text in (*result.notices, *result.leaks)]),
        _answer(result, quote),
    ]
    yield from filter(None, pieces)


def _facts(result: RunResult) -> Iterator[tuple[str, str]]:
    for name, text in (("run", result.id), ("branch", result.branch), ("base", result.base), ("agent", result.agent)):
        if text:
            yield name, code(text)
    yield "exit code", str(result.exit_code)
    for name, text in spent_lines(result.spent, result.cost_usd):
        yield name or "tokens", code(text)
    if result.gates:
        passed = sum(gate.verdict is Verdict.PASSED for gate in result.gates)
        yield "gates", f"{passed} of {len(result.gates)} passed"


def _commit(commit: CommitSummary) -> str:
    lines = f"+{commit.insertions} -{commit.deletions}"
    return f"{code(commit.sha[:10])} {code(commit.subject)}, {commit.files} files, {lines}"


def _gates(words: str, gates: Sequence[GateResult]) -> str:
    lines = [f"{_concern(gate.name)}: {code(line)}" for gate in gates for line in gate.detail or (gate.name,)]
    return _listed(f"Gates: {words}", lines)


def _concern(name: str) -> str:
    return f"{GATES[name][1].value} ({name})" if name in GATES else code(name)


def _check(result: RunResult, quote: Callable[[str], str]) -> str:
    if result.check is None:
        return ""
    ended = f"exit code {result.check.exit_code}" if result.check.stopped is None else result.check.stopped.value
    said = f"\n{quote(result.check.output[-MOST_TEXT:])}" if result.check.failed and result.check.output else ""
    return f"### Check\n\n{code(result.check.command)}: {ended}, {result.check.seconds:.2f} s\n{said}"


def _denial(row: NetworkRow) -> str:
    return code(row.name if row.port is None else f"{row.name}:{row.port}") + f", asked for {row.count} times"


def _answer(result: RunResult, quote: Callable[[str], str]) -> str:
    if not result.answer.strip():
        return ""
    more = "\n(cut here)\n" if len(result.answer) > MOST_TEXT else ""
    words = quote(result.answer[:MOST_TEXT])
    return f"### The agent's answer\n\nIn its own words: nothing of it was checked.\n\n{words}{more}"


def _listed(title: str, lines: Sequence[str]) -> str:
    """No table: a bar would end its cell, in a span of code, too."""
    more = f"\nand {len(lines) - MOST_LINES} more\n" if len(lines) > MOST_LINES else ""
    return f"### {title}\n\n" + "".join(f"- {line}\n" for line in lines[:MOST_LINES]) + more if lines else ""
