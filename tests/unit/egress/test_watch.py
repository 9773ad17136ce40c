"""The selector of a gateway's loop: it serves the tunnels, and tells of all else as the standard library's does."""

import asyncio
import socket
import time
from collections.abc import Iterator
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE

import pytest

from runner.egress.watch import Watch


@pytest.fixture
def watch() -> Iterator[Watch]:
    found = Watch()
    yield found
    found.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


Pair = tuple[socket.socket, socket.socket]


def test_what_a_tunnel_waits_for_is_served_and_not_told(watch: Watch, pair: Pair) -> None:
    ours, theirs = pair
    seen: list[bytes] = []
    watch.wait_for(ours.fileno(), EVENT_READ, lambda _: seen.append(ours.recv(10)))
    theirs.send(b"one")
    assert (watch.select(0), seen) == ([], [b"one"])
    watch.wait_for(ours.fileno(), 0, lambda _: seen.append(b"late"))
    theirs.send(b"two")
    assert (watch.select(0), seen) == ([], [b"one"])


def test_what_the_loop_waits_for_is_told_and_only_that(watch: Watch, pair: Pair) -> None:
    ours, theirs = pair
    key = watch.register(ours, EVENT_READ, "data")
    assert watch.select(0) == []
    theirs.send(b"one")
    assert watch.select(0) == [(key, EVENT_READ)]
    both = watch.modify(ours, EVENT_READ | EVENT_WRITE, "more")
    assert watch.select(0) == [(both, EVENT_READ | EVENT_WRITE)]
    assert watch.get_key(ours.fileno()).data == "more"
    watch.unregister(ours)
    assert (watch.select(0), dict(watch.get_map())) == ([], {})


def test_an_end_is_told_to_whoever_reads(watch: Watch, pair: Pair) -> None:
    ours, theirs = pair
    key = watch.register(ours, EVENT_READ)
    theirs.close()
    assert watch.select(0) == [(key, EVENT_READ)]


def test_a_descriptor_is_registered_once_and_an_unknown_one_is_an_error(watch: Watch, pair: Pair) -> None:
    ours, theirs = pair
    watch.register(ours, EVENT_READ)
    with pytest.raises(KeyError):
        watch.register(ours, EVENT_READ)
    for fault in (watch.unregister, watch.get_key):
        with pytest.raises(KeyError):
            fault(theirs)


def test_a_descriptor_that_was_closed_first_can_be_given_up(watch: Watch) -> None:
    ours, theirs = socket.socketpair()
    number = ours.fileno()
    watch.register(number, EVENT_READ)
    ours.close()
    assert watch.unregister(number).fd == number
    theirs.close()


def test_the_handler_of_a_closed_socket_is_not_called_for_the_next_one_of_its_number(watch: Watch) -> None:
    seen: list[str] = []
    ours, theirs = socket.socketpair()
    number = ours.fileno()
    watch.wait_for(number, EVENT_READ, lambda _: seen.append("old"))
    watch.forget(number)
    ours.close()
    theirs.close()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert number in {ours.fileno(), theirs.fileno()}
        new, other = (ours, theirs) if ours.fileno() == number else (theirs, ours)
        watch.wait_for(new.fileno(), EVENT_READ, lambda _: seen.append("new"))
        other.send(b"x")
        assert (watch.select(0), seen) == ([], ["new"])
        watch.forget(new.fileno())


def test_one_that_is_forgotten_by_another_in_the_same_round_is_not_served(watch: Watch) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    seen: list[int] = []

    def serve(number: int, _events: int) -> None:
        seen.append(number)
        for ours, _ in pairs:
            watch.wait_for(ours.fileno(), 0, lambda _: None)

    for ours, theirs in pairs:
        watch.wait_for(ours.fileno(), EVENT_READ, partial(serve, ours.fileno()))
        theirs.send(b"x")
    assert (watch.select(0), len(seen)) == ([], 1)
    for sock in (sock for pair in pairs for sock in pair):
        sock.close()


def test_a_time_is_waited_for_and_not_cut_short(watch: Watch) -> None:
    begin = time.monotonic()
    assert watch.select(0.0101) == []
    assert time.monotonic() - begin >= 0.0101


def test_a_loop_works_with_it_also_from_other_threads_and_with_many_tunnels(watch: Watch) -> None:
    async def talk() -> int:
        loop = asyncio.get_running_loop()
        pairs = [socket.socketpair() for _ in range(200)]
        got: set[int] = set()
        done = loop.create_future()

        def served(sock: socket.socket) -> None:
            sock.recv(10)
            got.add(sock.fileno())
            if len(got) == len(pairs):
                done.set_result(None)

        for ours, theirs in pairs:
            watch.wait_for(ours.fileno(), EVENT_READ, lambda _, sock=ours: served(sock))  # type: ignore[misc]
            await asyncio.to_thread(theirs.send, b"x")
        await asyncio.wait_for(done, 5)
        for sock in (sock for pair in pairs for sock in pair):
            watch.forget(sock.fileno())
            sock.close()
        return len(got)

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(watch)) as runner:
        assert runner.run(talk()) == 200
