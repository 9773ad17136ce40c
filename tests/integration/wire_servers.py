"""Servers that speak their protocol byte by byte: as much of HTTP/2 and of PostgreSQL as one request needs."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import Awaitable, Callable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# --- HTTP/2 (RFC 9113) --------------------------------------------------------------------------------------------

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, ACK, END_HEADERS = 1, 1, 4
STATUS_200 = b"\x88"
"""RFC 7541, appendix A: entry 8 of the static table."""


def frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    """One frame."""
    return struct.pack("!I", len(body))[1:] + struct.pack("!BBI", kind, flags, stream) + body


async def http2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Every request is answered with 200 and one line; what it asks for is not looked at."""
    assert await reader.readexactly(len(PREFACE)) == PREFACE
    writer.write(frame(SETTINGS, 0, 0))
    while True:
        head = await reader.readexactly(9)
        kind, flags, stream = struct.unpack("!BBI", head[3:])
        await reader.readexactly(int.from_bytes(head[:3]))
        if kind == SETTINGS and not flags & ACK:
            writer.write(frame(SETTINGS, ACK, 0))
        if kind == HEADERS:
            writer.write(frame(HEADERS, END_HEADERS, stream, STATUS_200))
            writer.write(frame(DATA, END_STREAM, stream, b"over two\n"))


# --- PostgreSQL (its manual, "Message Formats") -------------------------------------------------------------------

SSL_REQUEST = 80877103
TEXT = 25


def message(kind: bytes, body: bytes = b"") -> bytes:
    """One message of the server."""
    return kind + struct.pack("!I", len(body) + 4) + body


def postgres(context: ssl.SSLContext) -> Serve:
    """A database that asks for no password, speaks TLS when asked to, and answers every query with `forty-two`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, code = struct.unpack("!II", await reader.readexactly(8))
        assert code == SSL_REQUEST
        writer.write(b"S")
        await writer.start_tls(context)
        await reader.readexactly(struct.unpack("!I", await reader.readexactly(4))[0] - 4)
        parameters = b"".join(
            message(b"S", b"%s\0%s\0" % pair) for pair in ((b"server_version", b"15.0"), (b"client_encoding", b"UTF8"))
        )
        writer.write(message(b"R", struct.pack("!I", 0)) + parameters + message(b"Z", b"I"))
        while (kind := await reader.readexactly(1)) != b"X":
            await reader.readexactly(struct.unpack("!I", await reader.readexactly(4))[0] - 4)
            assert kind == b"Q"
            column = struct.pack("!H", 1) + b"answer\0" + struct.pack("!IHIhih", 0, 0, TEXT, -1, -1, 0)
            row = struct.pack("!HI", 1, 9) + b"forty-two"
            writer.write(
                message(b"T", column) + message(b"D", row) + message(b"C", b"SELECT 1\0") + message(b"Z", b"I")
            )

    return serve
