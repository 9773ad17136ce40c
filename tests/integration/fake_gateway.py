"""A gateway for tests of the shim: speaks the protocol, allows what it is told to, dials servers of the test alone."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from pathlib import Path

Server = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PIECE = 256 * 1024


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes, and end when it ends."""
    while data := await reader.read(PIECE):
        writer.write(data)
        await writer.drain()


async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer after the last byte only: needs a half-close to be carried."""
    digest = hashlib.sha256()
    while data := await reader.read(PIECE):
        digest.update(data)
    writer.write(digest.hexdigest().encode())


async def pour(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send 200 MiB."""
    for _ in range(800):
        writer.write(bytes(range(256)) * 1024)
        await writer.drain()


async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A small web server."""
    head = await reader.readuntil(b"\r\n\r\n")
    host = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"host:"))
    body = b"you asked " + host[5:].strip() + b"\n"
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))


async def refuse_more(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer early and hang up, whatever else is sent."""
    await reader.read(1)
    writer.write(b"enough")


class FakeGateway:
    """One Unix socket at `path`. `servers` maps a name and a port to what answers there; nothing else is allowed."""

    def __init__(self, path: Path, servers: Mapping[tuple[str, int], Server]) -> None:
        self.path = path
        self.lines: list[str] = []
        """What the shim said."""
        self.silent = False
        """Take lines and answer none."""
        self.everything = False
        """Allow every name at a LOOKUP."""
        self._servers = dict(servers)
        self._local: dict[tuple[str, int], int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> FakeGateway:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake-gateway", daemon=True)
        self._thread.start()
        self._call(self._open()).result(10)
        return self

    def __exit__(self, *_exception: object) -> None:
        self.die()
        self._call(self._close()).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def allow(self, name: str, port: int) -> None:
        """Let one more name have an address; nothing answers there."""
        self._servers[name, port] = echo

    def die(self) -> None:
        """End as a killed process would: every connection is closed, and the socket's file stays."""
        self._call(self._die()).result(10)

    def _call(self, what: Awaitable[None]) -> Future[None]:
        async def run() -> None:
            await what

        return asyncio.run_coroutine_threadsafe(run(), self._loop)

    async def _open(self) -> None:
        self._listeners = []
        for destination, server in self._servers.items():
            local = await asyncio.start_server(self._guarded(server), "127.0.0.1", 0, backlog=2048)
            self._local[destination] = local.sockets[0].getsockname()[1]
            self._listeners.append(local)
        self._unix = await asyncio.start_unix_server(self._guarded(self._serve), self.path, backlog=100, limit=512)
        self.path.chmod(0o666)

    async def _die(self) -> None:
        self._unix.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _close(self) -> None:
        for listener in self._listeners:
            listener.close()

    def _guarded(self, server: Server) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            with contextlib.suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
                await server(reader, writer)
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

        return run

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := (await reader.readline()).decode().rstrip("\n"):
            self.lines.append(line)
            word, _, what = line.partition(" ")
            if self.silent:
                continue
            if word == "LOOKUP":
                ports = ",".join(str(port) for name, port in self._servers if name == what or self.everything)
                writer.write(f"PORTS {ports}\n".encode() if ports else b"NO not-listed\n")
            else:
                await self._carry(what, reader, writer)
                return

    async def _carry(self, what: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name, _, port = what.rpartition(":")
        if (name, int(port)) not in self._local or name.startswith("changed-"):
            writer.write(b"NO denied-by-policy\n")
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._local[name, int(port)])
        writer.write(b"OK\n")
        try:
            await asyncio.gather(splice(reader, far_writer), splice(far_reader, writer))
        finally:
            far_writer.close()


async def splice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction, with its end."""
    while data := await reader.read(PIECE):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
