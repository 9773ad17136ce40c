"""Suggestions are exact names for a person to read, whatever a sandbox asked for."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.egress.rules import compile_rules
from runner.model.destinations import parse_destination
from runner.model.network import NetworkRow
from runner.model.policy import Policy
from runner.report.network_suggest import MOST_BELOW, MOST_ENTRIES, Suggestion, suggest, suggestion_lines

GROUPS = {"forge": ("forge.test", "*.raw.forge.test"), "forge-ssh": ("forge.test:22",)}


def row(name: str, port: int | None = None, reason: str = "not-listed", count: int = 1) -> NetworkRow:
    return NetworkRow(name=name, port=port, verdict="refused", reason=reason, count=count)


def text_of(suggestion: Suggestion, mode: str = "allow") -> str:
    return "\n".join(suggestion_lines(suggestion, "r1", mode=mode))


def entries(*rows: NetworkRow) -> list[str]:
    return [entry.text for entry in suggest(rows, GROUPS).entries]


def test_the_lines_are_a_policy_that_allows_what_was_denied_and_nothing_else() -> None:
    rows = [row("a.test"), row("db.test", 5432), row("web.test", 80, "port-not-listed"), row("b.test", 443)]
    policy = Policy.model_validate(tomllib.loads(text_of(suggest(rows, GROUPS))))
    assert set(policy.network.allow) == {"a.test", "db.test:5432", "web.test:80", "b.test"}
    rules = compile_rules(policy.network, {})
    assert all(rules.decide(entry.name, entry.port or 443).allowed for entry in rows)
    assert not rules.decide("x.a.test", 443).allowed
    assert not rules.decide("db.test", 443).allowed


def test_each_line_says_how_often_it_was_asked_for_and_the_most_wanted_comes_first() -> None:
    lines = text_of(suggest([row("a.test"), row("b.test", 22, count=5)], GROUPS)).splitlines()
    assert '  "b.test:22",  # asked for 5 times' in lines
    assert '  "a.test",     # looked up once; the port is a guess: 443' in lines
    assert lines.index('  "b.test:22",  # asked for 5 times') + 1 == len(lines) - 2


def test_a_lookup_before_a_connection_is_no_guess_of_its_own() -> None:
    assert entries(row("a.test", count=9), row("a.test", 22)) == ["a.test:22"]


def test_a_shipped_group_is_named_where_it_stands_for_a_name() -> None:
    looked_up = suggest([row("forge.test")], GROUPS)
    connected = suggest([row("forge.test", 22), row("x.raw.forge.test", 443), row("a.test", 443)], GROUPS)
    assert [entry.groups for entry in looked_up.entries] == [("forge", "forge-ssh")]
    assert {entry.text: entry.groups for entry in connected.entries} == {
        "forge.test:22": ("forge-ssh",),
        "x.raw.forge.test": ("forge",),
        "a.test": (),
    }
    assert '"forge.test",  # looked up once; the port is a guess: 443; in @forge, @forge-ssh' in text_of(looked_up)


@pytest.mark.parametrize(
    ("denied", "why"),
    [
        (row("nas.test", 443, "address: private"), "network.private"),
        (row("a.test", 443, "tls: another server name"), "very name"),
        (row("a.test", 80, "http: no Host header"), "very name"),
        (row("10.0.0.1", reason="not-a-name"), "full names alone"),
        (row("bad.test", reason="denied-by-policy"), "deny beats allow"),
        (row("gone.test", 443, "no-such-name"), "has no address"),
        (row("a.test", 443, "upload-limit"), "upload_limit"),
        (row("x.onion"), "public address"),
    ],
)
def test_what_an_entry_cannot_or_must_not_mend_is_told_and_not_suggested(denied: NetworkRow, why: str) -> None:
    found = suggest([denied], GROUPS)
    assert found.entries == ()
    assert len(found.left_out) == 1
    assert why in found.left_out[0]
    assert all(line.startswith("#") for line in text_of(found).splitlines())


@pytest.mark.parametrize("name", ["*.a.test", "*", "10.0.0.1", "[::1]", "@forge", "a.test:22", "a test", "localhost"])
def test_even_a_record_that_somebody_wrote_by_hand_suggests_no_wildcard_address_or_group(name: str) -> None:
    assert entries(row(name), row(name, 443)) == []


def test_many_names_below_one_domain_are_told_in_one_line() -> None:
    many = [row(f"{word}.x.test") for word in (f"word{letter}" for letter in "abcdefghijk")]
    found = suggest([*many, row("x.test"), row("a.test")], GROUPS)
    assert [entry.text for entry in found.entries] == ["a.test", "x.test"]
    assert found.left_out == ("11 names below x.test were asked for: looks like data in names (asked for 11 times)",)


def test_many_names_where_anybody_can_have_a_host_are_told_in_one_line() -> None:
    found = suggest([row(f"user{letter}.github.io") for letter in "abcdefghi"], GROUPS)
    assert found.entries == ()
    assert found.left_out[0].startswith("9 names below github.io were asked for")


def test_a_few_names_below_one_domain_are_suggested() -> None:
    few = [row(f"{word}.x.test") for word in "abcdefgh"]
    assert len(few) == MOST_BELOW
    assert len(entries(*few)) == MOST_BELOW


def test_names_of_a_shipped_group_stay_suggested_in_whatever_crowd() -> None:
    crowd = [row(f"word{letter}.raw.forge.test") for letter in "abcdefghijkl"]
    assert len(entries(*crowd)) == 12


def test_a_name_that_looks_like_data_is_marked() -> None:
    found = suggest([row("deadbeef0123456789abcdef.x.test", count=50)], GROUPS)
    assert found.entries == ()
    assert "looks made by a machine" in found.left_out[0]


def test_a_hundred_thousand_names_are_answered_in_a_page() -> None:
    rows = [row(f"w{number}.d{number}.test") for number in range(100_000)]
    rows += [row("forge.test"), row("wanted.test", 443, count=3)]
    found = suggest(rows, GROUPS)
    assert found.entries[0].text == "wanted.test"
    assert len(found.entries) == MOST_ENTRIES
    assert found.left_out[-1].startswith(f"{100_002 - MOST_ENTRIES} more names")


def test_letters_outside_ascii_are_pointed_out() -> None:
    assert "can look like others" in text_of(suggest([row("xn--gthub-n4a.test")], GROUPS))


def test_an_open_policy_keeps_its_mode_and_an_observed_one_gets_a_list() -> None:
    found = suggest([row("a.test", 22, "port-not-listed")], GROUPS)
    assert 'mode = "open"' in "\n".join(suggestion_lines(found, "r1", mode="open"))
    assert 'mode = "allow"' in "\n".join(suggestion_lines(found, "r1", mode="open", observed=True))


def test_where_nothing_was_denied_there_is_only_a_comment() -> None:
    assert text_of(suggest([], GROUPS)) == "# Nothing to suggest for r1."


NAMES = st.one_of(
    st.text(max_size=40),
    st.from_regex(r"[a-z0-9*@:\[\].\n\"#_-]{1,30}\.(test|invalid|x)", fullmatch=True),
    st.ip_addresses().map(str),
)
ROWS = st.builds(
    row,
    NAMES,
    st.none() | st.integers(1, 65535),
    st.sampled_from(["not-listed", "port-not-listed", "denied-by-policy", "address: private", "\n[mounts]"]),
    st.integers(1, 10**6),
)


@given(rows=st.lists(ROWS, max_size=20))
def test_whatever_was_asked_the_output_is_a_policy_of_exact_names(rows: list[NetworkRow]) -> None:
    document = tomllib.loads(text_of(suggest(rows, GROUPS)))
    assert set(document) <= {"network"}
    network = document.get("network", {})
    assert set(network) <= {"mode", "allow"}
    asked = {(entry.name, entry.port or 443) for entry in rows}
    for text in network.get("allow", []):
        destination = parse_destination(text)
        assert destination.kind == "name"
        assert str(destination) == text
        assert (destination.name, destination.port or 443) in asked
