"""The page that a security reviewer reads says what it should, and a difference of the engine's never passes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from runner.model.policy import Policy
from runner.model.spec import Mount
from runner.sandbox.docker_args import create_request, differences
from tests.unit.sandbox.specs import spec_for

Json = dict[str, Any]


@pytest.fixture
def asked() -> Json:
    return create_request(spec_for())


def applied_as_asked(asked: Json) -> Json:
    """The inspect document of an engine that applied everything."""
    host = copy.deepcopy(asked["HostConfig"])
    return {
        "Config": {key: copy.deepcopy(value) for key, value in asked.items() if key != "HostConfig"},
        "HostConfig": host,
        "Mounts": [
            {"Type": "bind", "Source": m["Source"], "Destination": m["Target"], "RW": not m["ReadOnly"]}
            for m in host["Mounts"]
        ],
    }


def test_an_engine_that_applied_everything_shows_no_difference(asked: Json) -> None:
    assert differences(asked, applied_as_asked(asked)) == []


@pytest.mark.parametrize("key", sorted(create_request(spec_for())["HostConfig"]))
def test_every_host_setting_that_was_changed_is_seen(asked: Json, key: str) -> None:
    applied = applied_as_asked(asked)
    applied["HostConfig"][key] = "something else"
    if key == "Mounts":
        applied["Mounts"][0]["Source"] = "/elsewhere"
    if key == "Ulimits":
        applied["HostConfig"][key] = []
    assert len(differences(asked, applied)) == 1


COMPARED = set(create_request(spec_for())) - {"HostConfig", "Image", "Env", "Labels", "NetworkDisabled"}


@pytest.mark.parametrize("key", sorted(COMPARED))
def test_every_container_setting_that_was_changed_is_seen(asked: Json, key: str) -> None:
    applied = applied_as_asked(asked)
    applied["Config"][key] = "something else"
    assert len(differences(asked, applied)) == 1


@pytest.mark.parametrize("key", ["Memory", "MemorySwap", "NanoCpus", "PidsLimit"])
def test_a_limit_that_was_dropped_to_zero_is_seen(asked: Json, key: str) -> None:
    applied = applied_as_asked(asked)
    applied["HostConfig"][key] = 0
    assert len(differences(asked, applied)) == 1


def test_a_variable_of_the_image_that_was_not_removed_is_seen_without_its_value(asked: Json) -> None:
    applied = applied_as_asked(asked)
    applied["Config"]["Env"].append("LD_PRELOAD=/evil.so")
    assert differences(asked, applied) == ["Env: LD_PRELOAD of the image was not removed"]


def test_a_mount_that_was_not_asked_for_is_seen(asked: Json) -> None:
    applied = applied_as_asked(asked)
    applied["Mounts"].append({"Type": "volume", "Source": "/var/lib/x", "Destination": "/data", "RW": True})
    assert differences(asked, applied) == ["mount /data: not asked for"]


def test_a_read_only_mount_that_became_writable_is_seen(asked: Json) -> None:
    applied = applied_as_asked(asked)
    applied["Mounts"][1]["RW"] = True
    assert len(differences(asked, applied)) == 1


def test_no_policy_can_spell_what_would_end_the_sandbox() -> None:
    host = create_request(spec_for(Policy.model_validate({"sandbox": {"writable_root": True}})))["HostConfig"]
    assert (host["NetworkMode"], host["CapAdd"], host["CapDrop"], host["Privileged"]) == ("none", [], ["ALL"], False)
    assert (host["PidMode"], host["IpcMode"], host["UsernsMode"], host["Devices"]) == ("", "private", "", [])
    assert host["SecurityOpt"] == ["no-new-privileges:true"]


def test_a_gateway_adds_a_sysctl_and_no_network(asked: Json) -> None:
    served = create_request(spec_for(Policy.model_validate({"network": {"mode": "open"}})))["HostConfig"]
    plain = asked["HostConfig"]
    assert (plain["Sysctls"], served["Sysctls"]) == ({}, {"net.ipv4.ip_unprivileged_port_start": "0"})
    assert (plain["NetworkMode"], served["NetworkMode"]) == ("none", "none")
    assert [mount["Target"] for mount in served["Mounts"] if mount not in plain["Mounts"]] == [
        "/etc/ssh/ssh_known_hosts2",
    ]


def test_memory_has_no_swap_on_top(asked: Json) -> None:
    assert asked["HostConfig"]["MemorySwap"] == asked["HostConfig"]["Memory"] > 0


def test_a_mount_never_brings_what_is_mounted_below_its_source() -> None:
    spec = spec_for()
    spec = spec.model_copy(update={"mounts": (*spec.mounts, Mount(source="/srv/data", target="/data"))})
    mount = create_request(spec)["HostConfig"]["Mounts"][-1]
    assert mount["ReadOnly"] is True
    assert mount["BindOptions"] == {"Propagation": "rprivate", "NonRecursive": True}


def test_a_secret_variable_reaches_the_engine_and_not_the_spec() -> None:
    spec = spec_for().model_copy(update={"secret_environment": ("API_KEY",)})
    assert "API_KEY=s3cret-value" in create_request(spec, {"API_KEY": "s3cret-value"})["Env"]
    assert "s3cret-value" not in spec.model_dump_json()


def test_every_volume_of_the_image_is_covered_by_memory(asked: Json) -> None:
    assert "nosuid,nodev" in asked["HostConfig"]["Tmpfs"]["/var/data"]
