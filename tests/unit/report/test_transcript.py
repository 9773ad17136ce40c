"""The transcript: whatever an agent says, it stays in its quotation, and a viewer loads nothing for it."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from runner.escape import is_plain
from runner.model.activity import (
    Activity,
    Answered,
    Edited,
    Reported,
    Said,
    SessionNamed,
    ToolUsed,
    Trouble,
)
from runner.report.transcript import transcript_head, transcript_of

VIEWER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
"""One that would show HTML."""

PIECES = [
    *(
        "# ",
        "\n",
        "\r",
        "    ",
        "\t",
        "- ",
        "> ",
        "1. ",
        "===",
        "---",
        "x",
        " ",
        "|",
        "\\",
        "!",
        "[",
        "]",
        "(//a.test)",
    ),
    *("`", "```", "~~~", "mermaid", "text", "<img src=x>", "<!--", "-->", "</a>", "<http://a.test>", "<", "&"),
    *("&#x202e;", "&lt;", "[^1]:", "[!NOTE]", "\x1b[2J", "\u202e", "\u2028"),
]
HOSTILE = st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(
    st.characters(exclude_categories=["Cs"])
)
ACTIVITIES = st.one_of(
    *(st.builds(kind, text=HOSTILE) for kind in (Said, Trouble, Answered)),
    st.builds(ToolUsed, name=HOSTILE, detail=HOSTILE),
    st.builds(Edited, path=HOSTILE),
    st.builds(SessionNamed, id=HOSTILE),
)


def all_tokens(tokens: list[Token]) -> list[Token]:
    return [one for token in tokens for one in (token, *all_tokens(token.children or []))]


def outside(markdown: str) -> list[str]:
    """What stands in no quotation: headings, paragraphs, items; spans of code are named and not read."""
    found, depth = [], 0
    for token in VIEWER.parse(markdown):
        depth += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        if depth == 0 and token.type == "inline":
            found.append("".join("CODE" if one.type == "code_inline" else one.content for one in token.children or []))
        elif depth == 0 and token.content:
            found.append(f"{token.type}: {token.content}")
    return found


EXPECTED: dict[type, list[str]] = {
    Said: [],
    Trouble: ["Trouble:"],
    Answered: ["The agent's answer"],
    Edited: ["edited CODE"],
    SessionNamed: ["the agent's session is CODE"],
}


@given(ACTIVITIES)
@example(Said(text="```\n# a\n```\n<b>"))
@example(Said(text="![a](http://a.test/b.png) [![c](d)](e)"))
@example(ToolUsed(name="Bash", detail="`a` ``b`` <img src=x>"))
def test_nothing_leaves_its_quotation_or_span(activity: Activity) -> None:
    piece = transcript_of(activity)
    document = f"- before\n{piece}- after\n{piece}\n# ours\n"
    found = [text for text in outside(document) if text not in {"before", "after", "ours"}]
    if isinstance(activity, ToolUsed):
        assert set(found) <= {"ran CODE", "used CODE", "used CODE on CODE"}
        assert len(found) == 2
    elif isinstance(activity, Said | Trouble) and not activity.text.strip():
        assert found == []
    else:
        assert found == EXPECTED[type(activity)] * 2


@given(ACTIVITIES)
@example(Said(text="- ![a\n  b][c]\n\n[c]: http://a.test"))
@example(Said(text="\\![a](b) !\\[a](b) \\\\![a](b)"))
@example(Said(text="&#33;[a](b) &lt;img&gt;"))
def test_a_viewer_finds_nothing_to_load(activity: Activity) -> None:
    types = {token.type for token in all_tokens(VIEWER.parse(transcript_of(activity)))}
    assert not types & {"image", "html_block", "html_inline"}


@given(ACTIVITIES)
@example(Said(text="a &#x202e; b &zwnj; c \\&rlm;"))
def test_no_control_or_bidi_character_is_carried_not_even_as_an_entity(activity: Activity) -> None:
    piece = transcript_of(activity)
    assert all(is_plain(line) for line in piece.split("\n"))
    for token in all_tokens(VIEWER.parse(piece)):
        if token.type in {"text", "code_inline"}:
            assert is_plain(token.content)


@given(ACTIVITIES)
@example(Said(text="- 1. ~~~ mermaid\n"))
def test_no_fence_names_a_language_that_a_viewer_would_draw(activity: Activity) -> None:
    for token in all_tokens(VIEWER.parse(transcript_of(activity))):
        if token.type == "fence":
            assert token.info.split()[:1] in ([], ["text"])


@pytest.mark.parametrize(
    ("activity", "piece"),
    [
        (Said(text="I look at `x`.\n\n\nif a && b < 2:"), "\n> I look at `x`.\n>\n>\n> if a && b &lt; 2:\n\n"),
        (Said(text="```python\nx\n```"), "\n> ```text python\n> x\n> ```\n\n"),
        (Said(text="[^1] [!NOTE] ![a](b)"), "\n> [\\^1] [\\!NOTE] !\\[a](b)\n\n"),
        (Said(text=" "), ""),
        (ToolUsed(name="Bash", detail="make test"), "- ran `make test`\n"),
        (ToolUsed(name="Read", detail="a`b"), "- used `Read` on ``a`b``\n"),
        (ToolUsed(name="`"), "- used `` ` ``\n"),
        (Edited(path="src/x.py"), "- edited `src/x.py`\n"),
        (Trouble(text="no"), "\nTrouble:\n\n> no\n\n"),
        (Answered(text="# Done"), "\n## The agent's answer\n\n> # Done\n\n"),
        (SessionNamed(id="0b1c"), "- the agent's session is `0b1c`\n"),
        (Reported(input=3), ""),
    ],
)
def test_each_kind_has_its_piece(activity: Activity, piece: str) -> None:
    assert transcript_of(activity) == piece


@given(HOSTILE, HOSTILE)
def test_the_head_has_our_headings_alone(prompt: str, model: str) -> None:
    head = transcript_head(run="20260101-abcdef", agent="claude", model=model, prompt=prompt)
    inline = outside(head)
    assert inline[0] == "Run 20260101-abcdef"
    assert inline[-3:] == [
        "The prompt",
        "What the agent said and did",
        "In its own words: nothing of it was checked.",
    ]
    assert len(inline) == 5 + bool(model)


@pytest.mark.parametrize("line", ["~~~`", "~~~ ~x", "~~~mermaid", "```mermaid", "> ~~~ `x", "``` mermaid"])
def test_whatever_a_fence_names_is_text(line: str) -> None:
    shown = transcript_of(Said(text=line))
    fences = [token for token in all_tokens(VIEWER.parse(shown)) if token.type == "fence"]
    assert [token.info.split()[0] for token in fences] == ["text"]


@pytest.mark.parametrize("line", ["\n", "-\n", "> \n", "1.\n", "\u3000\n", "`` \n", "~~~ \n"])
def test_a_transcript_takes_no_time_whatever_is_said(line: str) -> None:
    begin = time.monotonic()
    transcript_of(Said(text="a" + line * (60_000 // len(line)) + "b"))
    assert time.monotonic() - begin < 2
