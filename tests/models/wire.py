"""What every wire format is read into and written from: a question, an answer, its usage, and server-sent events."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

Kind = Literal["function", "custom", "local_shell"]
"""How a tool takes its input: JSON, free text, or OpenAI's own shell."""
STEPS = 200
"""At most about so many pieces does a streamed text have."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens of one answer: `cached` and `written` (to the cache) are part of `input`, `thought` of `output`."""

    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    thought: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input=self.input + other.input,
            cached=self.cached + other.cached,
            written=self.written + other.written,
            output=self.output + other.output,
            thought=self.thought + other.thought,
        )


class Line(NamedTuple):
    """One entry of a conversation."""

    who: Literal["user", "model", "tool"]
    text: str = ""
    calls: bool = False
    """The model asks for a tool here."""


class Tool(NamedTuple):
    """One tool that the request offers."""

    name: str
    schema: dict[str, Any]
    kind: Kind = "function"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request, whatever its wire format."""

    model: str = "unknown"
    stream: bool = False
    wants_usage: bool = True
    """Chat Completions only: a stream tells its usage when asked."""
    system: str = ""
    lines: tuple[Line, ...] = ()
    tools: tuple[Tool, ...] = ()
    schema: dict[str, Any] | None = None
    """The answer has to be JSON of this shape."""

    @property
    def turn(self) -> int:
        """How many tool calls the model made since it last spoke without one: the place in the dialogue, from 0."""
        return self._rounds()[0]

    @property
    def finished(self) -> int:
        """How many times the model ended its work before this request: 1 in a session that was continued once."""
        return self._rounds()[1]

    @property
    def prompt(self) -> str:
        """All that the user said since the model last spoke without a call."""
        texts: list[str] = []
        for line in self.lines:
            if line.who == "model" and not line.calls:
                texts.clear()
            elif line.who == "user":
                texts.append(line.text)
        return "\n".join(texts)

    @property
    def everything(self) -> str:
        """Every text of the request, what tools gave included."""
        return "\n".join([self.system, *(line.text for line in self.lines)])

    def _rounds(self) -> tuple[int, int]:
        turn = finished = 0
        for calls in _model_turns(self.lines):
            turn = turn + 1 if calls else 0
            finished += not calls
        return turn, finished


def _model_turns(lines: Sequence[Line]) -> Iterator[bool]:
    """For each turn of the model, be it in one line or in several: did it call a tool?"""
    open_turn: bool | None = None
    for line in lines:
        if line.who == "model":
            open_turn = bool(open_turn) or line.calls
        elif open_turn is not None:
            yield open_turn
            open_turn = None
    if open_turn is not None:
        yield open_turn


class Call(NamedTuple):
    """One tool call, with the names and arguments of the tool that was offered."""

    name: str
    arguments: dict[str, Any]
    kind: Kind = "function"
    text: str = ""
    """The input of a `custom` tool, which has no JSON."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What is answered."""

    text: str = ""
    call: Call | None = None
    usage: Usage = field(default_factory=Usage)
    endless: bool = False
    """The text is repeated until somebody hangs up."""

    def pieces(self) -> Iterator[str]:
        """The text in the pieces in which it is streamed."""
        yield from pieces(self.text)
        while self.endless:
            yield self.text


class Dialect(Protocol):
    """One wire format: a module with these functions."""

    def read(self, path: str, body: dict[str, Any]) -> Asked:
        """The question in a request's body. Unknown shapes are read as absent: this never raises."""

    def stream(self, asked: Asked, reply: Reply) -> Iterator[bytes]:
        """The answer as server-sent events, one at a time."""

    def whole(self, asked: Asked, reply: Reply) -> dict[str, Any]:
        """The answer as one document."""

    def failure(self, code: int, message: str) -> dict[str, Any]:
        """The document that goes with an HTTP status of 400 and above."""


def event(data: dict[str, Any], name: str = "") -> bytes:
    """One server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def pieces(text: str) -> Iterator[str]:
    """The text in a few pieces; nothing for an empty one."""
    size = max(16, len(text) // STEPS)
    for start in range(0, len(text), size):
        yield text[start : start + size]


def fresh(prefix: str) -> str:
    """An id that was never given before."""
    return f"{prefix}{uuid.uuid4().hex[:24]}"


# --- reading what may be anything ---------------------------------------------------------------------------------


def objects(value: Any) -> list[dict[str, Any]]:
    """The JSON objects of a list; nothing for what is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def mapping(value: Any) -> dict[str, Any]:
    """A JSON object; empty for what is none."""
    return value if isinstance(value, dict) else {}


def word(value: Any, default: str = "") -> str:
    """A string; the default for what is none."""
    return value if isinstance(value, str) else default


def plain(content: Any) -> str:
    """The text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    return "\n".join(plain(part.get("text") or part.get("content") or "") for part in objects(content))
