"""`paddock` that waits for an engine that has gone away no longer than a second: `python -m ... ARGS...`."""

from __future__ import annotations

from runner.settings import leave_plugins_out

leave_plugins_out()

from runner.cli import app  # noqa: E402 - what stands above comes first in the real command, too
from runner.run import patience  # noqa: E402

if __name__ == "__main__":
    patience.ENGINE_SECONDS = 1.0
    app.main()
