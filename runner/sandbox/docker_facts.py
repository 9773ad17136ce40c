"""Docker's documents about itself and about what a container uses, in our words. Pure."""

from __future__ import annotations

from typing import Any

from runner.sandbox.engine import EngineFacts, Usage

_LIMIT_FLAGS = {"memory": "MemoryLimit", "swap": "SwapLimit", "cpus": "CPUCfsQuota", "pids": "PidsLimit"}


def facts_of(info: dict[str, Any], version: dict[str, Any]) -> EngineFacts:
    """What the engine is, from its answers to `info` and `version`."""
    components = {row["Name"]: row["Version"] for row in version.get("Components") or []}
    return EngineFacts(
        product="Podman" if any("podman" in name.casefold() for name in components) else "Docker",
        version=version.get("Version", ""),
        api_version=version.get("ApiVersion", ""),
        cpus=int(info.get("NCPU") or 0),
        memory=int(info.get("MemTotal") or 0),
        storage_driver=info.get("Driver", ""),
        root_dir=info.get("DockerRootDir", ""),
        cgroup_version=str(info.get("CgroupVersion") or "1"),
        runtimes=tuple(sorted(info.get("Runtimes") or {})),
        default_runtime=info.get("DefaultRuntime", ""),
        security=tuple(info.get("SecurityOptions") or ()),
        missing_limits=tuple(name for name, flag in _LIMIT_FLAGS.items() if info.get(flag) is False),
        components=components,
    )


def usage_of(stats: dict[str, Any]) -> Usage | None:
    """What a container uses, from its answer to `stats`; `None` for one that does not run."""
    memory = stats.get("memory_stats") or {}
    if not memory:
        return None
    writes = [
        int(row["value"])
        for row in (stats.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
        if row.get("op", "").lower() == "write"
    ]
    nanoseconds = (stats.get("cpu_stats") or {}).get("cpu_usage", {}).get("total_usage")
    return Usage(
        memory=memory.get("max_usage") or memory.get("usage"),
        pids=(stats.get("pids_stats") or {}).get("current"),
        cpu_seconds=None if nanoseconds is None else nanoseconds / 1e9,
        bytes_written=sum(writes) if writes else None,
    )
