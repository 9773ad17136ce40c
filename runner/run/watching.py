"""What a run has around an agent at work: gateway, log, whoever reads its events, and what its watchdog looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from runner.model.quantities import format_size
from runner.model.result import LimitUse
from runner.model.usage import Used
from runner.run.agent_log import AgentLog, Show
from runner.run.attempt import Attempt, secrets_of_run
from runner.run.footprint import Footprint, recall_lent
from runner.run.recovery_record import used_writer
from runner.run.spending import Spending
from runner.run.watchdog import Watched
from runner.sandbox.engine import Box

if TYPE_CHECKING:
    import socket

    from runner.egress.gateway import Gateway
    from runner.run.hand_over import HandOver


@contextmanager
def network_of(attempt: Attempt, listener: socket.socket | None = None) -> Iterator[Gateway | None]:
    """The gateway, where the policy opens the network; what went through it is known when the scope ends.

    `listener` is its socket, where that was made already.
    """
    route = attempt.prepared.route
    if route is None:
        yield None
        return
    from runner.run.network import NOTHING_USED, open_network  # brings asyncio along

    limits, before = attempt.prepared.policy.limits, attempt.before or NOTHING_USED
    outside = attempt.host.outside
    with open_network(
        route, attempt.paths, outside=outside, limits=limits, before=before, listener=listener
    ) as gateway:
        try:
            yield gateway
        finally:
            noting_use(attempt, gateway)()
            granted = attempt.prepared.policy.network.upload_limit
            attempt.spending = Spending(gateway.spent, limits)
            attempt.uploaded = LimitUse(granted=granted, peak=gateway.uploaded, hit=gateway.upload_exceeded)
            if gateway.upload_exceeded:
                limit = format_size(granted)
                attempt.journal.notice(f"The network was cut off: network.upload_limit = {limit} was reached.")


def noting_use(attempt: Attempt, gateway: Gateway) -> Callable[[], None]:
    """Writes down what was used of the network, for a Paddock that takes the run up."""
    return used_writer(attempt.paths, lambda: Used(spent=gateway.spent, uploaded=gateway.uploaded))


@contextmanager
def following(attempt: Attempt) -> Iterator[Show | None]:
    """Who reads the agent's event stream, where it has one; what it told is known when the scope ends."""
    reader, paths = attempt.prepared.reader, attempt.paths
    if reader is None:
        yield None
        return
    from runner.run.follow import Follower, begin_transcript  # records that other runs need not wait for

    watch = attempt.host.watch
    begin_transcript(paths, attempt.prepared.task, secrets_of_run(attempt))
    with Follower(reader, activity=paths.activity, transcript=paths.transcript, watch=watch) as follower:
        try:
            yield follower.feed
        finally:
            attempt.told = follower


def open_log(attempt: Attempt, follow: Show | None) -> AgentLog:
    """Where the agent's output goes."""
    return AgentLog(
        attempt.paths.agent_log,
        limit=attempt.prepared.policy.limits.output,
        secrets=secrets_of_run(attempt),
        show=attempt.host.show,
        follow=follow,
    )


def footprint_of(attempt: Attempt, box: Box) -> Footprint:
    """Where the agent writes."""
    paths, policy = attempt.paths, attempt.prepared.policy
    return Footprint(
        own=(paths.workspace, paths.agent),
        lent=recall_lent(attempt.spec, paths),
        limits=policy.limits,
        box=box,
        writable_root=policy.sandbox.writable_root,
    )


def pulse_of(attempt: Attempt, gateway: Gateway | None) -> Callable[[float], None]:
    """Tells whoever watches how far the run has got, if somebody reads the agent's events; notes what was used."""
    note = noting_use(attempt, gateway) if gateway else lambda: None
    if attempt.prepared.reader is None:
        return lambda _: note()
    from runner.model.activity import Progress

    limits = attempt.prepared.policy.limits

    def pulse(seconds: float) -> None:
        note()
        used = Spending(gateway.spent if gateway else (), limits)
        left = max(0.0, limits.wall_clock - seconds)
        with suppress(OSError, ValueError):  # whoever watched has gone; the run goes on
            attempt.host.watch(Progress(tokens=used.tokens, cost_usd=used.cost_usd, seconds=seconds, left=left))

    return pulse


def watched(
    attempt: Attempt, box: Box, log: AgentLog, gateway: Gateway | None, work: HandOver | None = None
) -> Watched:
    """What the watchdog looks at."""
    policy, footprint = attempt.prepared.policy, footprint_of(attempt, box)
    return Watched(
        box=box,
        limits=policy.limits,
        log=log,
        clock=attempt.host.clock,
        cancellation=attempt.host.cancellation,
        measure=footprint.measure,
        folders=footprint.folders,
        tell=attempt.journal.event,
        network_fault=(lambda: gateway.failed) if gateway else str,
        over_budget=(lambda: Spending(gateway.spent, policy.limits).breach) if gateway else str,
        ended=(lambda: work.ended) if work else lambda: None,
        pulse=pulse_of(attempt, gateway),
    )
