"""`--observe`: open, and able to say what the given policy would have denied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.egress.observe import given_rules, observe_notice, observed, would_have_denied
from runner.egress.rules import compile_rules
from runner.errors import RefusedError
from runner.model.network import NetworkRow, Verdict
from runner.model.policy import Limits, Network, Policy

GIVEN = Policy(
    network=Network(mode="allow", allow=("a.test", "*.b.test:80"), deny=("bad.a.test",), private=("10.0.0.0/8",)),
    limits=Limits(pids=77),
)


def row(name: str, port: int | None, verdict: Verdict = "allowed", reason: str = "open") -> NetworkRow:
    return NetworkRow(name=name, port=port, verdict=verdict, reason=reason, count=2, bytes_up=5)


def test_the_network_is_open_and_all_else_is_as_it_was() -> None:
    changed = observed(GIVEN)
    assert changed.network.mode == "open"
    assert changed.network.model_copy(update={"mode": "allow"}) == GIVEN.network
    assert changed.model_copy(update={"network": GIVEN.network}) == GIVEN


def test_a_policy_without_network_is_opened_and_would_have_denied_all() -> None:
    rules = compile_rules(observed(Policy()).network, {})
    assert rules.decide("a.test", 443).allowed
    assert [found.reason for found in would_have_denied([row("a.test", 443)], given_rules(rules))] == ["not-listed"]


def test_an_open_policy_has_nothing_to_observe() -> None:
    with pytest.raises(RefusedError, match="open"):
        observed(Policy(network=Network(mode="open")))


def test_what_the_given_policy_denies_stays_denied() -> None:
    assert not compile_rules(observed(GIVEN).network, {}).decide("bad.a.test", 443).allowed


def test_what_was_let_through_is_held_against_the_given_policy() -> None:
    rules = given_rules(compile_rules(observed(GIVEN).network, {}))
    rows = [
        row("a.test", 443),
        row("a.test", 80),
        row("x.b.test", 80),
        row("c.test", 443),
        row("a.test", None),
        row("c.test", None),
        row("d.test", 443, "refused", "address: private"),
    ]
    found = would_have_denied(rows, rules)
    assert [(entry.name, entry.port, entry.verdict, entry.reason) for entry in found] == [
        ("a.test", 80, "refused", "port-not-listed"),
        ("c.test", 443, "refused", "not-listed"),
        ("c.test", None, "refused", "not-listed"),
    ]
    assert {(entry.count, entry.bytes_up) for entry in found} == {(2, 5)}


NAMES = st.sampled_from(["a.test", "bad.a.test", "x.b.test", "b.test", "c.test"])
PORTS = st.sampled_from([22, 80, 443])


@given(name=NAMES, port=PORTS)
def test_the_given_policys_rules_are_found_again_from_the_observed_ones(name: str, port: int) -> None:
    again = given_rules(compile_rules(observed(GIVEN).network, {}))
    assert again.decide(name, port) == compile_rules(GIVEN.network, {}).decide(name, port)


def test_the_notice_says_that_everything_can_leave_and_names_the_policy() -> None:
    assert "whatever it can read" in observe_notice("ci")
    assert '"ci"' in observe_notice("ci")
