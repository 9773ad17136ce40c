"""The server name of a ClientHello, or why there is none that could be believed."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.egress.client_hello import MAX_HELLO, HelloError, More, server_name
from tests.unit.egress.hellos import extension, field, from_openssl, hello, named, records, sni


def test_the_name_of_a_real_hello_is_read() -> None:
    assert server_name(from_openssl("github.com")) == "github.com"
    assert server_name(named("x.test")) == "x.test"


def test_a_real_hello_to_an_address_has_no_name() -> None:
    with pytest.raises(HelloError, match="no server name"):
        server_name(from_openssl(None))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (records(hello()), "no server name"),
        (records(hello(sni())), "no server name"),
        (records(hello(sni(b"a.test", b"b.test"))), "more than one server name"),
        (records(hello(sni(b"a.test"), sni(b"b.test"))), "an extension stands twice"),
        (records(hello(sni(b"a.test", kind=7))), "malformed"),
        (records(hello(sni("\u00e4.test".encode()))), "not ASCII"),
        (records(hello(sni(b"a.test"), extension(0xFE0D, b"\0" * 40))), "encrypted ClientHello"),
        (records(hello(extension(0xFFCE), sni(b"a.test"))), "encrypted ClientHello"),
        (records(hello(sni(b"a.test"), after=b"x")), "malformed"),
        (records(hello(extension(0, field(2, b"\0" + field(2, b"a.test")) + b"x"))), "malformed"),
        (records(hello(extension(0, b"\0\xff\0\0\6a.test"))), "malformed"),
        (records(b"\2" + hello(sni(b"a.test"))[1:]), "not a ClientHello"),
        (records(hello(sni(b"a.test")), size=1), "too many records"),
        (b"\x16\x03\x01" + field(2, b"\1" + (MAX_HELLO + 1).to_bytes(3, "big")), "too long"),
        (b"\x16\x03\x01\0\0", "not TLS"),
        (b"\x16\x02\x01\0\1\1", "not TLS"),
        (b"\x80\x2e\x01\x03\x01", "not TLS"),
        (b"GET / HTTP/1.1\r\n", "not TLS"),
        (b"SSH-2.0-x\r\n", "not TLS"),
        (b"C", "not TLS"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "not TLS"),
    ],
)
def test_a_hello_that_does_not_name_one_server_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(HelloError, match=why):
        server_name(data)


@given(st.integers(1, 400), st.integers(60, 16384))
def test_wherever_it_is_cut_more_bytes_are_asked_for_until_it_is_whole(cut: int, size: int) -> None:
    data = records(hello(extension(10, bytes(100)), sni(b"a.example.test")), size=size)
    assert server_name(data) == "a.example.test"
    assert server_name(data[: min(cut, len(data) - 1)]) is More.BYTES


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda data: records(hello(data)) if data else data))
def test_any_bytes_are_a_name_a_refusal_or_not_enough(data: bytes) -> None:
    try:
        found = server_name(data)
    except HelloError:
        return
    assert found is More.BYTES or found.isascii()


@given(st.data())
def test_a_hello_with_changed_bytes_names_nobody_by_accident(data: st.DataObject) -> None:
    whole = bytearray(named("a.example.test"))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(HelloError):
        assert server_name(bytes(whole)) is not None
