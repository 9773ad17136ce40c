"""Reads the answers of a server that was given a credential, and passes them on without it. Pure; hostile input.

Heads and bodies are told apart, and chunks are made anew: a value that is split between two chunks is one value.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable

from runner.egress.budget import CountedAnswer, UsageCounter
from runner.egress.http_body import Body, ChunkedBody, SizedBody
from runner.egress.http_head import MAX_HEAD, HeadError, parse_headers
from runner.egress.usage import Asked
from runner.redact import MIN_LENGTH, Redactor

MOST_WAITING = 100
"""Requests that may be under way on one connection."""

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_DROPPED = frozenset({b"trailer", b"alt-svc"})
"""Trailers are left out, and so is an offer of another protocol, which the sandbox could not take up."""


class UntilEnd:
    """A body that ends with its connection."""

    ended = False

    def take(self, data: bytes) -> int:
        """All of it."""
        return len(data)


class Answers:
    """The server's half of one connection; what it returns may be passed on.

    Every spelling that is hidden is replaced by as many asterisks. Memory is constant: what may be the beginning of
    a hidden value waits for the next bytes, or for the end of the body.
    """

    def __init__(self, hidden: Iterable[str], usage: UsageCounter | None = None) -> None:
        self._usage = usage or UsageCounter()
        self._counted: CountedAnswer | None = None
        self._hidden = tuple(hidden)
        self._redactor = Redactor(self._hidden, same_length=True)
        self._asked: deque[Asked] = deque()
        self._held = b""
        self._body: Body | None = None

    @property
    def waiting(self) -> bool:
        """Whether an answer, or the rest of one, is still to come."""
        return bool(self._asked) or self._body is not None

    def asked(self, method: str, target: str = "") -> Asked:
        """A request goes out; its size is for the caller to count. Raises `HeadError` when too many wait."""
        if len(self._asked) >= MOST_WAITING:
            raise HeadError("too many requests at once")
        asked = Asked(method, target)
        self._asked.append(asked)
        return asked

    def incoming(self, data: bytes) -> bytes:
        """What of the server's bytes, held and new, may go to the client. Raises `HeadError`."""
        out = []
        data, self._held = self._held + data, b""
        while data:
            if self._body is not None:
                taken, shown = self._read_body(self._body, data)
                out.append(shown)
                data = data[taken:]
                continue
            end = data.find(b"\r\n\r\n")
            if end > MAX_HEAD or (end < 0 and len(data) > MAX_HEAD):
                raise HeadError("the head of an answer too long")
            if end < 0:
                self._held = data
                break
            out.append(self._read_head(data[:end]))
            data = data[end + 4 :]
        return b"".join(out)

    def end(self) -> bytes:
        """What was held back when the server ends the connection."""
        self._asked.clear()  # it has answered none of these, and has cost nothing with them
        self._end_count()
        if self._body is None:
            return b""
        rest, self._body = _framed(self._body, self._rest()), None
        return rest

    def abandon(self) -> None:
        """Nobody waits for what is still to come: it has cost what it has cost."""
        self._end_count()
        while self._asked:
            self._usage.abandon(self._asked.popleft())

    def _end_count(self) -> None:
        counted, self._counted = self._counted, None
        if counted is not None:
            counted.end()

    def _read_body(self, body: Body, data: bytes) -> tuple[int, bytes]:
        taken = body.take(data)
        content = body.content if isinstance(body, ChunkedBody) else [(0, taken)]
        if self._counted is not None:
            for start, stop in content:
                self._counted.feed(data[start:stop])
        shown = b"".join(self._redactor.feed(data[start:stop]) for start, stop in content)
        if not body.ended:
            return taken, _framed(body, shown)
        self._end_count()
        self._body = None
        last = b"0\r\n\r\n" if isinstance(body, ChunkedBody) else b""
        return taken, _framed(body, shown + self._rest()) + last

    def _rest(self) -> bytes:
        """What was held back; the beginning of a value that was cut off is masked too, but for a few letters."""
        rest = self._redactor.flush()
        self._redactor = Redactor(self._hidden, same_length=True)
        return rest if len(rest) < MIN_LENGTH else b"*" * len(rest)

    def _read_head(self, data: bytes) -> bytes:
        line, *lines = data.split(b"\r\n")
        match = _STATUS.fullmatch(line)
        if match is None:
            raise HeadError("an answer that is not HTTP")
        headers = parse_headers(lines)
        self._begin(int(match[1]), headers)
        kept = [name + b": " + value for name, value in headers if name.lower() not in _DROPPED]
        redactor = Redactor(self._hidden, same_length=True)
        return redactor.feed(b"\r\n".join([line, *kept])) + redactor.flush() + b"\r\n\r\n"

    def _begin(self, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        """Find out what follows a head (RFC 9112, 6.3)."""
        if status == 101:
            raise HeadError("an answer in another protocol")
        if status < 200:  # an interim answer: another one follows
            return
        asked = self._asked.popleft() if self._asked else Asked("")
        if asked.method == "HEAD" or status in {204, 304}:
            return
        body = _announced(headers)
        if any(
            value.lower() not in {b"", b"identity"} for name, value in headers if name.lower() == b"content-encoding"
        ):
            raise HeadError("a compressed answer, in which a credential could not be seen")
        if not body.ended:
            self._body = body
            kind = next((value for name, value in headers if name.lower() == b"content-type"), b"")
            self._counted = self._usage.follow(asked, status, kind)


def _announced(headers: tuple[tuple[bytes, bytes], ...]) -> Body:
    lengths = [value for name, value in headers if name.lower() == b"content-length"]
    codings = [value for name, value in headers if name.lower() == b"transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        raise HeadError("more than one word on an answer's length")
    if codings:
        if codings[0].lower() != b"chunked":
            raise HeadError("an answer in a transfer coding other than chunked")
        return ChunkedBody()
    if lengths:
        if not _LENGTH.fullmatch(lengths[0]):
            raise HeadError("a malformed Content-Length of an answer")
        return SizedBody(int(lengths[0]))
    return UntilEnd()


def _framed(body: Body, content: bytes) -> bytes:
    """As a chunk where the body is chunked."""
    return b"%x\r\n%s\r\n" % (len(content), content) if content and isinstance(body, ChunkedBody) else content
