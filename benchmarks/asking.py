"""`python -m benchmarks.asking AGENT REPO STATE PORT CA`: a run of an agent whose model is played on loopback.

What `paddock run` does, with an internet of its own: every name is at one made-up address, and dialled is 127.0.0.1.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from runner.settings import leave_plugins_out

leave_plugins_out()

KEY = "sk-test-0123456789abcdef"


def main(agent: str, repo: str, state: str, port: str, authority: str) -> int:
    """The run's exit code."""
    from runner.egress.addresses import Address
    from runner.egress.outside import Outside
    from runner.egress.resolver import FixedResolver
    from runner.model.task import Task
    from runner.run.execute import run_task
    from runner.run.host import Host
    from runner.sandbox.engine import Engine
    from runner.sandbox.late_engine import LateEngine
    from runner.settings import load_settings

    async def dial(_address: Address, _port: int) -> socket.socket:
        import asyncio  # as in any run: loaded while the engine answers

        upstream = socket.socket()
        upstream.setblocking(False)
        await asyncio.get_running_loop().sock_connect(upstream, ("127.0.0.1", int(port)))
        return upstream

    settings = load_settings(state_dir=Path(state)).model_copy(update={"extra_ca": Path(authority)})

    def load() -> Engine:
        from runner.sandbox.docker_engine import DockerEngine

        return DockerEngine(settings.engine, state_dir=settings.state_dir, progress=lambda _: None)

    host = Host(
        settings=settings,
        engine=LateEngine(load),
        home=Path(state),
        variable=lambda _: KEY,
        outside=Outside(resolver=FixedResolver({"api.anthropic.com": ["198.41.0.4"]}), dial=dial),
    )
    return run_task(Task(repo=repo, agent=agent, prompt="Say done."), host).exit_code


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
