"""Never more than fits: jobs, CPUs, memory, providers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from runner.batch.check import Demand, Room
from runner.batch.fitting import Taken, Waiting, next_to_begin

NOW = datetime(2026, 11, 20, tzinfo=UTC)
ROOM = Room(cpus=4.0, memory=100, jobs=3, providers={"p": 1})


def waiting(number: int, cpus: float = 1, memory: int = 10, provider: str = "", later: float = 0) -> Waiting:
    return Waiting((number, 1), Demand(cpus, memory, provider), NOW + timedelta(seconds=later) if later else None)


def begun(queue: list[Waiting], room: Room = ROOM, taken: Taken | None = None) -> list[int]:
    """The tasks that begin, if none ends."""
    taken, queue, order = taken or Taken(), list(queue), []
    while (chosen := next_to_begin(queue, taken, room, NOW)) is not None:
        queue.remove(chosen)
        taken.take(chosen.key, chosen.demand)
        order.append(chosen.key[0])
    return order


def test_jobs_cpus_and_memory_each_bound_what_runs() -> None:
    assert begun([waiting(n) for n in range(9)]) == [0, 1, 2]
    assert begun([waiting(n, cpus=2) for n in range(9)]) == [0, 1]
    assert begun([waiting(n, memory=60) for n in range(9)]) == [0]


def test_a_tenth_of_a_cpu_ten_times_is_one_cpu() -> None:
    room = Room(cpus=1.0, memory=1000, jobs=99, providers={})
    assert len(begun([waiting(n, cpus=0.1) for n in range(12)], room)) == 10


def test_what_waits_for_its_provider_or_its_time_is_overtaken() -> None:
    queue = [waiting(0, provider="p"), waiting(1, provider="p"), waiting(2, later=5), waiting(3)]
    assert begun(queue) == [0, 3]


def test_a_large_task_is_not_overtaken_by_small_ones_for_ever() -> None:
    taken = Taken()
    taken.take((9, 1), Demand(1, 10))
    assert begun([waiting(0, cpus=4), waiting(1), waiting(2)], taken=taken) == []
    taken.give_back((9, 1))
    assert begun([waiting(0, cpus=4), waiting(1), waiting(2)], taken=taken) == [0]


@given(
    st.lists(st.tuples(st.floats(0.1, 4), st.integers(1, 100), st.sampled_from(["", "p", "q"])), max_size=12),
    st.integers(1, 6),
)
def test_never_more_than_fits(demands: list[tuple[float, int, str]], jobs: int) -> None:
    room = Room(cpus=4.0, memory=100, jobs=jobs, providers={"p": 2})
    chosen = begun([waiting(number, *each) for number, each in enumerate(demands)], room)
    assert len(chosen) <= jobs
    assert sum(demands[number][0] for number in chosen) <= 4.0 + 1e-6
    assert sum(demands[number][1] for number in chosen) <= 100
    assert sum(demands[number][2] == "p" for number in chosen) <= 2
    assert bool(chosen) == bool(demands)
