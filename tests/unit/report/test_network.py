"""What people are told of a run's network, and what a hostile name cannot do to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runner.egress.rules import Reason
from runner.model.network import NetworkRow, Verdict
from runner.report.network import amount, busiest, denial_lines, network_cells, without_canary
from runner.report.network_words import BEGINNINGS, MENDABLE, REASONS, words_of

CANARY = "paddock-canary-0123456789abcdef.invalid"
EGRESS = Path(__file__).parents[3] / "runner" / "egress"


def row(
    name: str,
    port: int | None = None,
    reason: str = "not-listed",
    *,
    verdict: Verdict = "refused",
    count: int = 1,
    sent: int = 0,
) -> NetworkRow:
    return NetworkRow(name=name, port=port, verdict=verdict, reason=reason, count=count, bytes_up=sent)


def test_every_reason_of_the_rules_has_a_sentence() -> None:
    assert {reason.value for reason in Reason} <= set(REASONS)
    assert set(REASONS) >= MENDABLE


def test_every_reason_that_the_gateway_writes_down_has_a_sentence() -> None:
    found = set()
    for file in ("switchboard.py", "reach.py", "wire.py", "resolver.py"):
        text = (EGRESS / file).read_text()
        found |= set(re.findall(r'(?:reason=|Refused\(|WireError\(|ResolveError\()f?"([a-z-]+)', text))
    assert {"malformed-line", "no-such-name", "connect-failed", "tls", "too-many-connections"} <= found
    assert found <= set(REASONS) | set(BEGINNINGS)
    assert 'f"http: {' in (EGRESS / "carriage.py").read_text()


def test_a_budget_that_is_used_up_is_no_denial_of_a_name() -> None:
    assert list(denial_lines([row("api.test", 80, "budget")], "r1")) == []
    assert "a.test" in next(denial_lines([row("api.test", 80, "budget"), row("a.test", 443)], "r1"))


def test_a_reason_that_nobody_knows_is_shown_as_it_stands() -> None:
    assert words_of("new\x1b[2J").sentence == r"new\x1b[2J"
    assert words_of("strange: thing").sentence == "strange: thing"


def test_a_reason_with_a_detail_keeps_it_escaped() -> None:
    assert words_of("address: private").sentence == "its address is not public: private"
    assert "\x1b" not in words_of("connect-failed: \x1b[2J").sentence


def test_the_self_tests_one_question_is_left_out() -> None:
    assert without_canary([row(CANARY), row("a.test")]) == (row("a.test"),)


@pytest.mark.parametrize(
    "imitation",
    [
        row("paddock-canary-stolen.evil.test"),
        row("paddock-canary-0123456789abcdef.invalid.evil.test"),
        row("paddock-canary-0123456789ABCDEF.invalid"),
        row(CANARY, 443),
        row(CANARY, verdict="allowed", reason="open"),
    ],
)
def test_what_imitates_the_self_test_is_shown(imitation: NetworkRow) -> None:
    assert without_canary([imitation]) == (imitation,)


def test_a_second_name_of_the_self_tests_form_is_not_its_own_and_both_are_shown() -> None:
    rows = (row(CANARY), row("paddock-canary-fedcba9876543210.invalid"))
    assert without_canary(rows) == rows


def test_names_that_an_agent_made_up_do_not_push_out_what_it_reached() -> None:
    made_up = [row(f"{number}.test") for number in range(1000)]
    reached = row("reached.test", 443, "listed", verdict="allowed", sent=5)
    shown, left = busiest([*made_up, reached], 10)
    assert reached in shown
    assert (len(shown), left) == (11, 990)


def test_what_was_asked_for_most_comes_first() -> None:
    shown, left = busiest([row("a.test"), row("b.test", count=7), row("c.test", count=3)], 2)
    assert [entry.name for entry in shown] == ["b.test", "c.test"]
    assert left == 1


def test_a_table_says_in_words_what_happened() -> None:
    cells = list(network_cells([row("a.test", 22, "listed", verdict="allowed", count=2, sent=3 * 2**20)]))
    assert cells == [("a.test", "22", "allowed", "2", "3.0 MiB", "0 B", "the policy lists it")]


def test_a_hostile_name_steers_nothing_and_stays_in_its_cell() -> None:
    (cells,) = network_cells([row("\x1b]0;owned\x07" + "x" * 300, reason="not-a-name")])
    assert "\x1b" not in cells[0]
    assert len(cells[0]) == 64


def test_an_observed_row_tells_what_the_given_policy_says() -> None:
    open_row = row("a.test", 443, "open", verdict="allowed")
    (cells,) = network_cells([open_row], [row("a.test", 443)])
    assert (cells[2], cells[6]) == ("would deny", "the policy does not list it")


def test_the_summary_names_what_was_denied_and_where_to_look() -> None:
    rows = [row("a.test", count=4), row("b.test", 22), row(CANARY), row("", reason="malformed-line")]
    assert list(denial_lines(rows, "r1")) == [
        "  network   2 names denied: a.test (4), b.test:22 (1)",
        "            see `paddock network r1` and `paddock policy suggest r1`",
    ]


def test_the_summary_stays_short_whatever_was_asked() -> None:
    lines = list(denial_lines([row(f"{number:03}" + "x" * 250 + ".test") for number in range(200)], "r1"))
    assert len(lines) == 2
    assert lines[0].endswith("and 196 more")
    assert len(lines[0]) < 400


def test_what_was_allowed_and_failed_is_told_apart_from_what_was_denied() -> None:
    assert list(denial_lines([row("gone.test", 443, "no-such-name")], "r1")) == [
        "  network   1 name allowed, but not reached: gone.test (1)",
        "            see `paddock network r1`",
    ]


def test_the_lookup_before_a_connection_is_not_told_twice() -> None:
    assert next(denial_lines([row("a.test", count=9), row("a.test", 443, count=2)], "r1")) == (
        "  network   1 name denied: a.test (2)"
    )


def test_an_observed_run_speaks_of_what_would_have_been() -> None:
    assert next(denial_lines([row("a.test")], "r1", observed=True)) == (
        "  network   1 name that the policy would have denied: a.test (1)"
    )


def test_where_nothing_was_denied_nothing_is_said() -> None:
    assert list(denial_lines([row(CANARY)], "r1")) == []


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**30, "1.0 GiB"), (2**41, "2048.0 GiB")]
)
def test_amounts_are_short(count: int, text: str) -> None:
    assert amount(count) == text
