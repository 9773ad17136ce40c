"""`python -m tests.models DIALOGUE [PORT]`: the fake model on plain HTTP, for an agent that is tried by hand."""

from __future__ import annotations

import sys
import threading

from tests.models.dialogues import READY
from tests.models.server import ModelServer, model_server


def main(name: str = "commit_work", port: str = "8080") -> None:
    """Serve until interrupted."""
    with model_server(None, [], READY[name](), address=("127.0.0.1", int(port))) as server:
        sys.stdout.write(f"{name} at {server.url}\n")
        _tell(server)


def _tell(server: ModelServer) -> None:
    told, pause = 0, threading.Event()
    while not pause.wait(0.1):
        for heard in server.heard[told:]:
            place = f"turn {heard.asked.turn}" if heard.asked and heard.main else "on the side"
            tools = " ".join(tool.name for tool in heard.asked.tools) if heard.asked else ""
            sys.stdout.write(f"{heard.method} {heard.path} {place} [{tools}]\n")
            sys.stdout.flush()
            told += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
