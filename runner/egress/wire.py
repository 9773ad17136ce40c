"""The lines between shim and gateway: ASCII, short, and nothing but names and ports. Pure; hostile input."""

from __future__ import annotations

import re
from functools import lru_cache

from runner.model.base import Record

MAX_LINE = 512
_LINE = re.compile(rb"(LOOKUP|CONNECT) ([\x21-\x7e]{1,300})")
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_SHOWN_PORTS = 64


class WireError(ValueError):
    """A line that is not of the protocol; the message says why, in stable words."""


class Lookup(Record):
    """The shim asks which ports of a name may be reached."""

    name: str
    """As the sandbox wrote it: nothing is known of it but that it is printable ASCII."""


class Connect(Record):
    """The shim asks to be connected."""

    name: str
    """As the sandbox wrote it: nothing is known of it but that it is printable ASCII."""
    port: int


@lru_cache(maxsize=256)
def parse_line(line: bytes) -> Lookup | Connect:
    """Reads one line, without its line feed. Raises `WireError`."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise WireError("malformed-line")
    text = match[2].decode("ascii")
    if match[1] == b"LOOKUP":
        return Lookup(name=text)
    name, colon, port = text.rpartition(":")
    if not (colon and name and _PORT.fullmatch(port) and int(port) <= 65535):
        raise WireError("malformed-port")
    return Connect(name=name, port=int(port))


def ports_line(ports: tuple[int, ...]) -> bytes:
    """The answer to a lookup that is allowed; a line holds the first 64 ports."""
    return f"PORTS {','.join(str(port) for port in ports[:_SHOWN_PORTS])}\n".encode()


def no_line(reason: str) -> bytes:
    """The answer to what is refused."""
    return f"NO {reason}\n".encode("ascii", "replace")[:MAX_LINE]


OK = b"OK\n"
