"""Of several checked addresses the first that answers wins, and nothing else is dialled or left open."""

import asyncio
import ipaddress
import socket
from collections.abc import Coroutine

import pytest

from runner.egress.addresses import Address
from runner.egress.dial import dial_first, dial_tcp

V4, V6, OTHER = (ipaddress.ip_address(text) for text in ("192.0.2.1", "2001:db8::1", "192.0.2.2"))


class Script:
    """A `Dial` that answers as it was told: after some seconds, with a socket or a failure."""

    def __init__(self, plan: dict[Address, tuple[float, bool]]) -> None:
        self._plan = plan
        self.dialled: list[Address] = []
        self.given: list[socket.socket] = []

    async def __call__(self, address: Address, port: int) -> socket.socket:
        self.dialled.append(address)
        seconds, answers = self._plan[address]
        await asyncio.sleep(seconds)
        if not answers:
            raise ConnectionRefusedError(f"{address}:{port}")
        self.given.append(socket.socket())
        return self.given[-1]


def run(main: Coroutine[None, None, tuple[Address, socket.socket]]) -> Address:
    async def whole() -> Address:
        address, upstream = await main
        upstream.close()
        await asyncio.sleep(0.01)
        return address

    return asyncio.run(whole())


def test_the_first_address_is_enough_when_it_answers() -> None:
    script = Script({V4: (0, True), V6: (0, True)})
    assert run(dial_first([V4, V6], 443, script)) == V4
    assert script.dialled == [V4]


def test_the_other_family_comes_second_and_at_once_after_a_failure() -> None:
    script = Script({V6: (0, False), OTHER: (0, True), V4: (0, True)})
    assert run(dial_first([V6, V4, OTHER], 443, script)) == V4
    assert script.dialled == [V6, V4]


def test_a_silent_address_does_not_hold_up_the_next_and_the_loser_is_closed() -> None:
    script = Script({V4: (2, True), V6: (0.1, True)})
    assert run(dial_first([V4, V6], 443, script)) == V6
    assert all(upstream.fileno() == -1 for upstream in script.given)


def test_two_answers_at_once_leave_nothing_open() -> None:
    script = Script({V4: (0.25, True), V6: (0, True)})
    run(dial_first([V4, V6], 443, script))
    assert all(upstream.fileno() == -1 for upstream in script.given)


def test_when_none_answers_the_last_failure_is_told() -> None:
    with pytest.raises(ConnectionRefusedError, match=r"2001:db8::1"):
        run(dial_first([V4, V6], 443, Script({V4: (0, False), V6: (0, False)})))


def test_tcp_is_dialled_to_exactly_that_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert run(dial_first([ipaddress.ip_address("127.0.0.1")], port, dial_tcp)) == ipaddress.ip_address("127.0.0.1")
        peer, _ = server.accept()
        peer.close()
    with pytest.raises(ConnectionRefusedError):
        run(dial_first([ipaddress.ip_address("127.0.0.1")], port, dial_tcp))
