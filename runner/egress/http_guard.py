"""Watches one plain HTTP connection: every request on it is for the host that it was opened to. Pure."""

from __future__ import annotations

import re
from enum import Enum

from runner.egress.http_body import Body, body_of
from runner.egress.http_head import Head, HeadError, parse_head

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: |\r\n)")
_MAX_ANSWER = 64 * 1024


class State(Enum):
    """What the client's next bytes are."""

    HEAD = "head"
    BODY = "body"
    ASKED = "asked"
    """A websocket was asked for, and not yet answered: what the client's next bytes are, nobody knows yet."""
    OPEN = "open"
    """The server switched to it: no HTTP any more."""


class HttpGuard:
    """Both directions of one connection to `host`; what it returns may be passed on.

    A websocket may be asked for by the first request alone: then the first answer is the answer to that.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._state = State.HEAD
        self._held = b""
        self._body: Body = body_of(0)
        self._requests = 0
        self._answer = b""

    @property
    def within_head(self) -> bool:
        """Whether a request has begun whose head has not ended: a client may not take its time with that."""
        return self._state is State.HEAD and bool(self._held)

    def outgoing(self, data: bytes) -> bytes:
        """What of the client's bytes, held and new, may go to the server. Raises `HeadError`."""
        if self._state is State.OPEN:
            return data
        out = []
        data, self._held = self._held + data, b""
        while data:
            if self._state is State.ASKED:
                raise HeadError("bytes before the websocket was answered")
            if self._state is State.BODY:
                taken = self._body.take(data)
                out.append(data[:taken])
                data = data[taken:]
                self._state = State.HEAD if self._body.ended else State.BODY
                continue
            head = parse_head(data)
            if head is None:
                self._held = data
                break
            out.append(self._accept(head))
            data = data[head.size :]
        return b"".join(out)

    def _accept(self, head: Head) -> bytes:
        self._check_host(head)
        if head.asks_for_websocket:
            if self._requests > 1:
                raise HeadError("a websocket asked for by a later request")
            self._state = State.ASKED
        else:
            self._follow(body_of(head.body))
        return head.passed_on()

    def _check_host(self, head: Head) -> None:
        if head.host != self._host or head.port not in {None, self._port}:
            raise HeadError("a Host header that is not the name")
        self._requests += 1

    def _follow(self, body: Body) -> None:
        self._body = body
        self._state = State.HEAD if body.ended else State.BODY

    def incoming(self, data: bytes) -> None:
        """Look at the server's bytes, which all go to the client. Raises `HeadError` when they answer no HTTP."""
        if self._state is not State.ASKED:
            return
        self._answer += data
        while (end := self._answer.find(b"\r\n\r\n")) >= 0:
            match = _STATUS.match(self._answer)
            if match is None:
                break
            status = int(match[1])
            if status == 101:
                self._state, self._answer = State.OPEN, b""
                return
            if status >= 200:
                self._state, self._answer = State.HEAD, b""
                return
            self._answer = self._answer[end + 4 :]  # an interim answer: another one follows
        else:
            if len(self._answer) <= _MAX_ANSWER:
                return
        raise HeadError("an answer that is not HTTP")
