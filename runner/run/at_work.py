"""The agent at work: told to go, followed and watched to its end.

What sees to it is loaded with this module, and by `get_ready`: while the engine starts the sandbox.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from runner.errors import EngineError, PaddockError
from runner.model.events import Phase
from runner.run.agent_log import AgentLog
from runner.run.attempt import Attempt
from runner.run.hand_over import handing_over
from runner.run.recovery_record import note_beginning, note_ending
from runner.run.start import Started
from runner.run.supervise import Supervised, supervise
from runner.run.watching import following, open_log, watched

if TYPE_CHECKING:
    from runner.egress.gateway import Gateway


def get_ready(attempt: Attempt) -> None:
    """Load what not every agent needs."""
    if attempt.prepared.reader is not None:
        import runner.run.follow  # noqa: F401


def see_through(attempt: Attempt, started: Started, gateway: Gateway | None) -> None:
    """Let the agent go, and return when it has ended, in whatever way."""
    with attempt.journal.phase(Phase.AGENT), following(attempt) as follow, open_log(attempt, follow) as log:
        note_beginning(attempt)
        attempt.began = True
        started.go()
        with handing_over(attempt, started.handshake) as work:
            watch = watched(attempt, started.box, log, gateway, work)
            attempt.supervised = supervise(watch, started.output)
    tell_of_the_end(attempt, attempt.supervised, log)


def tell_of_the_end(attempt: Attempt, supervised: Supervised, log: AgentLog) -> None:
    """Write down how the agent ended, while the engine knows it, and what of ours failed."""
    with suppress(PaddockError):  # it is tried again when its work is collected
        note_ending(attempt)
    if supervised.failure:
        attempt.errors.append(EngineError(supervised.failure))
    if log.failure:
        attempt.journal.notice(log.failure)
