"""OpenAI Chat Completions, https://platform.openai.com/docs/api-reference/chat."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from tests.models.wire import Asked, Call, Line, Reply, Tool, Usage, event, fresh, mapping, objects, pieces, plain, word

SYSTEM = ("system", "developer")
ERRORS = {400: "invalid_request_error", 401: "invalid_api_key", 429: "rate_limit_exceeded"}


def read(path: str, body: dict[str, Any]) -> Asked:
    """The question in a body of `POST /v1/chat/completions`."""
    messages = objects(body.get("messages"))
    shape = mapping(body.get("response_format"))
    return Asked(
        model=word(body.get("model"), "unknown"),
        stream=body.get("stream") is True,
        wants_usage=mapping(body.get("stream_options")).get("include_usage") is True,
        system="\n".join(plain(item.get("content")) for item in messages if item.get("role") in SYSTEM),
        lines=tuple(_line(item) for item in messages if item.get("role") in ("user", "assistant", "tool")),
        tools=tuple(tool for item in objects(body.get("tools")) for tool in _tools(item)),
        schema=mapping(mapping(shape.get("json_schema")).get("schema")) or None,
    )


def _line(message: dict[str, Any]) -> Line:
    text = plain(message.get("content"))
    match message["role"]:
        case "assistant":
            return Line("model", text, bool(objects(message.get("tool_calls"))))
        case "tool":
            return Line("tool", text)
        case _:
            return Line("user", text)


def _tools(item: dict[str, Any]) -> Iterator[Tool]:
    function = mapping(item.get("function"))
    if isinstance(function.get("name"), str):
        yield Tool(function["name"], mapping(function.get("parameters")))


def stream(asked: Asked, reply: Reply) -> Iterator[bytes]:
    """The answer as chunks; the usage is in the last one, which has no choice, when it was asked for."""
    head = _head(asked, "chat.completion.chunk")
    yield _chunk(head, {"role": "assistant", "content": ""})
    for piece in reply.pieces():
        yield _chunk(head, {"content": piece})
    if reply.call:
        call = _tool_call(reply.call, "")
        yield _chunk(head, {"tool_calls": [{"index": 0, **call}]})
        for piece in pieces(json.dumps(reply.call.arguments)):
            yield _chunk(head, {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    yield _chunk(head, {}, _finish_reason(reply))
    if asked.wants_usage:
        yield event(head | {"choices": [], "usage": _usage(reply.usage)})
    yield b"data: [DONE]\n\n"


def whole(asked: Asked, reply: Reply) -> dict[str, Any]:
    """The answer as one completion."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if reply.call:
        message["tool_calls"] = [_tool_call(reply.call, json.dumps(reply.call.arguments))]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(reply)}
    return _head(asked, "chat.completion") | {"choices": [choice], "usage": _usage(reply.usage)}


def failure(code: int, message: str) -> dict[str, Any]:
    """An error document."""
    kind = ERRORS.get(code, "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def _head(asked: Asked, kind: str) -> dict[str, Any]:
    return {"id": fresh("chatcmpl-"), "object": kind, "created": int(time.time()), "model": asked.model}


def _chunk(head: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> bytes:
    return event(head | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]})


def _tool_call(call: Call, arguments: str) -> dict[str, Any]:
    return {"id": fresh("call_"), "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _finish_reason(reply: Reply) -> str:
    return "tool_calls" if reply.call else "stop"


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.thought},
    }
