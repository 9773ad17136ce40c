"""The proof at start: every way in which a kernel could hold less than the spec says is a shortfall."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import UnenforceableError
from runner.model.policy import Policy
from runner.model.spec import SandboxSpec
from runner.sandbox.fake_proof import fake_proof
from runner.sandbox.proof import Proof, parse_proof, shortfalls
from tests.unit.sandbox.specs import spec_for

SPEC = spec_for()
GATEWAY_SPEC = spec_for(Policy.model_validate({"network": {"mode": "allow", "allow": ["example.test"]}}))


def proof_with(path: str, value: Any, spec: SandboxSpec = SPEC) -> Proof:
    document = fake_proof(spec)
    *parents, last = path.split("|")
    place = document
    for parent in parents:
        place = place[parent]
    place[last] = value
    return parse_proof(json.dumps(document).encode())


def test_a_kernel_that_holds_everything_has_no_shortfall() -> None:
    assert shortfalls(SPEC, parse_proof(json.dumps(fake_proof(SPEC)).encode())) == []


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("status|Uid", ["1000", "0", "1000", "1000"], "Uid is 1000 0 1000 1000"),
        ("status|Uid", [], "Uid"),
        ("status|Groups", ["1000", "999"], "extra groups: 999"),
        ("status|CapBnd", ["0000000000000400"], "CapBnd"),
        ("status|CapEff", [], "CapEff"),
        ("status|NoNewPrivs", ["0"], "no-new-privileges is off"),
        ("status|Seccomp", ["0"], "no seccomp filter"),
        ("interfaces", ["eth0", "lo"], "eth0 is up"),
        ("routes", ["eth0"], "a route through eth0"),
        ("cgroup|memory", "max", "memory limit is max"),
        ("cgroup|memory", None, "memory limit"),
        ("cgroup|memory", "9223372036854771712", "memory limit"),
        ("cgroup|swap", "max", "swap is not off"),
        ("cgroup|pids", "max", "process limit is max"),
        ("cgroup|cpu", "max 100000", "CPU limit"),
        ("cgroup|cpu", "-1", "CPU limit"),
        ("cgroup|cpu", "400000 100000", "CPU limit is 4.0"),
        ("rlimits|core", [0, -1], "core limit"),
        ("rlimits|nofile", [1024, 1048576], "nofile limit"),
        ("mounts|/", ["rw"], "the root file system is writable"),
        ("mounts|/tmp", ["rw", "nosuid"], "/tmp is not mounted nodev"),
        ("mounts|/paddock/inside", ["rw"], "/paddock/inside is not mounted ro"),
        ("mounts|/workspace", [], "/workspace is not mounted rw"),
    ],
)
def test_each_shortfall_is_named(path: str, value: Any, says: str) -> None:
    found = shortfalls(SPEC, proof_with(path, value))
    assert len(found) == 1
    assert says in found[0]


def test_a_writable_root_is_no_shortfall_where_the_policy_grants_it() -> None:
    spec = spec_for(Policy.model_validate({"sandbox": {"writable_root": True}}))
    assert shortfalls(spec, parse_proof(json.dumps(fake_proof(spec)).encode())) == []


def test_a_served_network_that_refuses_has_no_shortfall() -> None:
    assert shortfalls(GATEWAY_SPEC, parse_proof(json.dumps(fake_proof(GATEWAY_SPEC)).encode())) == []


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("network", None, "a network is not served inside"),
        ("network|fault", "[Errno 98] Address already in use", "not up: [Errno 98] Address already in use"),
        ("network|lookup", "PORTS 443", "does not refuse paddock-canary-00.invalid: PORTS 443"),
        ("network|lookup", "", "does not refuse"),
        ("network|answer", 0, "with code 0, not 3"),
        ("network|answer", None, "with code None, not 3"),
        ("network|unreachable", {"192.0.2.1": "ENETUNREACH"}, "2001:db8::1 is not refused: None"),
        ("network|unreachable|192.0.2.1", "reachable", "192.0.2.1 is not refused: reachable"),
        ("network|unreachable|192.0.2.1", "EADDRNOTAVAIL", "192.0.2.1 is not refused"),
    ],
)
def test_each_way_in_which_a_served_network_may_leak_is_named(path: str, value: Any, says: str) -> None:
    found = shortfalls(GATEWAY_SPEC, proof_with(path, value, GATEWAY_SPEC))
    assert len(found) == 1
    assert says in found[0]


def test_a_network_that_nobody_asked_for_is_a_shortfall() -> None:
    served = fake_proof(GATEWAY_SPEC)["network"]
    assert shortfalls(SPEC, proof_with("network", served)) == ["a network is served inside"]


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 5000, b'{"status": 1}', b'{"a":1}\n'])
def test_anything_that_is_no_proof_is_refused(data: bytes) -> None:
    with pytest.raises(UnenforceableError, match="did not show"):
        parse_proof(data)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(data: bytes) -> None:
    with pytest.raises(UnenforceableError):
        parse_proof(data)
