"""Gemini, https://ai.google.dev/api/generate-content: the model is in the path, not in the body."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.models.wire import Asked, Line, Reply, Tool, Usage, event, fresh, mapping, objects, plain, word

PATH = re.compile(r"/models/([^/:?]+):(\w+)")
ERRORS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}


def read(path: str, body: dict[str, Any]) -> Asked:
    """The question in a body of `POST /v1beta/models/M:generateContent` or `:streamGenerateContent`."""
    found = PATH.search(path)
    config = mapping(body.get("generationConfig"))
    return Asked(
        model=found[1] if found else "unknown",
        stream=found is not None and found[2] == "streamGenerateContent",
        system=plain(mapping(body.get("systemInstruction")).get("parts")),
        lines=tuple(_line(content) for content in objects(body.get("contents"))),
        tools=tuple(
            Tool(tool["name"], mapping(tool.get("parametersJsonSchema")) or mapping(tool.get("parameters")))
            for group in objects(body.get("tools"))
            for tool in objects(group.get("functionDeclarations"))
            if isinstance(tool.get("name"), str)
        ),
        schema=mapping(config.get("responseJsonSchema")) or mapping(config.get("responseSchema")) or None,
    )


def _line(content: dict[str, Any]) -> Line:
    parts = objects(content.get("parts"))
    if content.get("role") == "model":
        return Line("model", plain(parts), any("functionCall" in part for part in parts))
    results = [mapping(mapping(part.get("functionResponse")).get("response")) for part in parts]
    told = "\n".join(str(value) for result in results for value in result.values())
    is_tool = any("functionResponse" in part for part in parts)
    return Line("tool", f"{told}\n{plain(parts)}") if is_tool else Line("user", plain(parts))


def stream(asked: Asked, reply: Reply) -> Iterator[bytes]:
    """The answer as events; each repeats the usage, so it must not be summed."""
    identity = fresh("")
    for piece in reply.pieces():
        yield event(_document(asked, reply, identity, [{"text": piece}]))
    yield event(_document(asked, reply, identity, _call_parts(reply), "STOP"))


def whole(asked: Asked, reply: Reply) -> dict[str, Any]:
    """The answer as one document."""
    parts = [{"text": reply.text}] if reply.text else []
    return _document(asked, reply, fresh(""), [*parts, *_call_parts(reply)], "STOP")


def failure(code: int, message: str) -> dict[str, Any]:
    """An error document; one for too many requests says when to come again."""
    error: dict[str, Any] = {"code": code, "message": message, "status": ERRORS.get(code, "UNAVAILABLE")}
    if code == 429:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}]
    return {"error": error}


def counted(asked: Asked) -> dict[str, Any]:
    """The answer to `:countTokens`."""
    return {"totalTokens": 1 + len(asked.everything) // 4}


def _call_parts(reply: Reply) -> list[dict[str, Any]]:
    return [{"functionCall": {"name": reply.call.name, "args": reply.call.arguments}}] if reply.call else []


def _document(
    asked: Asked, reply: Reply, identity: str, parts: list[dict[str, Any]], finish: str | None = None
) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts or [{"text": ""}]}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": _usage(reply.usage),
        "modelVersion": word(asked.model),
        "responseId": identity,
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "promptTokenCount": usage.input,
        "cachedContentTokenCount": usage.cached,
        "candidatesTokenCount": usage.output - usage.thought,
        "thoughtsTokenCount": usage.thought,
        "totalTokenCount": usage.input + usage.output,
    }
