"""ClientHellos, put together by hand and by OpenSSL."""

from __future__ import annotations

import contextlib
import ssl
import struct


def field(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size, "big") + content


def sni(*names: bytes, kind: int = 0) -> bytes:
    return struct.pack(">H", 0) + field(2, field(2, b"".join(bytes([kind]) + field(2, name) for name in names)))


def extension(number: int, content: bytes = b"") -> bytes:
    return struct.pack(">H", number) + field(2, content)


def hello(*extensions: bytes, after: bytes = b"") -> bytes:
    """A handshake message."""
    body = b"\x03\x03" + bytes(32) + field(1, b"") + field(2, b"\x13\x01") + field(1, b"\0")
    return b"\x01" + field(3, body + field(2, b"".join(extensions)) + after)


def records(message: bytes, size: int = 16384) -> bytes:
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + field(2, piece) for piece in pieces)


def named(name: str) -> bytes:
    """A whole ClientHello for a name."""
    return records(hello(extension(10, b"\0\2\0\x1d"), sni(name.encode())))


def from_openssl(name: str | None) -> bytes:
    """What a real client sends."""
    context = ssl.create_default_context()
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()
