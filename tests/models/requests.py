"""One HTTP request to the fake model: routed to its wire format, answered whole, as a stream, or with a trouble."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from types import ModuleType
from typing import Any, cast

from tests.models import anthropic, gemini, openai_chat, openai_responses
from tests.models.dialogues import Trouble
from tests.models.memory import Heard, Memory
from tests.models.replies import at_work
from tests.models.wire import Asked, Dialect, Reply

ROUTES: tuple[tuple[str, ModuleType], ...] = (
    ("/messages", anthropic),
    ("/messages/count_tokens", anthropic),
    ("/responses", openai_responses),
    ("/chat/completions", openai_chat),
    (":generateContent", gemini),
    (":streamGenerateContent", gemini),
    (":countTokens", gemini),
)
"""How a path ends, and who reads it."""
GARBAGE = b'\x00\xff\xfe<html>{]}\r\n\r\ndata\x80: {"type": \n\n' * 3
MODELS = ("claude-sonnet-4-5", "gpt-5", "gemini-2.5-pro")
DRIP = 0.05
"""Seconds between two pieces of an answer without end."""


class ModelRequests(BaseHTTPRequestHandler):
    """All requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 0
    memory: Memory

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        """A probe."""
        self._hear("")
        self._document(200, {})

    def do_GET(self) -> None:
        """A probe, or a list of models."""
        self._hear("")
        path = self.path.partition("?")[0]
        if path == "/":
            self._document(200, {"status": "ok"})
        elif path.endswith("/models"):
            self._document(200, _models(path))
        else:
            self._document(404, openai_chat.failure(404, f"nothing at {path}"))

    def do_POST(self) -> None:
        """A question."""
        raw = self._body().decode(errors="replace")
        path = self.path.partition("?")[0]
        module = next((module for end, module in ROUTES if path.endswith(end)), None)
        if module is None:
            self._hear(raw)
            self._document(404, openai_chat.failure(404, f"nothing at {path}"))
            return
        dialect = cast(Dialect, module)
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            self._hear(raw)
            self._document(400, dialect.failure(400, "the body is no JSON object"))
        elif path.endswith(("/count_tokens", ":countTokens")):
            self._hear(document)
            self._document(200, module.counted(dialect.read(path, document)))
        else:
            self._question(dialect, document, dialect.read(path, document))

    # --- answers --------------------------------------------------------------------------------------------------

    def _question(self, dialect: Dialect, document: dict[str, Any], asked: Asked) -> None:
        self._hear(document, asked)
        fault = self.memory.trouble(asked)
        match fault.trouble if fault else None:
            case Trouble.SILENT:
                self._never()
            case Trouble.GARBAGE:
                self._head(200, "text/event-stream" if asked.stream else "application/json", len(GARBAGE))
                self.wfile.write(GARBAGE)
            case Trouble.RATE_LIMITED:
                self._document(429, dialect.failure(429, "Too many requests, come again in 1 s"), {"Retry-After": "1"})
            case Trouble.OVERLOADED:
                code = 529 if dialect is anthropic else 503
                self._document(code, dialect.failure(code, "Overloaded"))
            case Trouble.CUT:
                self._cut(dialect, asked, self.memory.reply(asked), fault.share if fault else 1)
            case None:
                self._answer(dialect, asked, self.memory.reply(asked))

    def _answer(self, dialect: Dialect, asked: Asked, reply: Reply) -> None:
        """The whole answer; it is billed before its last event is sent, so that who has read it finds it billed."""
        if asked.stream:
            self._stream(self._slowly(dialect.stream(asked, reply), reply), asked, reply)
        elif reply.endless:
            self._never()
        else:
            self.memory.bill(reply.usage)
            self._document(200, dialect.whole(asked, reply))

    def _never(self) -> None:
        """Nothing, until the server ends."""
        self.memory.closing.wait()
        self.close_connection = True

    def _stream(self, frames: Iterator[bytes], asked: Asked, reply: Reply) -> None:
        self._head(200, "text/event-stream")
        last = next(frames)
        for frame in frames:
            self._chunk(last)
            last = frame
        if asked.wants_usage:
            self.memory.bill(reply.usage)
        self._chunk(last)
        self.wfile.write(b"0\r\n\r\n")

    def _slowly(self, frames: Iterator[bytes], reply: Reply) -> Iterator[bytes]:
        """The frames, with a pause between them when they have no end; `OSError` when the server ends meanwhile."""
        for frame in frames:
            if reply.endless and self.memory.closing.wait(DRIP):
                raise ConnectionAbortedError
            yield frame

    def _cut(self, dialect: Dialect, asked: Asked, reply: Reply, share: float) -> None:
        """The first part of the answer, and the end of the connection in the middle of an event."""
        if asked.stream:
            whole = b"".join(dialect.stream(asked, reply))
            self._head(200, "text/event-stream")
            self._chunk(whole[: max(1, int(len(whole) * share))])
        else:
            whole = json.dumps(dialect.whole(asked, reply)).encode()
            self._head(200, "application/json", len(whole))
            self.wfile.write(whole[: max(1, int(len(whole) * share))])
        self.close_connection = True

    # --- HTTP -----------------------------------------------------------------------------------------------------

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _hear(self, body: Any, asked: Asked | None = None) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        main = asked is not None and at_work(asked)
        heard = Heard(
            method=self.command,
            path=self.path,
            headers=headers,
            body=body,
            at=time.monotonic(),
            asked=asked,
            main=main,
        )
        self.memory.hear(heard)

    def _head(self, code: int, kind: str, size: int | None = None, extra: dict[str, str] | None = None) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        if size is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(size))
        self.end_headers()

    def _document(self, code: int, document: dict[str, Any], extra: dict[str, str] | None = None) -> None:
        body = json.dumps(document).encode()
        self._head(code, "application/json", len(body), extra)
        if self.command != "HEAD":
            self.wfile.write(body)

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


def _models(path: str) -> dict[str, Any]:
    """A list of models: Gemini's, or one that both OpenAI's and Anthropic's clients read."""
    if "/v1beta" in path:
        return {"models": [{"name": f"models/{name}", "displayName": name} for name in MODELS]}
    entries = [
        {"id": name, "object": "model", "type": "model", "display_name": name, "created": 0, "owned_by": "tests"}
        for name in MODELS
    ]
    return {"object": "list", "data": entries, "has_more": False}
