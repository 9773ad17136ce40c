"""The fake model API on loopback: HTTP/1.1, over TLS or plain, answers from a dialogue, remembers what it heard."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.models.memory import Choice, Heard, Memory
from tests.models.requests import ModelRequests
from tests.models.wire import Usage

if TYPE_CHECKING:
    from pathlib import Path

    import trustme


class ModelServer:
    """A running server, as a test sees it."""

    def __init__(self, memory: Memory, port: int, scheme: str) -> None:
        self._memory = memory
        self.port = port
        self.url = f"{scheme}://127.0.0.1:{port}"

    @property
    def heard(self) -> list[Heard]:
        """Every request so far, in order."""
        with self._memory.changed:
            return list(self._memory.heard)

    @property
    def main(self) -> list[Heard]:
        """The requests of the agent at work."""
        return [heard for heard in self.heard if heard.main]

    @property
    def spent(self) -> Usage:
        """The usage that was told in answers sent whole, on the side too; a chat stream tells it only when asked."""
        with self._memory.changed:
            return sum(self._memory.billed, Usage())

    @property
    def text(self) -> str:
        """Headers and bodies of all requests: where a test looks for what must not be there."""
        return "\n".join(json.dumps([heard.path, heard.headers, heard.body]) for heard in self.heard)

    def wait(self, count: int = 1, timeout: float = 60) -> list[Heard]:
        """The agent's first `count` requests. Raises `TimeoutError` when they don't come."""
        with self._memory.changed:
            if self._memory.changed.wait_for(lambda: sum(item.main for item in self._memory.heard) >= count, timeout):
                return [item for item in self._memory.heard if item.main][:count]
        raise TimeoutError(f"the model was asked {len(self.main)} times in {timeout} s, not {count}")


class _Server(ThreadingHTTPServer):
    """Closes the connections that are still open when it ends, so that no thread outlives it."""

    daemon_threads = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], memory: Memory, tls: ssl.SSLContext | None) -> None:
        self.memory = memory
        self._tls = tls
        self._open: set[socket.socket] = set()
        super().__init__(address, type("Requests", (ModelRequests,), {"memory": memory}))

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection; its handshake is left to its thread, so that a slow client delays nobody."""
        connection, address = super().get_request()
        if self._tls:
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no error; all else is told."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """End what is open."""
        self.memory.closing.set()
        for connection in list(self._open):
            try:
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            except OSError:
                continue


@contextmanager
def model_server(
    authority: trustme.CA | None,
    names: Sequence[str],
    dialogue: Choice,
    *,
    workdir: str = "/workspace",
    address: tuple[str, int] = ("127.0.0.1", 0),
    certificate: Path | None = None,
) -> Iterator[ModelServer]:
    """A model's API for these host names, over TLS with a certificate of `authority`, or with the key and chain in
    the file `certificate`; plain HTTP without either.

    Files that the dialogue writes by an agent's own tool are below `workdir`.
    """
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if authority or certificate else None
    if tls and authority:
        authority.issue_cert(*names).configure_cert(tls)
    elif tls and certificate:
        tls.load_cert_chain(certificate)
    memory = Memory(dialogue, workdir)
    with _Server(address, memory, tls) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield ModelServer(memory, server.server_port, "https" if tls else "http")
        finally:
            server.shutdown()
            thread.join()
            server.hang_up()
