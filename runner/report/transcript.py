"""An agent's activity as Markdown for a person to read: `transcript.md`, written piece by piece. Pure.

Whatever the agent says stands in a quotation, every line of it marked, or in a span of code that it cannot end; so
it has no heading, list or text outside of them. Inside, nothing is left that a viewer would load or draw: no HTML, no
picture, no diagram, and no character spelled as an entity.
"""

from __future__ import annotations

import re
from typing import assert_never

from runner.escape import escape_text
from runner.model.activity import Activity, Answered, Edited, Reported, Said, SessionNamed, ToolUsed, Trouble
from runner.report.activity import SHELLS
from runner.report.cells import readable

MOST_SPAN = 2000
"""Characters of one span of code."""

# Any `[!` and `[^`: an alert of GitHub's, and a footnote, which is shown outside of the quotation.
_PICTURE = re.compile(r"!(?=\[)")
_MARKED = re.compile(r"\[(?=[!^])")
_ENTITY = re.compile(r"&(?=[#A-Za-z])")
# The language after a fence: viewers draw `mermaid` and its like, and diagrams can load pictures.
_FENCE = re.compile(
    r"^((?:[^\S\n]|[>*+-]|[0-9]++[.)])*+(?:`{3,}(?=[ \t]*[^\s`])|~{3,}(?=[ \t]+\S|[^\s~])))[ \t]*", re.MULTILINE
)
_TICKS = re.compile("`+")


def transcript_head(*, run: str, agent: str, model: str, prompt: str) -> str:
    """What the file begins with."""
    facts = {"agent": agent, "model": model}
    named = "".join(f"- {name}: {code(value)}\n" for name, value in facts.items() if value)
    return (
        f"# Run {escape_text(run)}\n\n{named}\n## The prompt\n\n{quoted(prompt)}\n"
        "## What the agent said and did\n\nIn its own words: nothing of it was checked.\n"
    )


def transcript_of(activity: Activity) -> str:
    """One piece, to be appended; empty for what nobody reads."""
    match activity:
        case Said(text=text):
            piece = f"\n{quoted(text)}\n" if text.strip() else ""
        case ToolUsed(name=name, detail=detail):
            piece = f"- {_tool(name, detail)}\n"
        case Edited(path=path):
            piece = f"- edited {code(path)}\n"
        case Trouble(text=text):
            piece = f"\nTrouble:\n\n{quoted(text)}\n" if text.strip() else ""
        case Answered(text=text):
            piece = f"\n## The agent's answer\n\n{quoted(text)}\n"
        case SessionNamed(id=session):
            piece = f"- the agent's session is {code(session)}\n"
        case Reported():
            piece = ""
        case _:
            assert_never(activity)
    return piece


def quoted(text: str) -> str:
    """Hostile Markdown as a quotation that it cannot leave, and that loads nothing."""
    safe = readable(text).strip("\n").rstrip()
    safe = _FENCE.sub(r"\1text ", safe)
    safe = _ENTITY.sub("&amp;", safe).replace("<", "&lt;")
    safe = _MARKED.sub(r"[\\", _PICTURE.sub(r"!\\", safe))
    return "".join(f"> {line}".rstrip() + "\n" for line in safe.split("\n"))


def code(text: str) -> str:
    """Hostile text as a span of code in one line, with longer fences than any that is in it."""
    safe = escape_text(text[:MOST_SPAN]) + ("..." if len(text) > MOST_SPAN else "")
    ticks = "`" * (1 + max(map(len, _TICKS.findall(safe)), default=0))
    room = " " if safe.startswith(("`", " ")) or safe.endswith(("`", " ")) or not safe else ""
    return f"{ticks}{room}{safe}{room}{ticks}"


def _tool(name: str, detail: str) -> str:
    if name.lower() in SHELLS and detail.strip():
        return f"ran {code(detail.strip())}"
    return f"used {code(name)}" + (f" on {code(detail.strip())}" if detail.strip() else "")
