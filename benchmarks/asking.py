"""`python -m benchmarks.asking PORT ARGS...`: the command `paddock ARGS`, its agent's model played on loopback.

All is the real command's but its internet: every model's API is at one made-up address, and dialled is 127.0.0.1:PORT.
"""

from __future__ import annotations

import socket
import sys
from dataclasses import replace

from runner.cli import app
from runner.settings import leave_plugins_out

APIS = ("api.anthropic.com", "api.openai.com", "generativelanguage.googleapis.com")
MADE_UP = "198.41.0.4"


def play_the_models(port: int) -> None:
    """From now on whatever this process starts reaches that port, and nothing else."""
    from runner.cli import running  # loaded by the real command, too, as soon as it knows that it is to run something
    from runner.egress.addresses import Address
    from runner.egress.outside import Outside
    from runner.egress.resolver import FixedResolver

    async def dial(_address: Address, _port: int) -> socket.socket:
        import asyncio  # as in any run: loaded while the engine answers

        upstream = socket.socket()
        upstream.setblocking(False)
        await asyncio.get_running_loop().sock_connect(upstream, ("127.0.0.1", port))
        return upstream

    outside = Outside(resolver=FixedResolver({name: [MADE_UP] for name in APIS}), dial=dial)
    real = running.host_of
    running.host_of = lambda *given: replace(real(*given), outside=outside)


if __name__ == "__main__":
    leave_plugins_out()
    play_the_models(int(sys.argv.pop(1)))
    app.main()
