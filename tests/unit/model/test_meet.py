"""The meet of two policies never allows what one of them does not, and binds in every key that a file can write."""

from __future__ import annotations

import ipaddress
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.egress.addresses import compile_private
from runner.egress.rules import Rules, compile_rules
from runner.model.meet import HISTORY, MEETS, every_key, meet
from runner.model.meet_network import MODES
from runner.model.policy import Cache, Injection, Limits, Network, Policy, PolicyMount, SandboxOptions, WorkspaceOptions
from runner.model.quantities import Bytes, Seconds

ALL = frozenset(every_key())
GROUPS = {"pair": ("a.test", "b.test:8443"), "below": ("*.c.test",), "odd": ("a.test:22",)}
KNOWN = {**GROUPS, "python": ("p.test", "p.test:8443"), "npm": ("n.test",)}
NAMES = ("a.test", "b.test", "c.test", "x.c.test", "y.x.c.test", "d.internal", "p.test", "n.test")
PORTS = (22, 80, 443, 8443)
ENTRIES = [
    *("a.test", "a.test:80", "a.test:22", "b.test:8443", "*.test.test", "*.c.test", "*.x.c.test", "*.x.c.test:80"),
    *("x.c.test", "y.x.c.test:22", "d.internal", "@pair", "@below", "@odd"),
]
REGISTRIES = ["@python", "@npm"]
PRIVATE = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "192.168.0.0/16", "fd00::/8", "*.c.test", "x.c.test"]
ADDRESSES = ["10.0.0.1", "10.1.9.9", "10.1.2.3", "192.168.1.1", "fd00::1"]


def networks(entries: list[str]) -> st.SearchStrategy[Network]:
    lists = st.lists(st.sampled_from(entries), max_size=6).map(tuple)
    injections = st.builds(
        Injection,
        host=st.sampled_from(["a.test", "x.c.test"]),
        header=st.just("x-api-key"),
        secret=st.sampled_from(["ONE", "TWO"]),
    )
    opened = st.builds(
        Network,
        mode=st.sampled_from(["allow", "open"]),
        allow=lists,
        deny=lists,
        private=st.lists(st.sampled_from(PRIVATE), max_size=4).map(tuple),
        inject=st.lists(injections, max_size=2, unique_by=lambda each: each.host).map(tuple),
        upload_limit=st.integers(1, 9).map(Bytes),
    )
    return st.one_of(st.just(Network()), opened, opened)


LIMITS = st.builds(
    Limits,
    cpus=st.sampled_from([0.5, 2.0]),
    memory=st.sampled_from([Bytes(2**30), Bytes(2**31)]),
    pids=st.integers(1, 3),
    wall_clock=st.sampled_from([Seconds(60), Seconds(90)]),
    tokens=st.sampled_from([None, 5, 9]),
    cost_usd=st.sampled_from([None, 0.5, 3.0]),
)
MOUNTS = st.lists(
    st.builds(
        PolicyMount,
        source=st.sampled_from(["/d/a", "/d/b"]),
        target=st.just("/data"),
        mode=st.sampled_from(["ro", "rw"]),
    ),
    max_size=1,
).map(tuple)
CACHES = st.lists(st.builds(Cache, name=st.sampled_from(["uv", "npm"]), target=st.just("/cache")), max_size=1).map(
    tuple
)
POLICIES = st.builds(
    Policy,
    network=networks(ENTRIES + REGISTRIES),
    limits=LIMITS,
    mounts=MOUNTS,
    caches=CACHES,
    artifacts=st.lists(st.sampled_from(["a", "b"]), max_size=2).map(tuple),
    sandbox=st.builds(
        SandboxOptions,
        writable_root=st.booleans(),
        env=st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["1", "2"])),
        runtime=st.sampled_from(["runc", "runsc"]),
    ),
    workspace=st.builds(
        WorkspaceOptions,
        history=st.sampled_from(HISTORY),
        include=st.lists(st.sampled_from(["x", "y"]), max_size=2).map(tuple),
    ),
)


def both(one: Policy, other: Policy) -> Policy:
    return meet(one, other, ALL, GROUPS)


def reached(policy: Policy) -> set[tuple[str, int]]:
    rules: Rules = compile_rules(policy.network, KNOWN)
    return {(name, port) for name in NAMES for port in PORTS if rules.decide(name, port).allowed}


def opened(policy: Policy) -> tuple[set[str], set[str], set[str]]:
    """Addresses that `private` opens, those that it names alone, which may be this host's own, and names."""
    entries = compile_private(policy.network.private)
    addresses = {text: ipaddress.ip_address(text) for text in ADDRESSES}
    return (
        {text for text, address in addresses.items() if entries.opens(address)},
        {text for text, address in addresses.items() if entries.opens_alone(address)},
        {name for name in NAMES if entries.has_name(name)},
    )


def test_every_key_of_a_policy_has_a_rule() -> None:
    ruled = {*MEETS, "description", *(key for key in ALL if key.startswith("network."))}
    assert ruled == ALL
    assert {f"network.{name}" for name in ("mode", "allow", "deny", "private", "upload_limit", "inject")} == {
        key for key in ALL if key.startswith("network.")
    }, "a key of the network that meet_networks may not know"


@given(POLICIES)
def test_a_policy_meets_itself_in_itself(policy: Policy) -> None:
    assert both(policy, policy) == policy.model_copy(update={"network": both(policy, policy).network})
    assert reached(both(policy, policy)) == reached(policy)
    assert set(both(policy, policy).network.private) == set(policy.network.private)


@settings(max_examples=300)
@given(networks(ENTRIES), networks(ENTRIES))
def test_exactly_what_both_let_out_is_let_out(one: Network, other: Network) -> None:
    mine, bound = Policy(network=one), Policy(network=other)
    met = both(mine, bound)
    assert reached(met) == reached(mine) & reached(bound)
    for left, one_side, other_side in zip(opened(met), opened(mine), opened(bound), strict=True):
        assert left <= one_side & other_side


@settings(max_examples=300)
@given(networks(ENTRIES + REGISTRIES), networks(ENTRIES + REGISTRIES))
def test_registries_groups_never_let_out_more_than_a_list_does(one: Network, other: Network) -> None:
    mine, bound = Policy(network=one), Policy(network=other)
    wider = reached(both(mine, bound)) - (reached(mine) & reached(bound))
    # Mode `open` has the registries of an image, on whatever port its tools are set to.
    allowed = {("p.test", 8443)} if "open" in {one.mode, other.mode} else set()
    assert wider <= allowed


@given(POLICIES, POLICIES)
def test_the_order_does_not_matter(one: Policy, other: Policy) -> None:
    here, there = both(one, other), both(other, one)
    assert reached(here) == reached(there)
    assert set(here.network.private) == set(there.network.private)
    for key in ALL - {"description", "network.allow", "network.deny", "network.private", "network.inject"}:
        mine, theirs = value(here, key), value(there, key)
        assert (set(mine) == set(theirs)) if isinstance(mine, tuple) else (mine == theirs)


@given(POLICIES, POLICIES, POLICIES)
def test_a_third_bound_may_come_first_or_last(one: Policy, two: Policy, three: Policy) -> None:
    assert reached(both(both(one, two), three)) == reached(both(one, both(two, three)))


@given(POLICIES, POLICIES, st.sets(st.sampled_from(sorted(ALL))))
def test_whatever_is_written_nothing_grows(mine: Policy, bound: Policy, written: set[str]) -> None:
    met = meet(mine, bound, written, GROUPS)
    assert_within(met, mine)
    if written >= ALL:
        assert_within(met, bound)
    assert Policy.model_validate_json(met.model_dump_json()) == met, "the meet is a policy that could be written down"


@given(POLICIES, POLICIES)
def test_what_the_bound_writes_is_never_passed(mine: Policy, bound: Policy) -> None:
    met = both(mine, bound)
    assert_within(met.model_copy(update={"mounts": (), "network": Network()}), bound)
    assert MODES.index(met.network.mode) <= MODES.index(bound.network.mode)
    assert met.network.upload_limit <= bound.network.upload_limit
    assert {(each.source, each.mode) for each in met.mounts} <= {
        (each.source, mode) for each in bound.mounts for mode in ("ro", each.mode)
    }


def value(policy: Policy, key: str) -> Any:
    found: Any = policy
    for name in key.split("."):
        found = getattr(found, name)
    return found


def assert_within(inner: Policy, outer: Policy) -> None:
    assert reached(inner) - {("p.test", 8443)} <= reached(outer)
    for name in Limits.model_fields:
        least, most = getattr(inner.limits, name), getattr(outer.limits, name)
        assert most is None or (least is not None and least <= most), name
    assert inner.sandbox.writable_root <= outer.sandbox.writable_root
    assert inner.sandbox.env.items() <= outer.sandbox.env.items()
    assert inner.sandbox.runtime == "runsc" or outer.sandbox.runtime == "runc"
    assert HISTORY.index(inner.workspace.history) <= HISTORY.index(outer.workspace.history)
    assert set(inner.workspace.include) <= set(outer.workspace.include)
    assert set(inner.artifacts) <= set(outer.artifacts)
    assert {each.source for each in inner.mounts} <= {each.source for each in outer.mounts}
    assert {each.name for each in inner.caches} <= {each.name for each in outer.caches}


# Single rules, as they are documented


def network(**values: Any) -> Policy:
    return Policy(network=Network.model_validate({"mode": "allow", **values}))


@pytest.mark.parametrize(
    ("mine", "bound", "met"),
    [
        (("a.test",), ("a.test",), ("a.test",)),
        (("a.test",), ("a.test:80",), ()),
        (("x.c.test",), ("*.c.test",), ("x.c.test",)),
        (("c.test",), ("*.c.test",), ()),
        (("*.c.test",), ("*.x.c.test",), ("*.x.c.test",)),
        (("*.c.test:22",), ("*.x.c.test",), ()),
        (("@pair",), ("@pair",), ("@pair",)),
        (("@pair",), ("a.test", "b.test:8443", "z.test"), ("@pair", "a.test", "b.test:8443")),
        (("@pair",), ("a.test",), ("a.test",)),
        (("@python",), ("@python", "@npm"), ("@python",)),
        (("@python",), ("p.test",), ()),
        (("ac.test", "evila.test"), ("a.test", "*.c.test"), ()),
    ],
)
def test_lists_meet_by_name_and_port(mine: tuple[str, ...], bound: tuple[str, ...], met: tuple[str, ...]) -> None:
    assert both(network(allow=mine), network(allow=bound)).network.allow == met


def test_mode_open_holds_public_names_on_web_ports_and_registries() -> None:
    mine = network(allow=("a.test", "a.test:80", "a.test:22", "d.internal", "@python", "@odd"))
    assert both(mine, network(mode="open")).network.allow == ("a.test", "a.test:80", "@python")


def test_a_list_of_denials_alone_binds_and_takes_a_credential_for_a_denied_host_away() -> None:
    injected = Injection(host="x.c.test", header="x-api-key", secret="KEY")
    mine = network(allow=("a.test:22",), inject=(injected,), private=("10.0.0.0/8",))
    met = meet(mine, network(mode="open", deny=("*.c.test:80",)), {"network.deny"}, GROUPS).network
    assert (met.allow, met.private, met.deny, met.inject) == (("a.test:22",), ("10.0.0.0/8",), ("*.c.test:80",), ())


def test_a_credential_stays_where_the_bound_reaches_its_host_or_names_the_same_one() -> None:
    one, two = (Injection(host=host, header="x-api-key", secret="KEY") for host in ("a.test", "b.test"))
    mine = network(inject=(one, two))
    assert both(mine, network(allow=("a.test",))).network.inject == (one,)
    assert both(mine, network(inject=(two,))).network.inject == (two,)
    other = two.model_copy(update={"secret": "OTHER"})
    assert both(mine, network(inject=(other,))).network.inject == ()


@pytest.mark.parametrize(
    ("mine", "bound", "met"),
    [("10.0.0.0/8", "10.1.0.0/16", "10.1.0.0/16"), ("x.c.test", "*.c.test", "x.c.test")],
)
def test_private_networks_meet_in_the_smaller_one(mine: str, bound: str, met: str) -> None:
    assert both(network(private=(mine,)), network(private=(bound,))).network.private == (met,)
    assert both(network(private=("192.168.0.0/16",)), network(private=(bound,))).network.private == ()


def test_one_address_is_not_made_of_a_network_around_it() -> None:
    around, alone = network(private=("10.0.0.0/8",)), network(private=("10.1.2.3/32",))
    assert both(around, alone).network.private == both(alone, around).network.private == ()
    assert both(alone, alone) == alone


def test_a_mount_stays_with_the_same_source_and_is_writable_where_both_say_so() -> None:
    mine = Policy(
        mounts=(
            PolicyMount(source="/d/a", target="/a", mode="rw"),
            PolicyMount(source="/d/b", target="/b", mode="rw"),
            PolicyMount(source="/d/a/below", target="/c"),
        )
    )
    bound = Policy(mounts=(PolicyMount(source="/d/a", target="/x"), PolicyMount(source="/d/b", target="/y", mode="rw")))
    assert [(each.source, each.target, each.mode) for each in both(mine, bound).mounts] == [
        ("/d/a", "/a", "ro"),
        ("/d/b", "/b", "rw"),
    ]


def test_a_shielding_runtime_wins_over_runc_and_two_of_them_cannot_meet() -> None:
    def of(runtime: str) -> Policy:
        return Policy(sandbox=SandboxOptions.model_validate({"runtime": runtime}))

    assert both(of("runc"), of("runsc")).sandbox.runtime == "runsc"
    assert both(of("kata"), of("runc")).sandbox.runtime == "kata"
    with pytest.raises(ValueError, match="neither replaces the other"):
        both(of("kata"), of("runsc"))


def test_the_longest_lists_meet_in_a_moment() -> None:
    deep = ".".join(["a"] * 120)
    mine = network(allow=tuple(f"{number}.{deep}" for number in range(1000)))
    bound = network(allow=tuple(f"*.b{number}.test" for number in range(10000)), deny=("z.test",))
    begin = time.process_time()
    assert both(mine, bound).network.allow == ()
    assert time.process_time() - begin < 3
