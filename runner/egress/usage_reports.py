"""What one document of a model's answer tells of tokens, in the dialects of the great APIs. Pure; hostile input.

Anthropic Messages, OpenAI Responses and Chat Completions (which many others speak too), Gemini.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MOST_TOKENS = 10**12
"""A number of tokens that is not below it is none."""
_NAME = re.compile(r"[!-~]{1,100}")
_TEXTS = ("delta", "choices", "candidates", "content", "output")
"""Where an answer's text is, in one dialect or another; events that say it again have it elsewhere."""
_NO_TEXT = frozenset(
    {"type", "id", "role", "name", "index", "model", "status", "object", "signature", "thoughtSignature", "call_id"}
    | {"item_id", "encrypted_content", "finish_reason", "finishReason", "stop_reason", "mimeType", "usage", "logprobs"}
)
"""What beside the text costs no tokens of its own."""


@dataclass(slots=True)
class Counts:
    """Tokens as an API counts them; no token is in two of the kinds."""

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    cache_write_hour: int = 0
    output: int = 0

    @property
    def sent(self) -> int:
        """All that went to the model, caches included."""
        return self.input + self.cached + self.cache_write + self.cache_write_hour

    def rise_to(self, other: Counts) -> None:
        """Reports of one answer are of all of it so far: they are not added up, and none takes back another."""
        if other.sent >= self.sent:
            self.input, self.cached = other.input, other.cached
            self.cache_write, self.cache_write_hour = other.cache_write, other.cache_write_hour
        self.output = max(self.output, other.output)


@dataclass(slots=True, frozen=True)
class Told:
    """What one document said."""

    model: str = ""
    counts: Counts | None = None
    text: int = 0
    """Bytes of text that it brought."""
    failed: bool = False
    """Whether it tells of a failure instead of an answer."""


def told_by(document: object) -> Told:
    """What a document, or an event of a stream, says. Whatever it is, nothing is raised."""
    if not isinstance(document, dict):
        return Told()
    inner = _mapping(document, "message") or _mapping(document, "response")
    places = (document, inner)
    counts = (found for place in places if (found := _counts(place)))
    kind = document.get("type")
    return Told(
        model=next((name for place in places if (name := _model(place))), ""),
        counts=next(counts, None),
        text=sum(_size(document.get(key)) for key in _TEXTS),
        failed=(isinstance(kind, str) and kind in {"error", "response.failed"}) or bool(document.get("error")),
    )


def _model(place: dict[str, object]) -> str:
    found = (place.get(key) for key in ("model", "modelVersion"))
    return next((name for name in found if isinstance(name, str) and _NAME.fullmatch(name)), "")


def _counts(place: dict[str, object]) -> Counts | None:
    """The report in a document, whichever dialect it is in."""
    if google := _mapping(place, "usageMetadata"):
        return _of_gemini(google)
    usage = _mapping(place, "usage") or _mapping(place, "x_groq", "usage")
    if "prompt_tokens" in usage:
        return _of_openai(usage, "prompt_tokens", "completion_tokens", "prompt_tokens_details")
    anthropic = "cache_read_input_tokens" in usage or "cache_creation_input_tokens" in usage
    if not anthropic and ("input_tokens_details" in usage or "total_tokens" in usage):
        return _of_openai(usage, "input_tokens", "output_tokens", "input_tokens_details")
    if "input_tokens" in usage or "output_tokens" in usage:
        return _of_anthropic(usage)
    return None


def _of_anthropic(usage: dict[str, object]) -> Counts:
    written = _number(usage, "cache_creation_input_tokens")
    hour = _number(usage, "cache_creation", "ephemeral_1h_input_tokens")
    return Counts(
        input=_number(usage, "input_tokens"),
        cached=_number(usage, "cache_read_input_tokens"),
        cache_write=max(0, written - hour),
        cache_write_hour=hour,
        output=_number(usage, "output_tokens"),
    )


def _of_openai(usage: dict[str, object], sent_key: str, output_key: str, details: str) -> Counts:
    """What a cache had or took is in the number of what was sent; some count thoughts in the total alone."""
    sent = _number(usage, sent_key)
    cached = min(sent, _number(usage, details, "cached_tokens") or _number(usage, "prompt_cache_hit_tokens"))
    written = min(sent - cached, _number(usage, details, "cache_write_tokens"))
    output = max(_number(usage, output_key), _number(usage, "total_tokens") - sent)
    return Counts(input=sent - cached - written, cached=cached, cache_write=written, output=output)


def _of_gemini(usage: dict[str, object]) -> Counts:
    """What a cache had is in the number of the prompt; thoughts are in no other number."""
    sent = _number(usage, "promptTokenCount")
    cached = min(sent, _number(usage, "cachedContentTokenCount"))
    return Counts(
        input=sent - cached + _number(usage, "toolUsePromptTokenCount"),
        cached=cached,
        output=_number(usage, "candidatesTokenCount") + _number(usage, "thoughtsTokenCount"),
    )


def _mapping(place: dict[str, object], *keys: str) -> dict[str, object]:
    """The object at the end of these keys; an empty one where there is none."""
    found: object = place
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _number(usage: dict[str, object], *keys: str) -> int:
    """A number of tokens; 0 for whatever is none."""
    found = _mapping(usage, *keys[:-1]).get(keys[-1])
    return found if type(found) is int and 0 <= found < MOST_TOKENS else 0


def _size(value: object) -> int:
    """Bytes of the text below a value."""
    return sum(len(text.encode(errors="replace")) for text in _texts(value))


def _texts(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:  # a list of our own: what is nested deeply ends no call stack
        found = waiting.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, list):
            waiting += found
        elif isinstance(found, dict):
            waiting += [below for key, below in found.items() if key not in _NO_TEXT]
