"""Reads the head of an HTTP/1 request: which host it is meant for, and where its body begins. Pure; hostile input.

Strict on purpose (RFC 9112): whatever two programs could read in two ways is refused.
"""

from __future__ import annotations

import re
from typing import Literal

from runner.model.base import Record

MAX_HEAD = 64 * 1024
MAX_HEADERS = 200

_METHOD = re.compile(rb"[A-Z][A-Z-]{0,31}")
_FORBIDDEN_METHODS = frozenset({b"CONNECT", b"TRACE", b"TRACK", b"PURGE"})
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_SPOOFS = re.compile(rb"forwarded|x-forwarded-.*|x-real-ip|x-original-.*|x-rewrite-url|proxy-.*", re.IGNORECASE)
"""Headers that speak for a proxy in front, or to one: a server could take them for the truth on host or path."""
_AUTHORITY = re.compile(rb"([A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?")


class HeadError(ValueError):
    """The bytes are no request that can be read in one way only; the message says why, in stable words."""


class Head(Record):
    """A request's head."""

    method: str
    target: str
    """In origin form: it begins with `/`, or is `*` for OPTIONS."""
    version: Literal["HTTP/1.1", "HTTP/1.0"]
    host: str
    """Canonical: small letters, no trailing dot, no port."""
    port: int | None
    headers: tuple[tuple[bytes, bytes], ...]
    """Names as they were sent, values trimmed."""
    size: int
    """Bytes of the head, the empty line included."""

    def values(self, name: str) -> list[bytes]:
        """The values of a header, whatever its letters' case."""
        wanted = name.lower().encode()
        return [value for key, value in self.headers if key.lower() == wanted]

    @property
    def body(self) -> int | None:
        """How many bytes follow the head; `None` for a chunked body."""
        if self.values("transfer-encoding"):
            return None
        return int(next(iter(self.values("content-length")), b"0"))

    @property
    def asks_for_websocket(self) -> bool:
        """Whether it asks for the one protocol that may follow HTTP on a connection (RFC 6455)."""
        connection = b",".join(self.values("connection")).lower()
        asked = [value.lower() for value in self.values("upgrade")]
        return asked == [b"websocket"] and b"upgrade" in {word.strip() for word in connection.split(b",")}

    def passed_on(self) -> bytes:
        """The head as the server gets it: written anew, so that both ends read the same.

        Left out: what proxies say of themselves, and offers of another protocol (`h2c`), under which requests
        could no longer be seen; a server then answers in HTTP/1.1 (RFC 9110, 7.8).
        """
        kept = [(name, value) for name, value in self.headers if not _SPOOFS.fullmatch(name)]
        if not self.asks_for_websocket:
            kept = [(name, value) for name, value in kept if name.lower() not in {b"upgrade", b"http2-settings"}]
        line = f"{self.method} {self.target} {self.version}".encode("latin-1")
        return b"\r\n".join([line, *(name + b": " + value for name, value in kept), b"", b""])


def parse_head(data: bytes) -> Head | None:
    """The head of the request that `data` begins with; `None` when more bytes are needed. Raises `HeadError`."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if len(data) > MAX_HEAD:
            raise HeadError("request head too long")
        _refuse_early(data)
        return None
    if end > MAX_HEAD:
        raise HeadError("request head too long")
    request, *lines = data[:end].split(b"\r\n")
    method, target, version = _request_line(request)
    headers = parse_headers(lines)
    host, port = _host(headers)
    head = Head(method=method, target=target, version=version, host=host, port=port, headers=headers, size=end + 4)
    _refuse_ambiguous_length(head)
    if head.asks_for_websocket and head.body != 0:
        raise HeadError("a body with a request for a websocket")
    return head


def _refuse_early(data: bytes) -> None:
    """What begins like no request is told apart at once, rather than after more bytes that may never come."""
    line, ended, _ = data.partition(b"\r\n")
    if ended:
        _request_line(line)
    elif data and not _METHOD.fullmatch(data[:33].partition(b" ")[0]):
        raise HeadError("not HTTP")
    if b"\n" in data.replace(b"\r\n", b""):
        raise HeadError("a bare line feed")


def _request_line(line: bytes) -> tuple[str, str, Literal["HTTP/1.1", "HTTP/1.0"]]:
    words = line.split(b" ")
    if len(words) != 3 or not _METHOD.fullmatch(words[0]) or words[2] not in {b"HTTP/1.1", b"HTTP/1.0"}:
        raise HeadError("not HTTP/1")
    method, target = words[0], words[1]
    if method in _FORBIDDEN_METHODS:
        raise HeadError(f"method {method.decode()}")
    if not (target.startswith(b"/") or (method == b"OPTIONS" and target == b"*")) or target.startswith(b"//"):
        raise HeadError("a target that is no path")
    if any(byte <= 0x20 or byte in {0x7F, 0x5C} for byte in target):  # 0x5C: backslash, a slash to some
        raise HeadError("a control character or a backslash in the target")
    version: Literal["HTTP/1.1", "HTTP/1.0"] = "HTTP/1.1" if words[2] == b"HTTP/1.1" else "HTTP/1.0"
    return method.decode("ascii"), target.decode("latin-1"), version


def parse_headers(lines: list[bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """Names and trimmed values. Raises `HeadError`, also for a line that goes on with the one before."""
    if len(lines) > MAX_HEADERS:
        raise HeadError("too many headers")
    found = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name):
            raise HeadError("a malformed header")
        value = value.strip(b" \t")
        if not _VALUE.fullmatch(value):
            raise HeadError("a control character in a header")
        found.append((name, value))
    return tuple(found)


def _host(headers: tuple[tuple[bytes, bytes], ...]) -> tuple[str, int | None]:
    hosts = [value for name, value in headers if name.lower() == b"host"]
    if len(hosts) != 1:
        raise HeadError("no Host header" if not hosts else "more than one Host header")
    match = _AUTHORITY.fullmatch(hosts[0])
    if match is None:
        raise HeadError("a Host header that is no name")
    return match[1].decode("ascii").lower().removesuffix("."), int(match[2]) if match[2] else None


def _refuse_ambiguous_length(head: Head) -> None:
    """Where a body ends must be said once: else the next request could hide in it (RFC 9112, 6.3)."""
    lengths, codings = head.values("content-length"), head.values("transfer-encoding")
    if len(lengths) > 1 or (lengths and codings) or len(codings) > 1:
        raise HeadError("more than one word on the body's length")
    if lengths and not _LENGTH.fullmatch(lengths[0]):
        raise HeadError("a malformed Content-Length")
    if codings and (codings[0].lower() != b"chunked" or head.version == "HTTP/1.0"):
        raise HeadError("a transfer coding other than chunked in HTTP/1.1")
