"""How Docker says that a container ended, and whether somebody had it ended."""

from __future__ import annotations

import time

from runner.sandbox.docker_api import EngineApi
from runner.sandbox.engine import Exit

KILLED = frozenset({137, 143})
"""What SIGKILL and SIGTERM leave behind, whoever sent them."""
LATE = 1.0
"""Seconds for which Docker may not have noted yet that it has sent a signal, though the container has ended of it."""


def exit_of(client: EngineApi, container: str, *, signalled: bool = False) -> Exit:
    """The end of a container that is over; `signalled`: Paddock itself has ended it, without Docker."""
    state = client.inspect_container(container)["State"]
    code = state["ExitCode"]
    return Exit(
        code=code,
        out_of_memory=bool(state.get("OOMKilled")),
        error=state.get("Error") or "",
        signalled=code != 0
        and (signalled or was_signalled(client, container, patience=LATE if code in KILLED else 0.0)),
    )


def was_signalled(client: EngineApi, container: str, *, patience: float) -> bool:
    """Whether Docker has sent it a signal. It keeps its last few hundred events, and none over its own end."""
    wanted = {"container": [container], "event": ["kill"]}
    end = time.monotonic() + patience
    while True:
        if client.events(until=f"{time.time():.6f}", filters=wanted):
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(0.1)
