"""Titles and texts of pull requests, by templates. Pure.

What the template itself says is the user's, and stays as it is. What is put in for a variable may be an agent's: it
mentions nobody, closes and links nothing, loads nothing and is no command, on the forge's page and in the message of
a squashed commit, which some forges make of title and text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from runner.model.gates import GATES
from runner.model.result import RunResult, Verdict
from runner.report.cells import readable

LONGEST_TITLE = 200
"""Characters: GitHub takes 256, GitLab 255."""
LONGEST_BODY = 60_000
"""Characters: GitHub takes 65,536."""
MOST_TEXT = 16_000
"""Characters of one prompt or answer."""
MOST_LINE = 200
MOST_LINES = 50

TITLE = "{title}"
BODY = """\
Made by {agent} in a sandbox, as the task {name} of the batch {batch}. Run: {run}. Check: {check}. Cost: {cost}.

### What was asked
{prompt}
### What the agent says

In its own words: nothing of it was checked.
{answer}
### Commits
{commits}
### To be looked at
{findings}"""

# As Renovate and others do it, a space of no width goes into what would have an effect: what people see stays.
_APART = "\u200b"
_ACTIVE = re.compile(
    r"""(?P<before>
      @(?=[A-Za-z0-9_-])                    # mentions
    | (?:[#!&%$~]|\bGH-)(?=[0-9])           # issues, merge requests, and what else a forge knows by numbers
    | :(?=//)                               # links, by which issues can be closed, too
    | <(?=[A-Za-z/!?])                      # HTML
    | --(?=>)                               # the end of a comment
    | !(?=\[)                               # pictures
    | \[(?=[^\S\n]*(?:skip|ci|no|actions)\b)     # [skip ci] and its like
    | ``(?=`) | ~~(?=~)                     # fences
    | ^(?=[^\S\n]*/[a-z])                   # GitLab's quick actions
    | ^[a-z-]+(?=[^\S\n]*:)                 # trailers
    )""",
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)


def defused(text: str) -> str:
    """Hostile text whose lines stay, with nothing in it that a forge would act on."""
    return _ACTIVE.sub(lambda found: found["before"] + _APART, readable(text))


def defused_line(text: str, most: int = MOST_LINE) -> str:
    """The same, in one line of at most `most` characters."""
    line = " ".join(text[: 8 * most].split())
    line = defused(line)
    return line if len(line) <= most else line[: most - 3] + "..."


def block(text: str) -> str:
    """Hostile text as a block of code, which stands by itself wherever it is put."""
    shown = defused(text[:MOST_TEXT].strip("\n")).rstrip()
    more = "\n(cut here)" if len(text) > MOST_TEXT or len(shown) > MOST_TEXT else ""
    return f"\n```text\n{shown[:MOST_TEXT]}{more}\n```\n" if shown.strip() else "\n(none)\n"


def span(text: str) -> str:
    """Hostile text as a span of code in one line."""
    return f"`{defused_line(text).replace('`', chr(0x2019)) or ' '}`"


def title_of(prompt: str, name: str) -> str:
    """What stands for `{title}`: the first line of what was asked, or else the task's name."""
    lines = [line.strip().lstrip("#").strip() for line in prompt.splitlines()]
    return next(filter(None, lines), name)


def body_words(result: RunResult, prompt: str, facts: Mapping[str, str]) -> dict[str, str]:
    """What stands for each variable of a text. `facts` are those of one line each."""
    return {
        **{name: span(value) for name, value in facts.items()},
        "prompt": block(prompt),
        "answer": block(result.answer),
        "commits": _listed([f"{each.sha[:10]} {each.subject}" for each in result.commits]),
        "findings": _listed(
            [
                f"{GATES[gate.name][1].value if gate.name in GATES else gate.name}: {line}"
                for gate in result.gates
                if gate.verdict is not Verdict.PASSED
                for line in gate.detail or (gate.name,)
            ]
        ),
    }


def title_words(facts: Mapping[str, str]) -> dict[str, str]:
    """What stands for each variable of a title."""
    return {name: defused_line(value, LONGEST_TITLE) for name, value in facts.items()}


def one_title(text: str) -> str:
    """A title that a forge takes."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TITLE else line[: LONGEST_TITLE - 3] + "..."


def _listed(lines: Sequence[str]) -> str:
    more = [f"- and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    return "\n" + "\n".join([*(f"- {span(line)}" for line in lines[:MOST_LINES]), *more] or ["(none)"]) + "\n"
