"""Asks the kernel for every address of this host (rtnetlink(7), RTM_GETADDR)."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from collections.abc import Iterator

from runner.egress.addresses import Address

_NEWADDR, _GETADDR, _DONE, _ERROR = 20, 22, 3, 2
_REQUEST_DUMP = 0x301
_ADDRESS, _LOCAL = 1, 2
_HEADER = struct.Struct("=LHHLL")
_IFADDR = struct.Struct("=BBBBL")
_ATTRIBUTE = struct.Struct("=HH")


def own_addresses() -> frozenset[Address]:
    """The addresses of all interfaces of this host, both families. Raises OSError when the kernel does not say."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(2)
        kernel.bind((0, 0))
        request = _IFADDR.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        kernel.send(_HEADER.pack(_HEADER.size + len(request), _GETADDR, _REQUEST_DUMP, 1, 0) + request)
        found: set[Address] = set()
        while True:
            for kind, body in _messages(kernel.recv(65536)):
                if kind == _DONE:
                    return frozenset(found)
                if kind == _ERROR:
                    code = -int.from_bytes(body[:4], "little", signed=True)
                    raise OSError(code, os.strerror(code))
                if kind == _NEWADDR:
                    found.update(_addresses(body))


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _HEADER.size:
        size, kind = _HEADER.unpack_from(data)[:2]
        yield kind, data[_HEADER.size : size]
        data = data[(size + 3) & ~3 :]


def _addresses(body: bytes) -> Iterator[Address]:
    data = body[_IFADDR.size :]
    while len(data) >= _ATTRIBUTE.size:
        size, kind = _ATTRIBUTE.unpack_from(data)
        if kind in {_ADDRESS, _LOCAL} and size - _ATTRIBUTE.size in {4, 16}:
            yield ipaddress.ip_address(data[_ATTRIBUTE.size : size])
        data = data[max((size + 3) & ~3, _ATTRIBUTE.size) :]
