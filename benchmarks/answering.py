"""A server of the benchmark's, alone and of the standard library: `answering.py ADDRESS PORT` prints its port.

`/bytes/N` is answered with N bytes; `/meet/N` as soon as N requests wait for it; all else with two bytes at once.
"""

from __future__ import annotations

import asyncio
import sys

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
PIECE = bytes(1 << 20)


class Answer(asyncio.Protocol):
    """One connection; requests have no body."""

    waiting: list[asyncio.Transport] = []
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport, self.received, self.left, self.full = transport, b"", 0, False

    def data_received(self, data: bytes) -> None:
        *requests, self.received = (self.received + data).split(b"\r\n\r\n")
        for request in requests:
            what, _, number = request.split(b" ", 2)[1].strip(b"/").partition(b"/")
            if what == b"bytes":
                self.left = int(number)
                self.transport.write(HEAD % self.left)
                self.pour()
            elif what == b"meet":
                self.meet(int(number))
            else:
                self.transport.write(HEAD % 2 + b"ok")

    def meet(self, number: int) -> None:
        """Answer all of them when the last one is there."""
        self.waiting.append(self.transport)
        if len(self.waiting) >= number:
            for transport in self.waiting:
                transport.write(HEAD % 2 + b"ok")
            self.waiting.clear()

    def pour(self) -> None:
        """Send what is left, as fast as it is taken."""
        while self.left and not self.full:
            size = min(self.left, len(PIECE))
            self.left -= size
            self.transport.write(PIECE if size == len(PIECE) else PIECE[:size])

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        self.pour()


async def main() -> None:
    """Answer until killed."""
    server = await asyncio.get_running_loop().create_server(Answer, sys.argv[1], int(sys.argv[2]), backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
