"""`paddock doctor`: look at everything that a run needs, before a run needs it."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from runner.cli.terminal import answer, say, styled
from runner.errors import PaddockError
from runner.model.settings import Settings
from runner.repo.git import git_version
from runner.report.health import Finding, Level, advisories_for
from runner.sandbox.docker_engine import DockerEngine
from runner.sandbox.engine import EngineFacts
from runner.settings import load_settings

MIB = 2**20
OLDEST_ENGINE = (20, 10)
OLDEST_GIT = (2, 34)
LITTLE_DISK = 5 * 1024 * MIB
COLORS = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILED: "red"}


def run_doctor(*, as_json: bool) -> int:
    """Print every finding; 0 when nothing failed, else 1."""
    findings = list(examine(load_settings()))
    if as_json:
        answer(json.dumps([finding.model_dump(mode="json") for finding in findings], indent=2))
    else:
        for finding in findings:
            answer(
                f"{styled(f'{finding.level.value:<8}', color=COLORS[finding.level])} {finding.name:<14} {finding.value}"
            )
            for text in filter(None, (finding.meaning, finding.advice)):
                answer(f"{'':<24}{text}")
    return int(any(finding.level is Level.FAILED for finding in findings))


def examine(settings: Settings) -> Iterator[Finding]:
    """Everything that a run needs, in the order in which a run would miss it."""
    yield Finding(name="python", level=Level.OK, value=platform.python_version())
    yield from examine_git()
    yield from examine_state(settings.state_dir)
    try:
        facts = DockerEngine(settings.engine, state_dir=settings.state_dir, progress=say).facts()
    except PaddockError as error:
        yield Finding(
            name="engine", level=Level.FAILED, value=settings.engine, meaning=error.message, advice=error.hint
        )
        return
    yield from examine_engine(facts, settings.engine)


def examine_git() -> Iterator[Finding]:
    """The host's git."""
    try:
        version = git_version()
    except PaddockError as error:
        yield Finding(name="git", level=Level.FAILED, value="missing", meaning=error.message, advice="Install git.")
        return
    text = ".".join(map(str, version))
    old = version[:2] < OLDEST_GIT
    yield Finding(
        name="git",
        level=Level.FAILED if old else Level.OK,
        value=text,
        meaning="too old to check what a sandbox gives back" if old else "",
        advice="Install git 2.34 or newer." if old else "",
    )
    yield from advisories_for("git", text)


def examine_state(state: Path) -> Iterator[Finding]:
    """The state directory and its disk."""
    folder = next(parent for parent in (state, *state.parents) if parent.exists())
    writable = os.access(folder, os.W_OK | os.X_OK)
    yield Finding(
        name="state",
        level=Level.OK if writable else Level.FAILED,
        value=str(state),
        meaning="" if writable else f"{folder} cannot be written",
        advice="" if writable else "Choose another place with PADDOCK_STATE_DIR.",
    )
    free = shutil.disk_usage(folder).free
    little = free < LITTLE_DISK
    yield Finding(
        name="disk",
        level=Level.WARNING if little else Level.OK,
        value=f"{free // MIB} MiB free",
        meaning="one run may use up to limits.disk (10 GiB by default)" if little else "",
        advice="Remove old runs: paddock prune --older-than 30d" if little else "",
    )


def examine_engine(facts: EngineFacts, address: str) -> Iterator[Finding]:
    """The engine and what it can hold."""
    runc = facts.components.get("runc", "unknown")
    yield Finding(
        name="engine",
        level=Level.OK,
        value=f"Docker {facts.version} (API {facts.api_version}), runc {runc}, at {address}",
    )
    yield Finding(name="machine", level=Level.OK, value=f"{facts.cpus} CPUs, {facts.memory // MIB} MiB")
    yield _seccomp(facts)
    yield _cgroup(facts)
    yield _limits(facts)
    yield Finding(
        name="runtimes",
        level=Level.OK,
        value=", ".join(facts.runtimes),
        meaning=""
        if {"runsc", "kata"} & set(facts.runtimes)
        else "no stronger runtime than runc: a sandbox shares the host's kernel",
    )
    yield Finding(
        name="storage",
        level=Level.OK,
        value=f"{facts.storage_driver} in {facts.root_dir}",
        meaning="the disk limit is held by a watchdog, which looks every second or so",
    )
    yield from advisories_for("engine", facts.version)
    yield from advisories_for("runc", facts.components.get("runc", ""))


def _seccomp(facts: EngineFacts) -> Finding:
    if facts.seccomp:
        return Finding(name="seccomp", level=Level.OK, value=", ".join(facts.security))
    return Finding(
        name="seccomp",
        level=Level.FAILED,
        value=", ".join(facts.security) or "none",
        meaning="every system call of the kernel would be open to a sandbox: runs are refused",
        advice="Start the engine without --seccomp-profile=unconfined, on a kernel with CONFIG_SECCOMP_FILTER.",
    )


def _cgroup(facts: EngineFacts) -> Finding:
    silent = facts.rootless and facts.cgroup_version == "1"
    return Finding(
        name="cgroups",
        level=Level.FAILED if silent else Level.OK,
        value=f"v{facts.cgroup_version}{', rootless engine' if facts.rootless else ''}",
        meaning="a rootless engine on cgroup v1 silently ignores every limit: runs are refused" if silent else "",
        advice="Boot with cgroup v2, or use an engine that runs as root." if silent else "",
    )


def _limits(facts: EngineFacts) -> Finding:
    if not facts.missing_limits:
        return Finding(
            name="limits", level=Level.OK, value="memory, swap, CPU and process limits are held by the kernel"
        )
    return Finding(
        name="limits",
        level=Level.FAILED,
        value=f"missing: {', '.join(facts.missing_limits)}",
        meaning="this engine would ignore these limits: runs are refused",
        advice="Enable the cgroup controllers (for swap: swapaccount=1 on the kernel's command line).",
    )
