"""Reads the server name from the first bytes of a TLS connection (RFC 8446, 4.1.2; RFC 6066, 3). Pure; hostile."""

from __future__ import annotations

from enum import StrEnum

MAX_HELLO = 32 * 1024
MAX_RECORDS = 8
_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME = 0
_ENCRYPTED = frozenset({0xFFCE, *range(0xFE08, 0xFE0E)})
"""Encrypted names and hellos: the drafts' numbers and that of RFC 9849."""
_RECORD_HEADER = 5
_MAX_RECORD = 2**14 + 256


class HelloError(ValueError):
    """The bytes are no ClientHello that names exactly one server; the message says why, in stable words."""


class More(StrEnum):
    """Not enough bytes yet."""

    BYTES = "more-bytes"


class _Reader:
    """Takes length-prefixed fields off a piece of bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise HelloError("malformed ClientHello")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def field(self, size: int) -> bytes:
        return self.take(self.number(size))

    def finish(self) -> None:
        if self.left:
            raise HelloError("malformed ClientHello")

    @property
    def left(self) -> int:
        return len(self.data) - self.at


def server_name(data: bytes) -> str | More:
    """The one host name of a ClientHello, as it was sent, or `More.BYTES`. Raises `HelloError`.

    An encrypted ClientHello hides the name that is meant behind another one, so it is refused.
    """
    hello = _hello(data)
    if isinstance(hello, More):
        return hello
    reader = _Reader(hello)
    reader.take(2 + 32)  # version, random
    reader.field(1)  # session id
    reader.field(2)  # cipher suites
    reader.field(1)  # compression methods
    names = _names(reader.field(2)) if reader.left else []
    reader.finish()
    if len(names) != 1:
        raise HelloError("no server name" if not names else "more than one server name")
    return names[0]


def _hello(data: bytes) -> bytes | More:
    """The handshake message, put together from its records."""
    message = b""
    at = records = 0
    while len(data) - at >= _RECORD_HEADER:
        kind, major = data[at], data[at + 1]
        size = int.from_bytes(data[at + 3 : at + 5], "big")
        if kind != _HANDSHAKE or major != 3 or not 0 < size <= _MAX_RECORD:  # 3: SSL 3.0 and every TLS
            raise HelloError("not TLS")
        records += 1
        if records > MAX_RECORDS:  # a record for every byte would cost the square of its length
            raise HelloError("ClientHello in too many records")
        message += data[at + _RECORD_HEADER : at + _RECORD_HEADER + size]
        if message and message[0] != _CLIENT_HELLO:
            raise HelloError("not a ClientHello")
        if len(message) >= 4:  # type and length
            length = int.from_bytes(message[1:4], "big")
            if length > MAX_HELLO:
                raise HelloError("ClientHello too long")
            if len(message) >= 4 + length:
                return message[4 : 4 + length]
        at += _RECORD_HEADER + size
    if data[:1] and data[0] != _HANDSHAKE:
        raise HelloError("not TLS")
    if len(data) > MAX_HELLO:
        raise HelloError("ClientHello too long")
    return More.BYTES


def _names(extensions: bytes) -> list[str]:
    reader = _Reader(extensions)
    seen: set[int] = set()
    names: list[str] = []
    while reader.left:
        kind, body = reader.number(2), reader.field(2)
        if kind in seen:
            raise HelloError("an extension stands twice")
        seen.add(kind)
        if kind in _ENCRYPTED:
            raise HelloError("encrypted ClientHello")
        if kind == _SERVER_NAME:
            names = _host_names(body)
    return names


def _host_names(body: bytes) -> list[str]:
    outer = _Reader(body)
    reader = _Reader(outer.field(2))
    outer.finish()
    names = []
    while reader.left:
        if reader.number(1) != 0:  # no other type was ever defined, and what follows one cannot be told
            raise HelloError("malformed ClientHello")
        try:
            names.append(reader.field(2).decode("ascii"))
        except UnicodeDecodeError as error:
            raise HelloError("a server name that is not ASCII") from error
    return names
