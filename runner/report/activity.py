"""What an agent does, and how far it has got, as lines for a person who watches. Pure; every text is escaped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, assert_never

from runner.escape import escape_text
from runner.model.activity import (
    Activity,
    Answered,
    Edited,
    Progress,
    Reported,
    Said,
    SessionNamed,
    ToolUsed,
    Trouble,
)
from runner.report.cells import cut, laid_out
from runner.report.spending import cost_text, count_text

WORDS = "  "
DEEDS = "    "
MOST_WORDS = 40
"""Lines of one thing said."""
MOST_TROUBLE = 6
SHELLS = frozenset(
    {"bash", "sh", "shell", "local_shell", "exec_command", "command_execution", "run_shell_command", "execute_bash"}
)
VERBS = {
    "read": "read",
    "read_file": "read",
    "view": "read",
    "grep": "search",
    "search_file_content": "search",
    "glob": "find",
    "ls": "list",
    "list": "list",
    "list_directory": "list",
    "webfetch": "fetch",
    "web_fetch": "fetch",
    "websearch": "search the web",
    "web_search": "search the web",
}
"""What tools of several agents do, in one word; any other tool goes by its own name."""

TELL_EVERY = 60.0
"""Seconds after which totals are worth a line of their own."""
TELL_TOKENS = 20_000
"""More tokens than that, and half as many again as last time, are worth one at once."""
NOTHING_YET = Progress(tokens=0, cost_usd=None, seconds=0, left=0)

Tone = Literal["words", "tool", "edit", "trouble", "aside", "ours"]


class Line(NamedTuple):
    """One line, indented, without its newline; the tone says in which colour."""

    tone: Tone
    text: str


def activity_lines(activity: Activity, *, width: int) -> Iterator[Line]:
    """What there is to see of it, at most `width` cells wide. The answer is not: it is printed at the end, whole."""
    match activity:
        case Said(text=text):
            for line in laid_out(text, width=width - len(WORDS), most=MOST_WORDS):
                yield Line("words", f"{WORDS}{line}".rstrip())
        case ToolUsed(name=name, detail=detail):
            yield Line("tool", DEEDS + cut(tool_text(name, detail), width - len(DEEDS)))
        case Edited(path=path):
            yield Line("edit", DEEDS + cut(f"edit {escape_text(path)}", width - len(DEEDS)))
        case Trouble(text=text):
            for line in laid_out(text, width=width - len(DEEDS) - 2, most=MOST_TROUBLE):
                yield Line("trouble", f"{DEEDS}! {line}")
        case Reported() | Answered() | SessionNamed():
            return
        case _:
            assert_never(activity)


def tool_text(name: str, detail: str) -> str:
    """A tool's use as a person would say it, in one line: `$ make test`, `read src/x.py`."""
    first, *more = detail.strip().splitlines() or [""]
    what = escape_text(first + (" ..." if more else ""))
    if name.lower() in SHELLS and what:
        return f"$ {what}"
    return f"{VERBS.get(name.lower()) or escape_text(name)} {what}".strip()


def totals_text(progress: Progress) -> str:
    """Tokens, cost and time left, most wanted first: `12.3k tokens, $0.42, 41 min left`."""
    left = f"{left_text(progress.left)} left"
    if not progress.tokens:
        return left
    cost = "cost unknown" if progress.cost_usd is None else cost_text(progress.cost_usd)
    return f"{count_text(progress.tokens)} tokens, {cost}, {left}"


def status_text(progress: Progress, *, width: int) -> str:
    """The totals in at most `width` cells; in a narrow terminal whole parts are left out, the last first."""
    parts = totals_text(progress).split(", ")
    while len(parts) > 1 and len(", ".join(parts)) > width:
        parts.pop()
    return ", ".join(parts)[: max(width, 0)]


def worth_telling(now: Progress, told: Progress) -> bool:
    """Whether totals have changed enough since they were last told for a line of their own, where lines stay."""
    if now.seconds < told.seconds:  # another round has begun: a run of its own
        told = NOTHING_YET
    more = now.tokens - told.tokens
    return now.seconds - told.seconds >= TELL_EVERY or more >= max(TELL_TOKENS, told.tokens // 2)


def left_text(seconds: float) -> str:
    """`2 h 05 min`, `41 min`, `30 s`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
