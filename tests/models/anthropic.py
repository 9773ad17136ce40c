"""Anthropic Messages, https://docs.claude.com/en/api/messages and /en/docs/build-with-claude/streaming."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.models.wire import (
    Asked,
    Call,
    Line,
    Reply,
    Tool,
    Usage,
    event,
    fresh,
    mapping,
    objects,
    pieces,
    plain,
    word,
)

ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def read(path: str, body: dict[str, Any]) -> Asked:
    """The question in a body of `POST /v1/messages`."""
    shape = mapping(mapping(body.get("output_config")).get("format")) or mapping(body.get("output_format"))
    return Asked(
        model=word(body.get("model"), "unknown"),
        stream=body.get("stream") is True,
        system=plain(body.get("system")),
        lines=tuple(line for message in objects(body.get("messages")) for line in _lines(message)),
        tools=tuple(
            Tool(tool["name"], mapping(tool.get("input_schema")))
            for tool in objects(body.get("tools"))
            if isinstance(tool.get("name"), str)
        ),
        schema=mapping(shape.get("schema")) or None,
    )


def _lines(message: dict[str, Any]) -> Iterator[Line]:
    content = message.get("content")
    kinds = {part.get("type") for part in objects(content) if isinstance(part.get("type"), str)}
    if message.get("role") == "assistant":
        yield Line("model", plain(content), "tool_use" in kinds)
    else:
        yield Line("tool" if "tool_result" in kinds else "user", plain(content))


def stream(asked: Asked, reply: Reply) -> Iterator[bytes]:
    """The answer as events; the usage of `message_delta` is a total, it repeats what `message_start` said."""
    start = _message(asked, reply) | {"content": [], "stop_reason": None}
    start["usage"] = _usage(reply.usage) | {"output_tokens": min(1, reply.usage.output)}
    yield _event("message_start", message=start)
    yield _event("ping")
    index = 0
    if reply.text:
        yield from _block(index, {"type": "text", "text": ""}, "text_delta", "text", reply.pieces())
        index += 1
    if reply.call:
        block = _tool_use(reply.call) | {"input": {}}
        arguments = pieces(json.dumps(reply.call.arguments))
        yield from _block(index, block, "input_json_delta", "partial_json", arguments)
    delta = {"stop_reason": _stop_reason(reply), "stop_sequence": None}
    yield _event("message_delta", delta=delta, usage=_usage(reply.usage))
    yield _event("message_stop")


def whole(asked: Asked, reply: Reply) -> dict[str, Any]:
    """The answer as one message."""
    content: list[dict[str, Any]] = [{"type": "text", "text": reply.text}] if reply.text else []
    if reply.call:
        content.append(_tool_use(reply.call))
    return _message(asked, reply) | {"content": content}


def failure(code: int, message: str) -> dict[str, Any]:
    """An error document."""
    return {"type": "error", "error": {"type": ERRORS.get(code, "api_error"), "message": message}}


def counted(asked: Asked) -> dict[str, Any]:
    """The answer to `POST /v1/messages/count_tokens`."""
    return {"input_tokens": 1 + len(asked.everything) // 4}


def _event(name: str, **fields: Any) -> bytes:
    return event({"type": name, **fields}, name)


def _block(index: int, block: dict[str, Any], kind: str, field: str, parts: Iterator[str]) -> Iterator[bytes]:
    yield _event("content_block_start", index=index, content_block=block)
    for part in parts:
        yield _event("content_block_delta", index=index, delta={"type": kind, field: part})
    yield _event("content_block_stop", index=index)


def _message(asked: Asked, reply: Reply) -> dict[str, Any]:
    return {
        "id": fresh("msg_"),
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [],
        "stop_reason": _stop_reason(reply),
        "stop_sequence": None,
        "usage": _usage(reply.usage),
    }


def _tool_use(call: Call) -> dict[str, Any]:
    return {"type": "tool_use", "id": fresh("toolu_"), "name": call.name, "input": call.arguments}


def _stop_reason(reply: Reply) -> str:
    return "tool_use" if reply.call else "end_turn"


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input - usage.cached - usage.written,
        "cache_creation_input_tokens": usage.written,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.output,
    }
