"""`python -m benchmarks.model_beside`: the fake model on port 80 of a container; prints when it was asked."""

from __future__ import annotations

import sys
import threading

from tests.models.dialogues import Dialogue, Turn
from tests.models.server import model_server

DONE = Dialogue(turns=(Turn("Done."),))


def main() -> None:
    """Serve until the container is removed; times are of the monotonic clock, which all of a machine share."""
    with model_server(None, [], DONE, address=("0.0.0.0", 80)) as server:  # noqa: S104 - alone in its own network
        told, pause = 0, threading.Event()
        while not pause.wait(0.01):
            for heard in server.main[told:]:
                sys.stdout.write(f"{heard.at}\n")
                sys.stdout.flush()
                told += 1


if __name__ == "__main__":
    main()
