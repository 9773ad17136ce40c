"""The user's own check on what was committed: a fresh sandbox, without a network or anything of the agent's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runner.model.events import Phase
from runner.model.policy import Network, Policy
from runner.model.request import Command
from runner.model.result import CheckResult
from runner.model.spec import SandboxSpec
from runner.plan import plan_sandbox
from runner.repo.source import inspect_source
from runner.repo.workspace import prepare_workspace
from runner.run.agent_log import AgentLog
from runner.run.attempt import Attempt, secrets_of_run
from runner.run.footprint import Footprint
from runner.run.places import places_of
from runner.run.prepare import request_of
from runner.run.start import start_sandbox
from runner.run.supervise import Supervised, supervise
from runner.run.watchdog import Watched
from runner.store.files import make_folder
from runner.store.runs import RunPaths
from runner.store.tree import remove_tree

MOST_TOLD = 16 * 1024
"""Bytes of the end of its output that a result holds."""


@dataclass(frozen=True, slots=True)
class CheckPaths(RunPaths):
    """A run's paths, but for the workspace and the sockets of the check's own sandbox."""

    @property
    def workspace(self) -> Path:
        """A clone of what was collected."""
        return self.directory / "check-workspace"

    @property
    def control(self) -> Path:
        """Its launch socket."""
        return self.directory / "check-control"


def check_work(attempt: Attempt) -> None:
    """Run `task.check` in a shell on the collected commit, and remember how it went. Raises `EngineError`."""
    paths = CheckPaths(attempt.paths.directory)
    with attempt.journal.phase(Phase.CHECK):
        try:
            open_workspace(attempt, paths)
            make_folder(paths.control, 0o755)
            supervised = run_check(attempt, paths)
        finally:
            left = [*remove_tree(paths.workspace), *remove_tree(paths.control)]
            remove_tree(paths.directory / "check-index")
    for line in left:
        attempt.journal.notice(f"Of the check's workspace this could not be removed: {line}")
    attempt.checked = CheckResult(
        command=attempt.prepared.task.check,
        exit_code=supervised.exit.code if supervised.exit else None,
        stopped=supervised.stopped,
        seconds=round(supervised.seconds, 3),
        output=told(attempt.paths.check_log),
    )


def open_workspace(attempt: Attempt, paths: CheckPaths) -> None:
    """A clone of the branch that was collected, or of the base where nothing was."""
    prepared, collected = attempt.prepared, attempt.collected
    commit = collected.head if collected and collected.branch else prepared.source.base_sha
    source = inspect_source(str(prepared.source.path), commit, effective_uid=attempt.host.user.uid)
    prepare_workspace(
        source,
        paths.workspace,
        index_copy=paths.directory / "check-index",
        history=prepared.policy.workspace.history,
        owner=prepared.identity,
    )


def check_spec(attempt: Attempt, paths: CheckPaths) -> SandboxSpec:
    """The agent's sandbox again, but for the network, whatever the agent could write to, and every secret."""
    prepared = attempt.prepared
    request = request_of(prepared, attempt.host.settings, attempt.paths)
    return plan_sandbox(
        request.model_copy(
            update={
                "policy": without_network(prepared.policy),
                "command": Command(argv=("sh", "-c", prepared.task.check)),
                "places": places_of(attempt.host.settings, paths),
                "mounts": tuple(mount for mount in request.mounts if mount.mode == "ro"),
                "environment": {k: v for k, v in request.environment.items() if k not in prepared.secrets},
                "secret_names": (),
                "wanted": False,
            }
        )
    )


def without_network(policy: Policy) -> Policy:
    """The same limits, and nothing to reach."""
    return policy.model_copy(update={"network": Network(), "caches": ()})


def run_check(attempt: Attempt, paths: CheckPaths) -> Supervised:
    """The check's sandbox, from its start to its end, within the limits of the policy."""
    host, policy = attempt.host, attempt.prepared.policy
    spec = check_spec(attempt, paths)
    with (
        start_sandbox(host.engine, spec, {}, paths.control, host.clock) as started,
        AgentLog(
            attempt.paths.check_log, limit=policy.limits.output, secrets=secrets_of_run(attempt), show=host.show
        ) as log,
    ):
        started.go()
        footprint = Footprint(
            own=(paths.workspace,),
            limits=policy.limits,
            box=started.box,
            writable_root=policy.sandbox.writable_root,
        )
        return supervise(
            Watched(
                box=started.box,
                limits=policy.limits,
                log=log,
                clock=host.clock,
                cancellation=host.cancellation,
                measure=footprint.measure,
                folders=footprint.folders,
                tell=attempt.journal.event,
            ),
            started.output,
        )


def told(log: Path) -> str:
    """The end of what it printed."""
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - MOST_TOLD))
        return file.read(MOST_TOLD).decode("utf-8", "replace")


def is_due(attempt: Attempt) -> bool:
    """Whether there is a check, and a work of which it is worth to be asked."""
    supervised = attempt.supervised
    ended_well = bool(supervised and supervised.exit and supervised.exit.code == 0 and supervised.stopped is None)
    return bool(
        attempt.prepared.task.check
        and ended_well
        and attempt.collected
        and not attempt.errors
        and (attempt.collected.branch or not attempt.collected.changed)
        and not attempt.host.cancellation.requested
    )
