"""Which addresses a gateway may dial: public ones, and private ones that the policy lists. Pure.

The special-purpose registries of IANA (RFC 6890 and its updates) say what is not public; addresses that
carry an IPv4 address inside are judged by that one too.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from functools import lru_cache

from runner.egress.rules import Rule
from runner.model.base import Record
from runner.model.destinations import parse_destination, parse_private

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_CLOSED: tuple[tuple[str, str], ...] = (
    ("169.254.169.0/24", "metadata"),
    ("169.254.170.0/24", "metadata"),
    ("169.254.0.23/32", "metadata"),
    ("168.63.129.16/32", "metadata"),
    ("100.100.100.200/32", "metadata"),
    ("192.0.0.192/32", "metadata"),
    ("fd00:ec2::/32", "metadata"),
    ("fd20:ce::254/128", "metadata"),
    ("fe80::a9fe:a9fe/128", "metadata"),
    ("0.0.0.0/8", "unspecified"),
    ("::/128", "unspecified"),
    ("127.0.0.0/8", "loopback"),
    ("::1/128", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("fe80::/10", "link-local"),
    ("10.0.0.0/8", "private"),
    ("172.16.0.0/12", "private"),
    ("192.168.0.0/16", "private"),
    ("fc00::/7", "private"),
    ("fec0::/10", "private"),
    ("100.64.0.0/10", "carrier-grade NAT"),
    ("224.0.0.0/4", "multicast"),
    ("ff00::/8", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "documentation"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("2001:db8::/32", "documentation"),
    ("3fff::/20", "documentation"),
    ("198.18.0.0/15", "benchmarking"),
    ("2001:2::/48", "benchmarking"),
    ("192.88.99.0/24", "6to4 relay"),
    ("192.31.196.0/24", "AS112"),
    ("192.175.48.0/24", "AS112"),
    ("192.52.193.0/24", "tunnel relay"),
    ("64:ff9b:1::/48", "NAT64"),
    ("64:ff9b::/96", "NAT64"),
    ("2002::/16", "6to4"),
    ("2001::/32", "Teredo"),
    ("::ffff:0:0/96", "v4-mapped"),
    ("::ffff:0:0:0/96", "v4-translated"),
    ("::/96", "v4-compatible"),
    ("100::/64", "discard"),
    ("2620:4f:8000::/48", "AS112"),
    ("2001::/23", "reserved"),
    ("5f00::/16", "segment routing"),
)
_NETWORKS: tuple[tuple[Network, str], ...] = tuple((ipaddress.ip_network(text), kind) for text, kind in _CLOSED)
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_ISATAP = (0x00005EFE, 0x02005EFE)
"""The upper half of an interface identifier whose lower half is an IPv4 address (RFC 5214)."""

_BY_NETWORK = frozenset({"private", "loopback", "link-local", "carrier-grade NAT"})
_BY_NAME = frozenset({"private", "carrier-grade NAT"})


class PrivateEntries(Record):
    """A policy's `private`, compiled: networks open their addresses to every allowed name, names open to themselves."""

    networks: tuple[Network, ...] = ()
    names: tuple[Rule, ...] = ()

    def has_name(self, name: str) -> bool:
        """Whether `name` itself is listed, by its own name or by a wildcard above it."""
        return any(rule.covers(name) for rule in self.names)

    def opens(self, address: Address) -> bool:
        """Whether a listed network holds `address`."""
        return any(address.version == network.version and address in network for network in self.networks)

    def opens_alone(self, address: Address) -> bool:
        """Whether `address` is listed as one address, rather than within a larger network."""
        return any(network.num_addresses == 1 and address in network for network in self.networks)


def compile_private(entries: Iterable[str]) -> PrivateEntries:
    """The networks and names of a policy's `private`. Raises ValueError for what is neither."""
    networks: list[Network] = []
    names: list[Rule] = []
    for entry in entries:
        text = parse_private(entry)
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError:
            destination = parse_destination(text)
            names.append(Rule(kind="below" if destination.kind == "below" else "name", name=destination.name))
    return PrivateEntries(networks=tuple(networks), names=tuple(names))


@lru_cache(maxsize=1024)
def closed_as(address: Address) -> str:
    """Why an address is not public, in one word or two; empty for a public one."""
    for network, kind in _NETWORKS:
        if address.version == network.version and address in network:
            return kind
    if address.version == 6:
        if address not in _GLOBAL_UNICAST:
            return "reserved"
        if int(address) >> 32 & 0xFFFFFFFF in _ISATAP:
            return "ISATAP"
    return ""


def refusal(address: Address, name: str, *, private: PrivateEntries, own: Collection[Address]) -> str:
    """Why `address`, which `name` resolved to, may not be dialled; empty when it may.

    Listed networks open private, loopback, link-local and shared (CGNAT) addresses; a listed name opens private
    and shared ones alone, because whoever answers for the name chooses them. An address of this host is opened
    by its own entry only, never by a network around it. Metadata services, multicast, and addresses that carry
    another one inside stay closed whatever is listed.
    """
    kind = closed_as(address)
    if address in own and kind != "loopback":
        return "" if kind in _BY_NETWORK and private.opens_alone(address) else "an address of this host"
    if not kind or (kind in _BY_NETWORK and private.opens(address)):
        return ""
    return "" if kind in _BY_NAME and private.has_name(name) else kind
