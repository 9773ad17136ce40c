"""`paddock doctor`: look at everything that a run needs, before a run needs it."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from runner.cli.terminal import answer, say
from runner.errors import PaddockError
from runner.escape import escape_text
from runner.model.settings import Settings, engine_fault
from runner.plan import OTHER_PRODUCTS
from runner.repo.git import git_version
from runner.report.health import Finding, Level, advisories_for
from runner.sandbox.docker_engine import DockerEngine
from runner.sandbox.engine import EngineFacts
from runner.settings import color_wanted, home, load_settings

MIB = 2**20
OLDEST_ENGINE = (20, 10)
OLDEST_GIT = (2, 34)
LITTLE_DISK = 5 * 1024 * MIB
COLORS = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILED: "red"}


def run_doctor(*, as_json: bool, network: bool = False) -> int:
    """Print every finding; 0 when nothing failed, else 1. With `network`, a sandbox tries the network too."""
    settings = load_settings()
    findings = list(examine(settings))
    if network and not any(finding.level is Level.FAILED for finding in findings):
        findings += examine_network(settings)
    if as_json:
        answer(json.dumps([finding.model_dump(mode="json") for finding in findings], indent=2))
    elif sys.stdout.isatty():
        print_table(findings, sys.stdout)
    else:
        for finding in findings:
            answer(f"{finding.level.value:<8} {finding.name:<14} {escape_text(finding.value)}")
            for text in filter(None, (finding.meaning, finding.advice)):
                answer(f"{'':<24}{escape_text(text)}")
    return int(any(finding.level is Level.FAILED for finding in findings))


def print_table(findings: Iterable[Finding], terminal: TextIO, *, width: int | None = None) -> None:
    """For a person: the level in colour, and long sentences wrapped inside their column."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1))
    for most in (8, 16, None):
        table.add_column(max_width=most)
    for finding in findings:
        said = "\n".join(escape_text(text) for text in (finding.value, finding.meaning, finding.advice) if text)
        table.add_row(Text(finding.level.value, style=COLORS[finding.level]), Text(finding.name), Text(said))
    console = Console(file=terminal, width=width, no_color=not color_wanted(), highlight=False)
    console.print(table)


def examine(settings: Settings) -> Iterator[Finding]:
    """Everything that a run needs, in the order in which a run would miss it."""
    yield Finding(name="python", level=Level.OK, value=platform.python_version())
    yield from examine_git()
    yield from examine_state(settings.state_dir)
    if fault := engine_fault(settings.engine):
        advice = "Use an engine of this machine: PADDOCK_ENGINE=unix:///var/run/docker.sock"
        yield Finding(name="engine", level=Level.FAILED, value=settings.engine, meaning=fault, advice=advice)
        return
    try:
        facts = DockerEngine(
            settings.engine, state_dir=settings.state_dir, progress=say, path_map=settings.path_map
        ).facts()
    except PaddockError as error:
        yield Finding(
            name="engine", level=Level.FAILED, value=settings.engine, meaning=error.message, advice=error.hint
        )
        return
    yield from examine_engine(facts, settings.engine)


def examine_network(settings: Settings) -> Iterator[Finding]:
    """What a sandbox's first process finds of the network; asked only where a sandbox can be started."""
    from runner.run.host import Host
    from runner.run.network_check import check_network

    engine = DockerEngine(settings.engine, state_dir=settings.state_dir, progress=say, path_map=settings.path_map)
    yield from check_network(Host(settings=settings, engine=engine, home=home()))


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
    yield _engine(facts, address)
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
        meaning="the disk limit is held by a watchdog: a writer at full speed may get half a gigabyte beyond it",
    )
    yield from advisories_for("engine", facts.version)
    yield from advisories_for("runc", facts.components.get("runc", ""))


def _engine(facts: EngineFacts, address: str) -> Finding:
    """The engine's version. One that cannot be read is a warning: builds of one's own call themselves `dev`."""
    runc, oldest = facts.components.get("runc", "unknown"), ".".join(map(str, OLDEST_ENGINE))
    numbers = re.match(r"(\d+)\.(\d+)", facts.version)
    level, meaning, advice = Level.OK, "", ""
    if facts.product != "Docker":
        level, meaning = Level.FAILED, f"this is {facts.product}: {OTHER_PRODUCTS}; runs are refused"
        advice = "Use Docker's own engine: PADDOCK_ENGINE=unix:///var/run/docker.sock"
    elif numbers is None:
        level, meaning = Level.WARNING, f"its version cannot be read; Paddock is tested with {oldest} and newer"
    elif (int(numbers[1]), int(numbers[2])) < OLDEST_ENGINE:
        level, meaning = Level.FAILED, f"older than {oldest}, the oldest that Paddock is tested with"
        advice = f"Install Docker {oldest} or newer."
    value = f"{facts.product} {facts.version} (API {facts.api_version}), runc {runc}, at {address}"
    return Finding(name="engine", level=level, value=value, meaning=meaning, advice=advice)


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
