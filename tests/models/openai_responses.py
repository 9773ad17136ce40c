"""OpenAI Responses, https://platform.openai.com/docs/api-reference/responses and /responses-streaming."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

from tests.models import openai_chat
from tests.models.wire import (
    Asked,
    Call,
    Kind,
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

CALLS = ("function_call", "custom_tool_call", "local_shell_call")
failure = openai_chat.failure


def read(path: str, body: dict[str, Any]) -> Asked:
    """The question in a body of `POST /v1/responses`."""
    given = body.get("input")
    shape = mapping(mapping(body.get("text")).get("format"))
    return Asked(
        model=word(body.get("model"), "unknown"),
        stream=body.get("stream") is True,
        system=plain(body.get("instructions")),
        lines=(Line("user", given),) if isinstance(given, str) else tuple(_lines(objects(given))),
        tools=tuple(tool for item in [*objects(body.get("tools")), *_additional(given)] for tool in _tools(item)),
        schema=mapping(shape.get("schema")) or None,
    )


def _lines(items: list[dict[str, Any]]) -> Iterator[Line]:
    for item in items:
        kind = word(item.get("type"), "message")
        if kind in CALLS:
            yield Line("model", calls=True)
        elif kind.endswith("_output"):
            yield Line("tool", plain(item.get("output")))
        elif kind == "message" and item.get("role") == "assistant":
            yield Line("model", plain(item.get("content")))
        elif kind == "message" and item.get("role") == "user":
            yield Line("user", plain(item.get("content")))


def _additional(given: Any) -> Iterator[dict[str, Any]]:
    """Tools that are part of the conversation: codex offers them so to its newest models."""
    for item in objects(given):
        if item.get("type") == "additional_tools":
            yield from objects(item.get("tools"))


def _tools(item: dict[str, Any]) -> Iterator[Tool]:
    if item.get("type") == "namespace":
        for inner in objects(item.get("tools")):
            if inner.get("type") != "namespace":
                yield from _tools(inner)
    elif item.get("type") == "local_shell":
        yield Tool("local_shell", {}, "local_shell")
    elif isinstance(item.get("name"), str):
        kind: Kind = "custom" if item.get("type") == "custom" else "function"
        yield Tool(item["name"], mapping(item.get("parameters")), kind)


def stream(asked: Asked, reply: Reply) -> Iterator[bytes]:
    """The answer as events, each with its number."""
    number = itertools.count()

    def numbered(kind: str, **fields: Any) -> bytes:
        return event({"type": kind, "sequence_number": next(number), **fields}, kind)

    head = _head(asked)
    yield numbered("response.created", response=head)
    yield numbered("response.in_progress", response=head)
    items = _items(reply)
    for index, item in enumerate(items):
        started = item | {"status": "in_progress"} | _empty(item)
        yield numbered("response.output_item.added", output_index=index, item=started)
        place = {"item_id": item["id"], "output_index": index}
        for kind, fields in _inside(item, reply):
            yield numbered(kind, **place, **fields)
        yield numbered("response.output_item.done", output_index=index, item=item)
    yield numbered("response.completed", response=_completed(head, items, reply))


def whole(asked: Asked, reply: Reply) -> dict[str, Any]:
    """The answer as one response."""
    return _completed(_head(asked), _items(reply), reply)


def _head(asked: Asked) -> dict[str, Any]:
    return {
        "id": fresh("resp_"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": asked.model,
        "output": [],
        "parallel_tool_calls": False,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
    }


def _completed(head: dict[str, Any], items: list[dict[str, Any]], reply: Reply) -> dict[str, Any]:
    return head | {"status": "completed", "output": items, "usage": _usage(reply.usage)}


def _items(reply: Reply) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if reply.text:
        message = {"type": "message", "id": fresh("msg_"), "status": "completed", "role": "assistant"}
        items.append(message | {"content": [_text_part(reply.text)]})
    if reply.call:
        items.append(_call_item(reply.call))
    return items


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _call_item(call: Call) -> dict[str, Any]:
    head = {"id": fresh("fc_"), "call_id": fresh("call_"), "status": "completed"}
    match call.kind:
        case "local_shell":
            return {"type": "local_shell_call", **head, "action": call.arguments}
        case "custom":
            return {"type": "custom_tool_call", **head, "name": call.name, "input": call.text}
        case "function":
            return {"type": "function_call", **head, "name": call.name, "arguments": json.dumps(call.arguments)}


def _empty(item: dict[str, Any]) -> dict[str, Any]:
    """What an item lacks while it has only been announced."""
    fields: dict[str, dict[str, Any]] = {
        "message": {"content": []},
        "function_call": {"arguments": ""},
        "custom_tool_call": {"input": ""},
    }
    return fields.get(item["type"], {})


def _inside(item: dict[str, Any], reply: Reply) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events between an item's start and its end."""
    match item["type"]:
        case "message":
            here = {"content_index": 0}
            yield "response.content_part.added", here | {"part": _text_part("")}
            for piece in reply.pieces():
                yield "response.output_text.delta", here | {"delta": piece, "logprobs": []}
            yield "response.output_text.done", here | {"text": reply.text, "logprobs": []}
            yield "response.content_part.done", here | {"part": _text_part(reply.text)}
        case "function_call":
            for piece in pieces(item["arguments"]):
                yield "response.function_call_arguments.delta", {"delta": piece}
            yield "response.function_call_arguments.done", {"name": item["name"], "arguments": item["arguments"]}
        case "custom_tool_call":
            for piece in pieces(item["input"]):
                yield "response.custom_tool_call_input.delta", {"delta": piece}
            yield "response.custom_tool_call_input.done", {"input": item["input"]}
        case _:
            return  # a local shell call comes whole


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.thought},
        "total_tokens": usage.input + usage.output,
    }
