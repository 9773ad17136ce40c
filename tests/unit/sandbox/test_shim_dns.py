"""The shim's DNS, byte for byte: what programs ask is answered as they expect, and hostile packets break nothing."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.sandbox.inside.shim_network import (
    FORMERR,
    MAX_NAMES,
    NOERROR,
    NOTIMP,
    NXDOMAIN,
    address_of,
    answer,
    parse_ports,
    parse_query,
    question,
)

HEADER = struct.Struct("!6H")
OPT = struct.pack("!BHHIH", 0, 41, 4096, 0, 0)
COOKIE = struct.pack("!BHHIH", 0, 41, 4096, 0, 12) + struct.pack("!HH8s", 10, 8, b"12345678")
LABELS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", min_size=1, max_size=63)
NAMES = st.lists(LABELS, min_size=1, max_size=6).map(".".join).filter(lambda name: len(name) <= 253)


def wire(*labels: bytes) -> bytes:
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def packet(
    name: bytes = wire(b"example", b"test"),
    *,
    kind: int = 1,
    class_: int = 1,
    flags: int = 0x0100,
    counts: tuple[int, int, int, int] = (1, 0, 0, 0),
    rest: bytes = b"",
) -> bytes:
    return HEADER.pack(0x1234, flags, *counts) + name + struct.pack("!HH", kind, class_) + rest


def test_an_ordinary_question_is_understood() -> None:
    query = parse_query(packet(wire(b"WwW", b"Example", b"TEST"), kind=28))
    assert query is not None
    assert (query.name, query.kind, query.edns, query.fault) == ("www.example.test", 28, False, NOERROR)


def test_the_answer_repeats_the_question_to_the_letter_and_points_to_its_name() -> None:
    asked = packet(wire(b"eXaMpLe", b"TeSt"))
    query = parse_query(asked)
    assert query is not None
    reply = answer(query, NOERROR, "127.77.0.9")
    assert HEADER.unpack_from(reply) == (0x1234, 0x8180, 1, 1, 0, 0)
    assert reply[12 : len(asked)] == asked[12:]
    assert reply[len(asked) :] == struct.pack("!HHHIH", 0xC00C, 1, 1, 5, 4) + socket.inet_aton("127.77.0.9")


def test_a_name_that_is_not_there_has_a_code_and_no_record() -> None:
    query = parse_query(packet())
    assert query is not None
    assert answer(query, NXDOMAIN) == packet(flags=0x8183)


@pytest.mark.parametrize("options", [OPT, COOKIE])
def test_options_are_tolerated_and_answered(options: bytes) -> None:
    query = parse_query(packet(counts=(1, 0, 0, 1), rest=options))
    assert query is not None
    assert (query.edns, query.fault, query.name) == (True, NOERROR, "example.test")
    reply = answer(query, NOERROR, "127.77.0.1")
    assert HEADER.unpack_from(reply)[5] == 1
    assert reply[-11:] == struct.pack("!BHHIH", 0, 41, 1232, 0, 0)


@pytest.mark.parametrize("data", [b"", b"\0" * 11, packet(flags=0x8180), packet(flags=0x8000)[:12]])
def test_what_deserves_no_answer_gets_none(data: bytes) -> None:
    assert parse_query(data) is None


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (packet(flags=0x2800), NOTIMP),
        (packet(flags=0x0800)[:12], NOTIMP),
        (packet()[:12], FORMERR),
        (packet()[:-1], FORMERR),
        (packet(rest=b"\0"), FORMERR),
        (packet(counts=(0, 0, 0, 0)), FORMERR),
        (packet(counts=(2, 0, 0, 0)), FORMERR),
        (packet(counts=(1, 1, 0, 0)), FORMERR),
        (packet(counts=(1, 0, 1, 0)), FORMERR),
        (packet(counts=(1, 0, 0, 2), rest=OPT + OPT), FORMERR),
        (packet(counts=(1, 0, 0, 1)), FORMERR),
        (packet(counts=(1, 0, 0, 1), rest=OPT[:-1]), FORMERR),
        (packet(counts=(1, 0, 0, 1), rest=OPT + b"\0"), FORMERR),
        (packet(counts=(1, 0, 0, 1), rest=b"\1" + OPT[1:]), FORMERR),
        (packet(counts=(1, 0, 0, 1), rest=struct.pack("!BHHIH", 0, 250, 255, 0, 0)), FORMERR),
        (packet(b"\xc0\x0c"), FORMERR),
        (packet(b"\3www\xc0\x0c"), FORMERR),
        (packet(b"\x40" + b"a" * 64 + b"\0"), FORMERR),
        (packet(b"\x80\0"), FORMERR),
        (packet(wire(*[b"a" * 63] * 4)), FORMERR),
        (packet(b"\x3fa"), FORMERR),
    ],
)
def test_what_cannot_be_understood_is_said_to_be_so(data: bytes, fault: int) -> None:
    query = parse_query(data)
    assert query is not None
    assert (query.fault, query.name, query.question) == (fault, "", b"")
    reply = answer(query, fault)
    assert (len(reply), reply[3] & 15, HEADER.unpack(reply)[2:]) == (12, fault, (0, 0, 0, 0))


def test_the_longest_name_is_understood() -> None:
    query = parse_query(packet(wire(b"a" * 63, b"b" * 63, b"c" * 63, b"d" * 61)))
    assert query is not None
    assert (len(query.name), query.fault) == (253, NOERROR)


@pytest.mark.parametrize(
    "data",
    [
        packet(b"\0"),
        packet(wire(b"1", b"0", b"0", b"127", b"in-addr", b"ARPA"), kind=12),
        packet(wire(b"version", b"bind"), kind=16, class_=3),
        packet(wire(b"a.b", b"test")),
        packet(wire(b"a b", b"test")),
        packet(wire(b"a\n", b"test")),
        packet(wire(b"a\nCONNECT x:1\n", b"test")),
        packet(wire("ä".encode(), b"test")),
        packet(wire(b"a:1", b"test")),
        packet(wire(b"\0", b"test")),
    ],
)
def test_the_gateway_is_not_asked_for_what_is_no_hosts_name(data: bytes) -> None:
    query = parse_query(data)
    assert query is not None
    assert (query.name, query.fault) == ("", NOERROR)
    assert answer(query, NXDOMAIN)[3] & 15 == NXDOMAIN


@given(NAMES, st.sampled_from([1, 28, 65, 64, 255, 16]))
def test_every_name_that_can_be_written_comes_through_in_small_letters(name: str, kind: int) -> None:
    query = parse_query(question(name, kind))
    assert query is not None
    assert (query.kind, query.fault) == (kind, NOERROR)
    assert query.name == ("" if name.lower().split(".")[-1] == "arpa" else name.lower())


@given(st.binary(max_size=600))
def test_no_bytes_break_the_parser(data: bytes) -> None:
    query = parse_query(data)
    if query is not None:
        assert len(answer(query, query.fault)) <= 512


@given(st.binary(max_size=300), st.integers(0, 3), st.integers(0, 2))
def test_no_bytes_after_a_good_header_break_it_or_reach_the_gateway_unchecked(
    data: bytes, questions: int, additional: int
) -> None:
    query = parse_query(HEADER.pack(1, 0x0100, questions, 0, 0, additional) + data)
    assert query is not None
    assert set(query.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert len(query.name) <= 253
    assert query.fault in {NOERROR, FORMERR}


@given(st.data())
def test_a_good_packet_with_one_byte_changed_breaks_nothing(data: st.DataObject) -> None:
    good = bytearray(packet(wire(b"www", b"example", b"test"), counts=(1, 0, 0, 1), rest=COOKIE))
    good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    query = parse_query(bytes(good))
    if query is not None:
        assert len(answer(query, NOERROR, "127.77.0.1")) <= 512


@pytest.mark.parametrize(
    ("line", "ports"),
    [
        ("PORTS 443", [443]),
        ("PORTS 443,80,443", [80, 443]),
        ("NO", []),
        ("NO not-listed", []),
        ("PORTS ", None),
        ("PORTS 0", None),
        ("PORTS 65536", None),
        ("PORTS 80,", None),
        ("PORTS 80, 443", None),
        ("PORTS -1", None),
        ("PORTS ٣", None),
        ("PORTS 80\r", None),
        ("NOT", None),
        ("OK", None),
        ("", None),
    ],
)
def test_the_gateways_word_is_taken_to_the_letter(line: str, ports: list[int] | None) -> None:
    assert parse_ports(line) == ports


def test_addresses_are_loopback_and_each_names_own() -> None:
    addresses = [address_of(number) for number in range(1, MAX_NAMES + 1)]
    assert len(set(addresses)) == MAX_NAMES
    assert (addresses[0], addresses[254], addresses[255]) == ("127.77.0.1", "127.77.0.255", "127.77.1.0")
    assert all(address.startswith("127.77.") for address in addresses)
