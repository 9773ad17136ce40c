"""A made-up internet for whole runs: names under .test, servers on loopback, and a record of all that was dialled."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from runner.egress.addresses import Address
from runner.egress.outside import Outside
from runner.egress.resolver import FixedResolver

PUBLIC = "198.41.0.4"
"""What names resolve to when nothing else is said: no packet ever goes there, `dial` goes to loopback instead."""


class Internet:
    """Names and servers; `outside` is what a `Host` is given. Nothing but a loopback address is ever connected to."""

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        self.names = dict(names or {})
        self.servers: dict[tuple[str, int], int] = {}
        """(address, port) to a port on 127.0.0.1."""
        self.dialled: list[tuple[str, int]] = []
        self.resolver = FixedResolver({})

    def outside(self) -> Outside:
        """The gateway's view of it."""
        self.resolver = FixedResolver({name: [address] for name, address in self.names.items()})
        return Outside(resolver=self.resolver, dial=self.dial)

    def serve(self, name: str, port: int, loopback_port: int, *, address: str = PUBLIC) -> None:
        """`name:port` is answered by whoever listens on 127.0.0.1:`loopback_port`."""
        self.names[name] = address
        self.servers[address, port] = loopback_port

    async def dial(self, address: Address, port: int) -> socket.socket:
        """A `Dial` that knows loopback alone."""
        self.dialled.append((str(address), port))
        if (str(address), port) not in self.servers:
            raise ConnectionRefusedError(111, "Connection refused")
        upstream = socket.socket()
        upstream.setblocking(False)
        await asyncio.get_running_loop().sock_connect(upstream, ("127.0.0.1", self.servers[str(address), port]))
        return upstream


class Page(BaseHTTPRequestHandler):
    """Answers every GET with one line."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"you asked {self.headers.get('Host')} for {self.path}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def web_server(handler: type[BaseHTTPRequestHandler] = Page) -> Iterator[int]:
    """A plain web server on loopback; gives its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
