"""`paddock` as a process in an internet of the test's own: every model's API is one port of loopback.

Started as `python -m tests.integration.paddock_with_models ARGS...` with that port in MODEL_PORT; all else is the real
command's: its settings, its keys, its signals.
"""

from __future__ import annotations

from runner.settings import leave_plugins_out

leave_plugins_out()

import os  # noqa: E402 - what stands above comes first in the real command, too
from dataclasses import replace  # noqa: E402

from runner.cli import app, running  # noqa: E402
from runner.cli.console import Console  # noqa: E402
from runner.model.settings import Settings  # noqa: E402
from runner.run.cancellation import Cancellation  # noqa: E402
from runner.run.host import Host  # noqa: E402
from tests.integration.agents_kit import APIS  # noqa: E402
from tests.integration.internet import Internet  # noqa: E402

real_host_of = running.host_of


def host_of(settings: Settings, console: Console, cancellation: Cancellation) -> Host:
    """The real host, which sees nothing of the real internet."""
    internet = Internet()
    for name in APIS:
        internet.serve(name, 443, int(os.environ["MODEL_PORT"]))
    return replace(real_host_of(settings, console, cancellation), outside=internet.outside())


if __name__ == "__main__":
    running.host_of = host_of
    app.main()
