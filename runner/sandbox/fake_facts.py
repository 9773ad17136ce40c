"""What the fake engine says of itself, unless a test has it say something else."""

from __future__ import annotations

from runner.sandbox.engine import EngineFacts

GIB = 2**30

FACTS = EngineFacts(
    version="0.0-fake",
    api_version="1.41",
    cpus=8,
    memory=32 * GIB,
    storage_driver="fake",
    root_dir="/nonexistent",
    cgroup_version="2",
    runtimes=("runc",),
    default_runtime="runc",
    security=("name=seccomp,profile=default",),
)

SIGNAL_NUMBERS = {"SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGKILL": 9, "SIGTERM": 15}
"""The signals that a fake container knows."""
