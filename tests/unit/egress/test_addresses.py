"""Only public addresses are dialled, and private ones that a policy lists; in whatever form they come."""

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.egress.addresses import Address, closed_as, compile_private, refusal


def why(text: str, *private: str, name: str = "x.test", own: tuple[str, ...] = ()) -> str:
    hosts = {ipaddress.ip_address(address) for address in own}
    return refusal(ipaddress.ip_address(text), name, private=compile_private(private), own=hosts)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("169.254.169.254", "metadata"),
        ("169.254.170.2", "metadata"),
        ("169.254.170.23", "metadata"),
        ("168.63.129.16", "metadata"),
        ("100.100.100.200", "metadata"),
        ("192.0.0.192", "metadata"),
        ("fd00:ec2::254", "metadata"),
        ("fd00:ec2::23", "metadata"),
        ("fd20:ce::254", "metadata"),
        ("fe80::a9fe:a9fe", "metadata"),
        ("0.0.0.0", "unspecified"),  # noqa: S104 - nobody binds to it
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("::1", "loopback"),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("10.0.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.65.7", "private"),
        ("fd12::1", "private"),
        ("100.64.0.1", "carrier-grade NAT"),
        ("224.0.0.251", "multicast"),
        ("ff02::fb", "multicast"),
        ("255.255.255.255", "reserved"),
        ("240.0.0.1", "reserved"),
        ("198.18.0.1", "benchmarking"),
        ("192.0.2.1", "documentation"),
        ("2001:db8::1", "documentation"),
        ("64:ff9b::7f00:1", "NAT64"),
        ("64:ff9b:1::a00:1", "NAT64"),
        ("2002:7f00:1::", "6to4"),
        ("2001:0:1::1", "Teredo"),
        ("::ffff:127.0.0.1", "v4-mapped"),
        ("::ffff:8.8.8.8", "v4-mapped"),
        ("::ffff:0:7f00:1", "v4-translated"),
        ("::7f00:1", "v4-compatible"),
        ("2606:4700::5efe:10.0.0.1", "ISATAP"),
        ("2606:4700::200:5efe:127.0.0.1", "ISATAP"),
        ("4000::1", "reserved"),
    ],
)
def test_an_address_that_is_not_public_is_closed_for_its_reason(text: str, kind: str) -> None:
    assert closed_as(ipaddress.ip_address(text)) == kind
    assert why(text) == kind


@pytest.mark.parametrize("text", ["8.8.8.8", "140.82.121.4", "172.32.0.1", "100.128.0.1", "2606:4700::1111"])
def test_public_addresses_are_open(text: str) -> None:
    assert why(text) == ""


@given(st.ip_addresses())
@example(ipaddress.ip_address("192.0.0.8"))
def test_what_the_standard_library_calls_not_global_is_closed(address: Address) -> None:
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert closed_as(address)


@given(st.ip_addresses(v=4), st.sampled_from(["::ffff:{0}", "64:ff9b::{0}", "::ffff:0:{0}", "::{0}", "2606::5efe:{0}"]))
def test_no_address_carries_another_one_inside(inner: ipaddress.IPv4Address, form: str) -> None:
    assert why(form.format(inner), "10.0.0.0/8", "127.0.0.0/8")


def test_a_listed_network_opens_its_addresses_to_every_name_and_no_others() -> None:
    assert why("10.1.2.3", "10.1.0.0/16") == ""
    assert why("10.2.0.1", "10.1.0.0/16") == "private"
    assert why("127.0.0.1", "127.0.0.1/32") == ""
    assert why("127.0.0.2", "127.0.0.1/32") == "loopback"
    assert why("fd12::5", "fd12::/16") == ""


def test_a_listed_name_opens_private_addresses_to_itself_alone() -> None:
    assert why("10.1.2.3", "db.lan", name="db.lan") == ""
    assert why("10.1.2.3", "*.corp.lan", name="a.corp.lan") == ""
    assert why("10.1.2.3", "*.corp.lan", name="corp.lan") == "private"
    assert why("10.1.2.3", "db.lan", name="other.lan") == "private"


@pytest.mark.parametrize(
    ("text", "kind"), [("127.0.0.1", "loopback"), ("169.254.169.254", "metadata"), ("fe80::1", "link-local")]
)
def test_a_listed_name_does_not_open_what_its_answers_could_aim_at(text: str, kind: str) -> None:
    assert why(text, "db.lan", name="db.lan") == kind


@pytest.mark.parametrize("text", ["169.254.169.254", "100.100.100.200"])
def test_metadata_stays_closed_whatever_is_listed(text: str) -> None:
    assert why(text, "169.254.0.0/16", "100.64.0.0/10", f"{text}/32", "db.lan", name="db.lan") == "metadata"


def test_addresses_of_this_host_are_closed_unless_listed_by_themselves() -> None:
    assert why("203.0.114.9", own=("203.0.114.9",)) == "an address of this host"
    assert why("10.1.2.3", "10.1.0.0/16", own=("10.1.2.3",)) == "an address of this host"
    assert why("10.1.2.3", "db.lan", name="db.lan", own=("10.1.2.3",)) == "an address of this host"
    assert why("10.1.2.3", "10.1.2.3/32", own=("10.1.2.3",)) == ""
    assert why("127.0.0.1", "127.0.0.1/32", own=("127.0.0.1",)) == ""
