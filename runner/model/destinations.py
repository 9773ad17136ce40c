"""Reads one network entry of a policy, `github.com`, `*.example.com:8443` or `@python`, into its one canonical form.

An entry is a name, never an address: addresses say nothing about who answers. Each rule has its own sentence.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import Literal

from runner.model.base import Record
from runner.model.suffixes import is_shared
from runner.model.wording import quoted

HTTP_PORT = 80
TLS_PORT = 443
OPEN_PORTS = (HTTP_PORT, TLS_PORT)
"""What mode `open` reaches of every public name; other ports are still written down, in `allow`."""
SPECIAL_USE = ("invalid", "localhost", "local", "internal", "onion", "arpa")
"""Top-level domains that are no public names (RFC 6761, 6762, 7686, 9476): mode `open` does not mean them."""

_GROUP = re.compile(r"@[a-z][a-z0-9-]{0,40}", re.ASCII)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)

# What a policy may open under `private`: the networks that stay closed in every mode unless they are listed.
_PRIVATE_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)


class Destination(Record):
    """Where a sandbox may, or may not, connect to; `str()` is the canonical form and parses back to the same."""

    kind: Literal["name", "below", "group"]
    """`below` is every sub-domain of `name`, and not `name` itself."""
    name: str
    port: int | None = None
    """None: as the list that holds it says (443 where allowed, every port where denied)."""

    def __str__(self) -> str:
        text = {"name": "", "below": "*.", "group": "@"}[self.kind] + self.name
        return text if self.port is None else f"{text}:{self.port}"


def parse_destination(text: str) -> Destination:
    """Reads `name`, `*.name`, either with `:port`, or `@group`; raises ValueError with the rule that was broken."""
    _refuse_odd_characters(text)
    if text.startswith("@"):
        return _parse_group(text)
    _refuse_url_parts(text)
    host, port = _split_port(text)
    name = host.lower().removesuffix(".")
    if "*" not in name:
        check_name(name, text)
        return Destination(kind="name", name=name, port=port)
    if name == "*":
        raise ValueError('"*" would allow every name; list names, or choose network.mode = "open" knowingly')
    name = name.removeprefix("*.")
    if "*" in name:
        raise ValueError(f'{quoted(text)}: "*" may only stand first and alone, as in "*.example.com"')
    if name and "." not in name:
        raise ValueError(f"{quoted(text)} would allow a whole top-level domain; name the domain below it")
    check_name(name, text)
    if is_shared(name):
        raise ValueError(f"{quoted(text)}: anybody can have a host below {quoted(name)}; name the exact host")
    return Destination(kind="below", name=name, port=port)


def check_name(name: str, text: str) -> None:
    """Raises ValueError unless `name` (lower case, no trailing dot) is a DNS name of two labels or more."""
    labels = name.split(".")
    if not name or "" in labels:
        raise ValueError(f"{quoted(text)} has an empty part between its dots")
    if _NUMBER.fullmatch(labels[-1]):
        raise _address_refused(text)
    if len(name) > 253:
        raise ValueError(f"{quoted(text)} is longer than 253 characters, the most that DNS can carry")
    for label in labels:
        _check_label(label, text)
    if len(labels) == 1:
        raise ValueError(f'{quoted(text)} has only one part; write the full name, as in "db.example.com"')


def parse_exact_name(text: str) -> str:
    """One host's name without wildcard, group or port; raises ValueError."""
    destination = parse_destination(text)
    if destination.kind != "name" or destination.port is not None:
        raise ValueError(f'{quoted(text)} must be one exact name, without "*", "@" or port')
    return destination.name


def parse_private(text: str) -> str:
    """A private network (`10.0.0.0/8`, `fd12::/16`), one private address, or a name; raises ValueError.

    The canonical form of an address is its network: `10.1.2.3/32`.
    """
    _refuse_odd_characters(text)
    address = text.partition("/")[0]
    if address.count(":") < 2 and not _NUMBER.fullmatch(address.lower().rsplit(".", 1)[-1]):
        return _private_name(text)
    if "%" in text:
        raise ValueError(f"{quoted(text)} is not a network: it names a zone of one machine")
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(
            f'{quoted(text)} is not a network; write it as "10.1.0.0/16", with no bits set after the prefix'
        ) from None
    if not any(network.version == known.version and network.subnet_of(known) for known in _PRIVATE_NETWORKS):  # type: ignore[arg-type]
        raise ValueError(f"{quoted(text)} is not within a private network; public hosts are allowed by name, in allow")
    return str(network)


def _private_name(text: str) -> str:
    destination = parse_destination(text)
    if destination.kind == "group" or destination.port is not None:
        raise ValueError(f'{quoted(text)}: private takes networks and names, without "@" or port; ports go in allow')
    return str(destination)


def _refuse_odd_characters(text: str) -> None:
    if not text:
        raise ValueError("an empty text names no host; remove it")
    if any(character.isspace() or ord(character) < 0x20 or ord(character) == 0x7F for character in text):
        raise ValueError(f"{quoted(text)} contains white space or a control character")
    if not text.isascii():
        form = _a_label_form(text)
        advice = f"if you mean it, write {quoted(form)}" if form else 'write its A-label form ("xn--...")'
        raise ValueError(f"{quoted(text)} contains letters outside ASCII, which can look like others; {advice}")


def _a_label_form(text: str) -> str:
    """The ASCII form of an internationalised name, for a hint only; empty when there is none."""
    if len(text) > 253:  # the codec is quadratic in the length of a label (CVE-2022-45061)
        return ""
    try:
        return text.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _parse_group(text: str) -> Destination:
    if not _GROUP.fullmatch(text.lower()):
        raise ValueError(f'{quoted(text)} is not a group; groups are written like "@python": letters, digits, hyphens')
    return Destination(kind="group", name=text[1:].lower())


def _refuse_url_parts(text: str) -> None:
    if "://" in text:
        raise ValueError(f'{quoted(text)}: write the name without a scheme; "name:80" means plain HTTP')
    if "%" in text:
        raise ValueError(f'{quoted(text)} contains "%"; names are written plainly, without percent-encoding or zone')
    if "@" in text:
        raise ValueError(f'{quoted(text)} contains "@"; a user name has no place in a network rule')
    if any(character in "/\\?#" for character in text):
        raise ValueError(f"{quoted(text)}: rules are by name and port; remove the path")


def _split_port(text: str) -> tuple[str, int | None]:
    if "[" in text or "]" in text:
        raise _address_refused(text)
    host, colon, port = text.partition(":")
    if ":" in port:
        if _is_v6(text):
            raise _address_refused(text)
        raise ValueError(f'{quoted(text)} has more than one ":"; write "name" or "name:port"')
    if not colon:
        return host, None
    if not _PORT.fullmatch(port) or int(port) > 65535:
        raise ValueError(
            f"{quoted(text)}: {quoted(port)} is not a port; ports go from 1 to 65535, without leading zeros"
        )
    return host, int(port)


def _is_v6(text: str) -> bool:
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def _address_refused(text: str) -> ValueError:
    return ValueError(f"{quoted(text)} is an IP address; rules are by name (private networks go in network.private)")


def _check_label(label: str, text: str) -> None:
    if len(label) > 63:
        raise ValueError(f"{quoted(text)}: {quoted(label)} is longer than 63 characters")
    if not _LABEL.fullmatch(label):
        raise ValueError(f"{quoted(text)}: {quoted(label)} is no part of a name; use letters, digits and inner hyphens")
    if label.startswith("xn--") and not _is_a_label(label):
        raise ValueError(f"{quoted(text)}: {quoted(label)} begins like an A-label but encodes no name")


def _is_a_label(label: str) -> bool:
    try:
        decoded = label[4:].encode("ascii").decode("punycode")
    except (ValueError, OverflowError):
        return False
    # Letters, marks and digits alone: IDNA allows no symbols, and the codec alone would decode to control characters.
    words = all(character == "-" or unicodedata.category(character)[0] in "LMN" for character in decoded)
    return words and not decoded.isascii() and decoded.encode("punycode").decode("ascii") == label[4:]
