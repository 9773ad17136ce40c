"""The plan: what each shipped policy means to Docker, and what is refused before anything starts.

The golden files are the review of a policy's effect: a change shows up in them. `python -m tests.unit.test_plan`
writes them anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.errors import RefusedError, UnenforceableError
from runner.model.identity import Identity
from runner.model.policy import Limits, Policy
from runner.model.request import ImageSettings, Machine, Request
from runner.model.spec import ImageRef, Mount
from runner.plan import check_machine, collector_spec, plan_sandbox, sandbox_spec, workspace_fits
from runner.sandbox.docker_args import create_request
from runner.sandbox.etc_files import sandbox_etc
from runner.shipped import shipped
from runner.store.policy_files import load_policy
from tests.unit.sandbox.specs import request_for

GOLDEN = Path(__file__).with_name("golden")
PRESETS = sorted(path.stem for path in shipped("policies").glob("*.toml") if path.stem != "groups")
MACHINE = Machine(cpus=8, memory=2**35, runtimes=("runc",))


def meaning_of(preset: str) -> str:
    """A shipped policy as the body of Docker's create call."""
    policy = load_policy(preset, home=Path("/home/user")).policy
    return json.dumps(create_request(sandbox_spec(request_for(policy))), indent=2) + "\n"


@pytest.mark.parametrize("preset", PRESETS)
def test_a_shipped_policy_means_what_its_golden_file_says(preset: str) -> None:
    assert meaning_of(preset) == (GOLDEN / f"{preset}.json").read_text(encoding="utf-8")


def test_every_golden_file_belongs_to_a_shipped_policy() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.json")) == PRESETS


def test_equal_requests_have_equal_specs_and_digests() -> None:
    assert sandbox_spec(request_for()).digest() == sandbox_spec(request_for()).digest()


def test_an_agent_is_never_uid_0() -> None:
    request = request_for().model_copy(update={"identity": Identity(uid=0, gid=0)})
    with pytest.raises(UnenforceableError, match="never runs as uid 0"):
        plan_sandbox(request)


@pytest.mark.parametrize(
    ("policy", "machine", "says"),
    [
        ({"limits": {"cpus": 64.0}}, {}, r"limits.cpus = 64, but the machine has 8"),
        ({"limits": {"memory": "64GiB"}}, {}, r"limits.memory = 65536 MiB, but the machine has 32768 MiB"),
        ({"sandbox": {"runtime": "runsc"}}, {}, r'sandbox.runtime = "runsc", but the engine has runc'),
        ({"sandbox": {"runtime": "runsc"}, "limits": {"pids": 200}}, {"runtimes": ("runsc",)}, r"256 at least"),
        ({}, {"product": "Podman"}, r"this engine is Podman: it takes Docker's words for limits"),
        ({}, {"missing_limits": ("swap",)}, r"cannot hold the limit on swap"),
        ({}, {"seccomp": False}, r"no seccomp profile"),
        ({}, {"rootless": True, "cgroup_version": "1"}, r"silently ignores every limit"),
    ],
)
def test_what_the_machine_cannot_hold_is_refused(policy: Any, machine: Any, says: str) -> None:
    with pytest.raises(UnenforceableError, match=says):
        check_machine(Policy.model_validate(policy), MACHINE.model_copy(update=machine))


def test_a_workspace_within_its_limits_fits_to_the_byte() -> None:
    limits = Limits.model_validate({"disk": "1MiB", "files": 10})
    workspace_fits(2**20, 10, limits)


@pytest.mark.parametrize(
    ("size", "entries", "says"),
    [
        (2**20 + 1, 10, r"it takes 2 MiB, more than limits\.disk = 1MiB\."),
        (2**20, 11, r"it holds more files and directories than limits\.files = 10\."),
        (2**30, 99, r"limits\.disk = 1MiB; .*limits\.files = 10\."),
    ],
)
def test_a_workspace_that_is_too_large_before_the_agent_begins_is_refused(size: int, entries: int, says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        workspace_fits(size, entries, Limits.model_validate({"disk": "1MiB", "files": 10}))


def test_a_rootless_engine_on_cgroup_v2_holds_limits() -> None:
    check_machine(Policy(), MACHINE.model_copy(update={"rootless": True, "cgroup_version": "2"}))


def test_neither_task_nor_image_nor_policy_replaces_what_the_sandbox_relies_on() -> None:
    request = request_for(Policy.model_validate({"sandbox": {"env": {"CI": "1"}}}))
    request = request.model_copy(update={"environment": {"HOME": "/elsewhere", "USER": "root", "CI": "2"}})
    environment = sandbox_spec(request).environment
    assert (environment["HOME"], environment["USER"], environment["CI"]) == ("/home/agent", "agent", "2")


def test_steering_variables_of_an_image_are_removed_and_its_path_is_kept() -> None:
    image = request_for().image.model_copy(
        update={"environment": ("PATH", "LD_PRELOAD", "GIT_DIR", "PYTHONPATH", "https_proxy", "DOCKER_HOST", "GOPATH")}
    )
    spec = sandbox_spec(request_for().model_copy(update={"image": image}))
    assert spec.dropped_environment == ("DOCKER_HOST", "GIT_DIR", "LD_PRELOAD", "PYTHONPATH", "https_proxy")


def test_a_mount_of_the_policy_is_seen_beside_ours() -> None:
    data = Mount(source="/srv/data", target="/data")
    spec = sandbox_spec(request_for().model_copy(update={"mounts": (data,)}))
    assert data in spec.mounts
    assert [mount.target for mount in spec.mounts if mount.mode == "rw"] == ["/workspace"]


def test_the_collector_sees_the_workspace_and_nothing_of_the_agents_else() -> None:
    spec = collector_spec(request_for(), ImageRef(name="base", id="sha256:base"))
    assert {mount.target: mount.mode for mount in spec.mounts} == {
        "/workspace": "rw",
        "/out": "rw",
        "/paddock/in": "ro",
        "/paddock/collector": "ro",
    }
    assert (spec.writable_root, spec.secret_environment) == (False, ())
    assert "PADDOCK_RUN" not in spec.environment


def handed(**details: Any) -> Request:
    """A request whose sandbox hands its work over, but for the `details`."""
    image = ImageSettings(ref=ImageRef(name="paddock/base", id="sha256:base"), shipped=True)
    return request_for(Policy(**details.pop("policy", {}))).model_copy(
        update={"wanted": True, "image": image, **details}
    )


def test_a_sandbox_that_hands_over_its_work_has_what_that_takes() -> None:
    spec = sandbox_spec(handed())
    assert spec.entrypoint[-5:-2] == ("--collector", "/paddock/collector", "--deadline")
    assert "/paddock/collector" in {mount.target for mount in spec.mounts}
    assert all(mount.mode == "ro" for mount in spec.mounts if mount.target != "/workspace")


@pytest.mark.parametrize(
    "details",
    [
        {"wanted": False},
        {"image": ImageSettings(ref=ImageRef(name="other", id="sha256:other"))},
        {"image": ImageSettings(ref=ImageRef(name="x", id="sha256:x"), shipped=True, volumes=("/usr/share/x",))},
        {"policy": {"sandbox": {"writable_root": True}}},
        {"policy": {"sandbox": {"runtime": "runsc"}}},
        {"policy": {"artifacts": ("dist/*",)}},
        *(
            {"mounts": (Mount(source="/srv/x", target=target, mode="rw"),)}
            for target in ("/tmp/x", "/usr", "/etc/git", "/nonexistent/.config")
        ),
    ],
    ids=str,
)
def test_no_sandbox_hands_over_what_its_agent_could_have_steered(details: dict[str, Any]) -> None:
    spec = sandbox_spec(handed(**details))
    assert "--collector" not in spec.entrypoint
    assert "/paddock/collector" not in {mount.target for mount in spec.mounts}


def test_a_mount_beside_what_the_collecting_relies_on_is_in_nobodys_way() -> None:
    mounts = (Mount(source="/srv/x", target="/home/agent/.cache", mode="rw"), Mount(source="/srv/y", target="/usrdata"))
    assert "--collector" in sandbox_spec(handed(mounts=mounts)).entrypoint


def test_the_agent_has_a_name_and_no_resolver_but_loopback() -> None:
    files = sandbox_etc(Identity(uid=1234, gid=5678))
    assert "agent:x:1234:5678:" in files["passwd"]
    assert [line for line in files["resolv.conf"].splitlines() if line.startswith("nameserver")] == [
        "nameserver 127.0.0.1"
    ]


if __name__ == "__main__":
    for name in PRESETS:
        (GOLDEN / f"{name}.json").write_text(meaning_of(name), encoding="utf-8")
