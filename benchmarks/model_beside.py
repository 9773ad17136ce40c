"""`python -m benchmarks.model_beside CERTIFICATE`: a fake model on port 443 of a container; prints when it is asked."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from tests.models.dialogues import Dialogue, Turn
from tests.models.server import model_server

DONE = Dialogue(turns=(Turn("Done."),))


def main(certificate: str) -> None:
    """Serve until the container is removed; times are of the monotonic clock, which all of a machine share."""
    address = ("0.0.0.0", 443)  # noqa: S104 - alone in its own network
    with model_server(None, [], DONE, address=address, certificate=Path(certificate)) as server:
        told, pause = 0, threading.Event()
        while not pause.wait(0.01):
            for heard in server.main[told:]:
                sys.stdout.write(f"{heard.at}\n")
                sys.stdout.flush()
                told += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
