"""What is tried again, when, and which attempt is the best."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.batch.settled import AGENTS_OWN, best_of, fault_of, settled_of, wait_before
from runner.model.result import CheckResult, CommitSummary, Digests, Outcome, Round, RunResult
from runner.store.batches import AttemptRow

NEVER = {Outcome.REFUSED, Outcome.REJECTED, Outcome.BUDGET_EXCEEDED, Outcome.CANCELLED}


def result(outcome: Outcome, **details: object) -> RunResult:
    values = {"id": "r", "outcome": outcome, "exit_code": 0 if outcome is Outcome.COMPLETED else 10, "repo": "/r"}
    times = {"started_at": "t", "ended_at": "t", "digests": Digests(policy="")}
    return RunResult.model_validate({**values, **times, **details})


def test_every_outcome_but_a_success_is_somebodys_fault() -> None:
    failures = set(Outcome) - {Outcome.COMPLETED}
    assert {each for each in failures if fault_of(each) == "never"} == NEVER
    assert {each for each in failures if fault_of(each) == "engine"} == {Outcome.ENGINE_FAILED}
    assert {each for each in failures if fault_of(each) == "agent"} == AGENTS_OWN
    assert {each for each in failures if fault_of(each, overloaded=True) == "overload"} == AGENTS_OWN


def test_engine_failures_wait_longer_each_time_and_end() -> None:
    waits = [wait_before("engine", failures, 0) for failures in range(1, 6)]
    bounds = [(2, 4), (4, 6), (8, 10)]
    assert all(low <= (wait or 0) <= high for (low, high), wait in zip(bounds, waits, strict=False))
    assert waits[3:] == [None, None]


def test_a_provider_that_is_full_is_given_minutes() -> None:
    waits = [wait_before("overload", failures, 0) for failures in range(1, 8)]
    assert all(wait is not None and 15 * 2**number <= wait <= 615 for number, wait in enumerate(waits[:6]))
    assert waits[6] is None


def test_waits_are_spread_so_that_tasks_do_not_come_back_together() -> None:
    assert len({wait_before("overload", 1, 0) for _ in range(20)}) > 10


def test_an_agents_failure_is_tried_again_only_as_often_as_asked_and_policy_never() -> None:
    assert wait_before("agent", 1, 0) is None
    assert wait_before("agent", 1, 1) is not None
    assert wait_before("agent", 2, 1) is None
    assert wait_before("never", 1, 9) is None


def test_what_never_began_is_begun_at_once_however_often() -> None:
    assert wait_before("unbegun", 99, 0) == 0.0


def test_what_is_kept_of_a_result() -> None:
    commit = CommitSummary(sha="1", subject="s", author="a", files=1, insertions=3, deletions=2)
    check = CheckResult(command="make", exit_code=1, seconds=1.0)
    kept = settled_of(
        result(
            Outcome.CHECK_FAILED, commits=(commit, commit), check=check, cost_usd=0.5, branch="paddock/r", reason="no"
        )
    )
    assert (kept.ok, kept.fault, kept.check, kept.commits, kept.lines, kept.cost_usd) == (
        False,
        "agent",
        "failed",
        2,
        10,
        0.5,
    )


def test_a_work_of_several_rounds_costs_all_of_them() -> None:
    rounds = [Round(id=str(n), agent="a", outcome=Outcome.COMPLETED, why="task", cost_usd=0.25) for n in range(3)]
    assert settled_of(result(Outcome.COMPLETED, rounds=rounds, cost_usd=0.25)).cost_usd == 0.75


def row(attempt: int, *, ok: int = 1, check: str = "", branch: str = "b", lines: int = 0) -> AttemptRow:
    return AttemptRow(1, attempt, state="done", ok=ok, check=check, branch=branch, lines=lines)


def test_the_best_attempt_succeeded_then_passed_its_check_then_changed_least() -> None:
    failed, unchecked = row(1, ok=0, check="passed"), row(2)
    large, small, same = (
        row(3, check="passed", lines=90),
        row(4, check="passed", lines=7),
        row(5, check="passed", lines=7),
    )
    nothing = row(6, check="passed", branch="")
    everything = [failed, unchecked, large, small, same, nothing]
    assert best_of(everything) == small
    assert best_of([failed, unchecked]) == unchecked
    assert best_of([large, nothing]) == large
    assert best_of([failed]) == failed


@given(
    st.permutations([row(1, ok=0), row(2, lines=5), row(3, lines=4, check="passed"), row(4, lines=4, check="passed")])
)
def test_the_choice_does_not_depend_on_who_was_first(rows: list[AttemptRow]) -> None:
    assert best_of(rows).attempt == 3
