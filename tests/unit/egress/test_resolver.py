"""Names become addresses within a time, and a host knows its own."""

import asyncio
import ipaddress
import socket
import time

import pytest

from runner.egress.own_addresses import own_addresses
from runner.egress.resolver import FixedResolver, ResolveError, SystemResolver


def answer(*texts: str) -> list[tuple[int, int, int, str, tuple[str, int]]]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, 0)) for text in texts]


def test_both_families_are_kept_once_each_and_zones_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer("192.0.2.1", "fe80::1%eth0", "192.0.2.1"))
    found = asyncio.run(SystemResolver().resolve("a.test"))
    assert [str(address) for address in found] == ["192.0.2.1", "fe80::1"]


def test_the_name_is_looked_up_as_it_stands_before_the_host_may_append_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def look_up(name: str, *_: object, **__: object) -> object:
        asked.append(name)
        raise socket.gaierror(socket.EAI_NONAME, "no")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(ResolveError, match="no-such-name"):
        asyncio.run(SystemResolver().resolve("a.test"))
    assert asked == ["a.test.", "a.test"]


def test_a_lookup_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> object:
        time.sleep(0.5)
        return answer("192.0.2.1")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with pytest.raises(ResolveError, match="lookup-timed-out"):
        asyncio.run(SystemResolver(timeout=0.05).resolve("a.test"))


def test_an_enormous_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    many = answer(*(f"10.0.{number >> 8}.{number & 255}" for number in range(1000)))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: many)
    assert len(asyncio.run(SystemResolver().resolve("a.test"))) == 64


def test_a_fixed_resolver_knows_what_it_was_told() -> None:
    fixed = FixedResolver({"a.test": ["192.0.2.1", "2001:db8::1"]})
    assert [str(address) for address in asyncio.run(fixed.resolve("a.test"))] == ["192.0.2.1", "2001:db8::1"]
    with pytest.raises(ResolveError):
        asyncio.run(fixed.resolve("b.test"))
    assert fixed.asked == ["a.test", "b.test"]


def test_the_hosts_own_addresses_hold_loopback_and_nothing_that_cannot_be_bound() -> None:
    own = own_addresses()
    assert ipaddress.ip_address("127.0.0.1") in own
    for address in own:
        if address.version == 4:
            with socket.socket() as probe:
                probe.bind((str(address), 0))
