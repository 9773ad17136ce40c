"""Spec -> Docker: the page that a security reviewer reads. Pure; nothing here talks to an engine.

`create_request` gives the body of `POST /containers/create`; `differences` compares it with what the
engine says that it applied. A key that is not written here is a key that Paddock does not use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.model.spec import Mount, SandboxSpec, Tmpfs

Json = dict[str, Any]


def create_request(spec: SandboxSpec, secrets: Mapping[str, str] | None = None) -> Json:
    """The body of the engine's create call. `secrets` gives a value to every name in `secret_environment`."""
    return {
        "Image": spec.image.id or spec.image.name,
        "Entrypoint": list(spec.entrypoint),
        "Cmd": list(spec.argv),
        "Env": _environment(spec, secrets or {}),
        "User": f"{spec.uid}:{spec.gid}",
        "WorkingDir": spec.workdir,
        "Hostname": spec.hostname,
        # A namespace of runc's own. "none" alone has the engine start two programs to make one: half of a start.
        "NetworkDisabled": True,
        "Labels": dict(spec.labels),
        "AttachStdin": False,
        "OpenStdin": False,
        "Tty": False,
        "StopSignal": "SIGTERM",
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": _host_config(spec),
    }


def _host_config(spec: SandboxSpec) -> Json:
    limits = spec.limits
    return {
        # No interface but loopback, whatever spec.network says: the only way out is a Unix socket (promise 2).
        "NetworkMode": "none",
        "Sysctls": _sysctls(spec),
        "IpcMode": "private",
        "PidMode": "",
        "UTSMode": "",
        "UsernsMode": "",
        "CgroupnsMode": "private",
        "Privileged": False,
        "CapAdd": [],
        "CapDrop": ["ALL"],
        "GroupAdd": [],
        # seccomp is not named: the engine's own default profile applies, and is confirmed from inside.
        "SecurityOpt": ["no-new-privileges:true"],
        "Devices": [],
        "ReadonlyRootfs": not spec.writable_root,
        "Init": spec.init,
        "Runtime": spec.runtime,
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "AutoRemove": False,
        "Mounts": [_mount(mount) for mount in spec.mounts],
        "Tmpfs": {tmpfs.target: _tmpfs_options(tmpfs, spec) for tmpfs in spec.tmpfs},
        "ShmSize": limits.shm,
        "NanoCpus": round(limits.cpus * 1e9),
        "Memory": limits.memory,
        "MemorySwap": limits.memory,
        "OomKillDisable": False,
        "PidsLimit": limits.pids,
        "Ulimits": [
            {"Name": "core", "Soft": 0, "Hard": 0},
            {"Name": "fsize", "Soft": limits.file_size, "Hard": limits.file_size},
            {"Name": "nofile", "Soft": limits.open_files, "Hard": limits.open_files},
        ],
        "LogConfig": {"Type": "local", "Config": {"max-size": _log_bound(spec), "max-file": "1", "compress": "false"}},
    }


def _sysctls(spec: SandboxSpec) -> dict[str, str]:
    """Where the shim serves the network, it does so at port 53 and below 1024, as the agent's user."""
    return {"net.ipv4.ip_unprivileged_port_start": "0"} if spec.network == "gateway" else {}


def _log_bound(spec: SandboxSpec) -> str:
    """The engine's log bound in the unit that it understands: whole kibibytes, as `"1024k"`."""
    return f"{max(1, spec.log_size // 1024)}k"


def _mount(mount: Mount) -> Json:
    # Not recursive: a file system mounted below the source would keep its own write permission (moby issue 37838).
    return {
        "Type": "bind",
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.mode == "ro",
        "BindOptions": {"Propagation": "rprivate", "NonRecursive": True},
    }


def _tmpfs_options(tmpfs: Tmpfs, spec: SandboxSpec) -> str:
    run = "exec" if tmpfs.executable else "noexec"
    owner = f",uid={spec.uid},gid={spec.gid}" if tmpfs.owned else ""
    return f"rw,nosuid,nodev,{run},size={tmpfs.size},mode={tmpfs.mode}{owner}"


def _environment(spec: SandboxSpec, secrets: Mapping[str, str]) -> list[str]:
    """`NAME=value` sets, a bare `NAME` removes what the image set (Docker's API: "removed from the environment")."""
    values = spec.environment | {name: secrets[name] for name in spec.secret_environment if name in secrets}
    removed = [name for name in spec.dropped_environment if name not in values]
    return [f"{name}={value}" for name, value in sorted(values.items())] + sorted(removed)


# What the engine writes in another way than it was asked; everything else has to come back to the letter.
_EMPTY_FORMS: tuple[Any, ...] = (None, [], {}, "", 0, False)
_INHERITED_ENVIRONMENT = "Env"
_NOT_COMPARED = {"Image", "HostConfig", _INHERITED_ENVIRONMENT, "NetworkDisabled"}
"""Compared otherwise, or, as the last, no wall: that is `NetworkMode`, and what the shim sees from inside."""


def differences(asked: Json, applied: Json) -> list[str]:
    """Every key in which the engine's `inspect` differs from what was asked; empty when all was applied.

    `applied` is the engine's inspect document. A sandbox starts only after this is empty (promise 9).
    """
    config, host = applied.get("Config") or {}, applied.get("HostConfig") or {}
    top = {key: value for key, value in asked.items() if key not in _NOT_COMPARED}
    found = [_difference(key, value, config.get(key)) for key, value in top.items()]
    found += [_difference(key, value, host.get(key)) for key, value in asked["HostConfig"].items()]
    found += _environment_differences(asked["Env"], config.get("Env") or [])
    found += _mount_differences(
        asked["HostConfig"]["Mounts"], asked["HostConfig"]["Tmpfs"], applied.get("Mounts") or []
    )
    return [difference for difference in found if difference]


def _difference(key: str, asked: Any, applied: Any) -> str:
    if key == "Labels":
        missing = {name: value for name, value in asked.items() if (applied or {}).get(name) != value}
        return f"{key}: asked for {missing!r}, not applied" if missing else ""
    if key == "Healthcheck":
        # An image's interval stays beside the test that is off, and means nothing then.
        applied = {"Test": applied.get("Test")} if isinstance(applied, dict) else applied
    if key == "Ulimits":
        asked, applied = (sorted(map(str, _rows(value))) for value in (asked, applied or []))
    if key == "Mounts":
        return ""  # compared below with the engine's own list of what it mounts
    if asked == applied or (asked in _EMPTY_FORMS and applied in _EMPTY_FORMS):
        return ""
    return f"{key}: asked for {asked!r}, the engine applied {applied!r}"


def _rows(rows: list[Json]) -> list[list[tuple[str, Any]]]:
    """Rows of a JSON list in a form that does not depend on the order of their keys."""
    return [sorted(row.items()) for row in rows]


def _environment_differences(asked: list[str], applied: list[str]) -> list[str]:
    """Values are never printed: one of them may be a secret."""
    wanted = {entry.partition("=")[0] for entry in asked if "=" in entry and entry not in applied}
    removed = {entry for entry in asked if "=" not in entry}
    kept = {entry.partition("=")[0] for entry in applied if "=" in entry} & removed
    return [f"Env: {name} was not applied" for name in sorted(wanted)] + [
        f"Env: {name} of the image was not removed" for name in sorted(kept)
    ]


def _mount_differences(asked: list[Json], tmpfs: Json, applied: list[Json]) -> list[str]:
    wanted = {mount["Target"]: (mount["Source"], not mount["ReadOnly"]) for mount in asked}
    real = {
        mount.get("Destination"): (mount.get("Source"), mount.get("RW"))
        for mount in applied
        if mount.get("Type") != "tmpfs" or mount.get("Destination") not in tmpfs
    }
    found = [
        f"mount {target}: asked for {wanted[target]}, the engine applied {real.get(target)}"
        for target in wanted
        if real.get(target) != wanted[target]
    ]
    return found + [f"mount {target}: not asked for" for target in real if target not in wanted]
