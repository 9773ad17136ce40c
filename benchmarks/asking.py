"""`python benchmarks/asking.py PORT ARGS...`: the command `paddock ARGS`, its agent's model played on loopback.

All is the real command's but its internet: every model's API is at one made-up address, and dialled is 127.0.0.1:PORT.
"""

from __future__ import annotations

import socket
import sys
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from runner.cli import app

if TYPE_CHECKING:
    from runner.egress.outside import Outside

APIS = ("api.anthropic.com", "api.openai.com", "generativelanguage.googleapis.com")
MADE_UP = "198.41.0.4"


class Played:
    """An `Outside` in which every model is at that port of loopback; made when the gateway asks, as the real one is."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outside, name)

    @cached_property
    def _outside(self) -> Any:
        import asyncio

        from runner.egress.outside import Outside
        from runner.egress.resolver import FixedResolver

        async def dial(_address: object, _port: int) -> socket.socket:
            upstream = socket.socket()
            upstream.setblocking(False)
            await asyncio.get_running_loop().sock_connect(upstream, ("127.0.0.1", self.port))
            return upstream

        return Outside(resolver=FixedResolver({name: [MADE_UP] for name in APIS}), dial=dial)


def play_the_models(port: int) -> None:
    """From now on whatever this process starts reaches that port, and nothing else."""
    from runner.cli import running  # loaded by the real command, too, as soon as it knows that it is to run something

    real, outside = running.host_of, cast("Outside", Played(port))
    running.host_of = lambda *given: replace(real(*given), outside=outside)


def play_once_begun(port: int) -> None:
    """Do so when the command begins: what it has ready by then, for its modules to load quickly, is the real one's."""
    real = app.exit_code_of_command

    def exit_code_of_command() -> int:
        play_the_models(port)
        return real()

    app.exit_code_of_command = exit_code_of_command


if __name__ == "__main__":
    play_once_begun(int(sys.argv.pop(1)))
    app.main()
