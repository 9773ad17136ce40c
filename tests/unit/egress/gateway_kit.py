"""A gateway with a made-up internet: its own resolver, and a dial that reaches servers on loopback alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.egress.addresses import Address, compile_private
from runner.egress.budget import Budget
from runner.egress.credential import Injected
from runner.egress.dial import Dial, dial_tcp
from runner.egress.gateway import GATEWAY_SOCKET, Gateway, GatewayLimits, GatewayOrder, open_gateway
from runner.egress.outside import Outside
from runner.egress.resolver import FixedResolver, Resolver
from runner.egress.rules import compile_rules
from runner.model.policy import Network

PUBLIC = "198.41.0.4"
"""What names of tests resolve to when they are public: no packet ever goes there, `Internet` dials for it."""
Serve = Callable[[socket.socket], None]


@dataclass
class Internet:
    """Servers by port, all on loopback; everything that was dialled is remembered, also when nobody is there."""

    servers: dict[int, int] = field(default_factory=dict)
    dialled: list[tuple[str, int]] = field(default_factory=list)

    async def dial(self, address: Address, port: int) -> socket.socket:
        self.dialled.append((str(address), port))
        if port not in self.servers:
            raise ConnectionRefusedError(111, "Connection refused")
        loop = asyncio.get_running_loop()
        upstream = socket.socket()
        upstream.setblocking(False)
        await loop.sock_connect(upstream, ("127.0.0.1", self.servers[port]))
        return upstream


class Sandbox:
    """The shim's end."""

    def __init__(self, gateway: Gateway, folder: Path, internet: Internet, audit: Path) -> None:
        self.gateway = gateway
        self.internet = internet
        self._folder = folder
        self._audit = audit

    @contextlib.contextmanager
    def connection(self) -> Iterator[socket.socket]:
        handle = os.open(self._folder, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as end:
            end.settimeout(10)
            end.connect(f"/proc/self/fd/{handle}/{GATEWAY_SOCKET}")
            os.close(handle)
            yield end

    def ask(self, line: str | bytes) -> str:
        """One line's answer, without its line feed; empty when the gateway closed."""
        with self.connection() as end:
            with contextlib.suppress(BrokenPipeError):  # its answer may be there already
                end.sendall(line if isinstance(line, bytes) else f"{line}\n".encode())
            with contextlib.suppress(ConnectionResetError):  # it closed without reading to the end
                return read_line(end)
            return ""

    @contextlib.contextmanager
    def tunnel(self, target: str) -> Iterator[socket.socket]:
        with self.connection() as end:
            end.sendall(f"CONNECT {target}\n".encode())
            assert read_line(end) == "OK"
            yield end

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._audit.read_text().splitlines()]

    def record(self, name: str, kind: str = "connect") -> dict[str, Any]:
        """The one line on `name`; waits for it."""
        wait_for(lambda: any(_is(line, name, kind) for line in self.records()))
        found = [line for line in self.records() if _is(line, name, kind)]
        assert len(found) == 1, found
        return found[0]


def _is(line: dict[str, Any], name: str, kind: str) -> bool:
    return bool(line["kind"] == kind and line.get("name", "") == name)


def wait_for(true: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def read_line(end: socket.socket) -> str:
    line = b""
    while not line.endswith(b"\n"):
        piece = end.recv(1)
        if not piece:
            return line.decode()
        line += piece
    return line[:-1].decode()


def read_all(end: socket.socket) -> bytes:
    """To the end, or to a reset."""
    out = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while piece := end.recv(65536):
            out += piece
    return bytes(out)


@contextlib.contextmanager
def sandbox(
    folder: Path,
    *allow: str,
    deny: Sequence[str] = (),
    private: Sequence[str] = (),
    mode: str = "allow",
    names: Mapping[str, Sequence[str]] | None = None,
    servers: Mapping[int, int] | None = None,
    upload_limit: int = 10**9,
    limits: GatewayLimits | None = None,
    resolver: Resolver | None = None,
    own: Sequence[Address] = (),
    real: bool = False,
    injections: tuple[Injected, ...] = (),
    tls: ssl.SSLContext | None = None,
    budget: Budget | None = None,
) -> Iterator[Sandbox]:
    """A sandbox behind a gateway; `real` dials by TCP, for names that resolve to loopback."""
    control, audit = folder / "control", folder / "egress.jsonl"
    control.mkdir(exist_ok=True)
    internet = Internet(dict(servers or {}))
    network = Network.model_validate({"mode": mode, "allow": allow, "deny": deny, "private": private})
    dial: Dial = dial_tcp if real else internet.dial
    order = GatewayOrder(
        rules=compile_rules(network, {}),
        private=compile_private(network.private),
        upload_limit=upload_limit,
        folder=control,
        audit=audit,
        outside=Outside(resolver=resolver or FixedResolver(names or {}), dial=dial, own=lambda: frozenset(own)),
        limits=limits or GatewayLimits(),
        injections=injections,
        tls=tls,
        budget=budget or Budget(),
    )
    with open_gateway(order) as gateway:
        yield Sandbox(gateway, control, internet, audit)
    assert gateway.failed == ""


@contextlib.contextmanager
def server(serve: Serve) -> Iterator[int]:
    """A server on loopback, a thread for each connection; gives its port."""
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:

        def one(peer: socket.socket) -> None:
            with peer, contextlib.suppress(OSError):
                peer.settimeout(10)
                serve(peer)

        def accept() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=one, args=(peer,), daemon=True))
                threads[-1].start()

        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join(5)
            for thread in threads:
                thread.join(5)


def echo(peer: socket.socket) -> None:
    while piece := peer.recv(65536):
        peer.sendall(piece)


def count(peer: socket.socket) -> None:
    """Reads to the end, then says how much that was: needs half-close."""
    total = 0
    while piece := peer.recv(65536):
        total += len(piece)
    peer.sendall(b"%d" % total)
