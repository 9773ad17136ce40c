"""Network entries: one canonical form, and every way around it refused by its own rule."""

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.model.destinations import Destination, parse_destination, parse_private


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("github.com", "github.com"),
        ("GitHub.COM.", "github.com"),
        ("x.org:8080", "x.org:8080"),
        ("x.org.:80", "x.org:80"),
        ("*.X.org", "*.x.org"),
        ("*.x.co.uk:8443", "*.x.co.uk:8443"),
        ("@Python", "@python"),
        ("xn--gthub-n2e.com", "xn--gthub-n2e.com"),
        ("_dmarc.x.org", "_dmarc.x.org"),
        ("3com.com", "3com.com"),
        ("127.0.0.1.nip.io", "127.0.0.1.nip.io"),  # a name: the gateway looks at what it resolves to
        ("a." + "b" * 63 + ".org", "a." + "b" * 63 + ".org"),
    ],
)
def test_entries_have_one_canonical_form(text: str, canonical: str) -> None:
    assert str(parse_destination(text)) == canonical


def test_a_wildcard_means_below_and_not_the_name_itself() -> None:
    assert parse_destination("*.x.org:22") == Destination(kind="below", name="x.org", port=22)


ADDRESS = "is an IP address"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "names no host"),
        ("*", "would allow every name"),
        ("*.", "would allow every name"),
        ("*.com", "whole top-level domain"),
        ("*.com.", "whole top-level domain"),
        ("*.COM:443", "whole top-level domain"),
        ("*.co.uk", "anybody can have a host"),
        ("*.com.au:443", "anybody can have a host"),
        ("*.kawasaki.jp", "anybody can have a host"),
        ("*.x.kawasaki.jp", "anybody can have a host"),
        ("*.xn--55qx5d.cn", "anybody can have a host"),
        ("*.s3.amazonaws.com", "anybody can have a host"),
        ("*.amazonaws.com", "anybody can have a host"),
        ("*.core.windows.net", "anybody can have a host"),
        ("*.r2.cloudflarestorage.com", "anybody can have a host"),
        ("*.github.io", "anybody can have a host"),
        ("*x.com", "may only stand first"),
        ("x*.com", "may only stand first"),
        ("a.*.com", "may only stand first"),
        ("*.*.com", "may only stand first"),
        ("**.x.com", "may only stand first"),
        ("x.com*", "may only stand first"),
        ("127.0.0.1", ADDRESS),
        ("127.0.0.1.", ADDRESS),
        ("127.0.0.1:443", ADDRESS),
        ("*.127.0.0.1", ADDRESS),
        ("2130706433", ADDRESS),
        ("0177.0.0.1", ADDRESS),
        ("017700000001", ADDRESS),
        ("0x7f000001", ADDRESS),
        ("0X7F.1", ADDRESS),
        ("0x7f.0x0.0x0.0x1", ADDRESS),
        ("127.1", ADDRESS),
        ("0", ADDRESS),
        ("x.0x", ADDRESS),
        ("999.999.999.999", ADDRESS),
        ("::1", ADDRESS),
        ("[::1]", ADDRESS),
        ("[::1]:443", ADDRESS),
        ("::ffff:127.0.0.1", ADDRESS),
        ("[::ffff:7f00:1]", ADDRESS),
        ("fe80::1%eth0", '"%"'),
        ("a.x:b:c", 'more than one ":"'),
        ("http://x.org", "without a scheme"),
        ("//x.org", "remove the path"),
        ("x.org/", "remove the path"),
        ("x.org\\y", "remove the path"),
        ("x.org?q", "remove the path"),
        ("x.org#f", "remove the path"),
        ("user@x.org", '"@"'),
        ("user:pw@x.org", '"@"'),
        ("x%2eorg", '"%"'),
        (" x.org", "white space"),
        ("x.org\n", "white space"),
        ("x .org", "white space"),
        ("x.org\0", "white space or a control"),
        ("x.org\r\nHost: y", "white space"),
        ("x\u00a0.org", "white space"),
        ("g\u0456thub.com", "outside ASCII"),
        ("github\u3002com", "outside ASCII"),
        ("\uff47ithub.com", "outside ASCII"),
        ("git\u200bhub.com", "outside ASCII"),
        ("\u0661.2.3.4", "outside ASCII"),
        ("x.org:", "is not a port"),
        ("x.org:0", "is not a port"),
        ("x.org:007", "is not a port"),
        ("x.org:-1", "is not a port"),
        ("x.org:+1", "is not a port"),
        ("x.org:65536", "is not a port"),
        ("x.org:99999", "is not a port"),
        ("x.org:https", "is not a port"),
        ("x.org:4_4", "is not a port"),
        (".x.org", "empty part"),
        ("x..org", "empty part"),
        ("x.org..", "empty part"),
        (".", "empty part"),
        (":443", "empty part"),
        ("-x.org", "is no part of a name"),
        ("x-.org", "is no part of a name"),
        ("x!.org", "is no part of a name"),
        ("(a+)+.org", "is no part of a name"),
        ("x.org,y.org", "is no part of a name"),
        ("--privileged", "is no part of a name"),
        ("localhost", "only one part"),
        ("db:5432", "only one part"),
        ("b" * 64 + ".org", "longer than 63"),
        ("a." * 127 + "org", "longer than 253"),
        ("xn--.org", "is no part of a name"),
        ("xn--github-n.org", "begins like an A-label"),
        ("xn--a.org", "begins like an A-label"),
        ("@", "is not a group"),
        ("@python:443", "is not a group"),
        ("@a b", "white space"),
        ("@py/thon", "is not a group"),
        ("@@python", "is not a group"),
        ("@-x", "is not a group"),
    ],
)
def test_what_is_not_one_plain_name_is_refused_by_its_own_rule(text: str, rule: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the rule is compared below
        parse_destination(text)
    assert rule in str(caught.value)


def test_a_look_alike_is_shown_as_what_it_is_with_the_form_to_write() -> None:
    with pytest.raises(ValueError, match=r"xn--gthub-n2e\.com") as caught:
        parse_destination("g\u0456thub.com")
    assert str(caught.value).isascii()


@given(st.text(max_size=80) | st.text("ax0179.:*@[]/%-_xnX\u0456 ", max_size=40))
@example("xn--" + "9" * 60 + ".org")
def test_any_text_is_refused_with_a_short_sentence_or_stays_the_same_when_read_again(text: str) -> None:
    try:
        destination = parse_destination(text)
    except ValueError as error:
        refused = error
    else:
        assert parse_destination(str(destination)) == destination
        assert str(destination) == str(destination).lower()
        return
    assert type(refused) is ValueError
    sentence = str(refused)
    assert sentence.isascii()
    assert sentence.isprintable()
    assert len(sentence) < 1000


@given(st.ip_addresses())
def test_no_address_passes_for_a_name(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    number = int(address)
    forms = [str(address), address.exploded, f"[{address}]:443", str(number), hex(number), f"0{number:o}"]
    for form in forms:
        with pytest.raises(ValueError, match=ADDRESS):
            parse_destination(form)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.1.0.0/16", "10.1.0.0/16"),
        ("192.168.1.5", "192.168.1.5/32"),
        ("100.64.0.0/10", "100.64.0.0/10"),
        ("fd12::/16", "fd12::/16"),
        ("FD12::1", "fd12::1/128"),
        ("DB.lan.", "db.lan"),
        ("*.corp.lan", "*.corp.lan"),
    ],
)
def test_private_takes_networks_addresses_and_names(text: str, canonical: str) -> None:
    assert parse_private(text) == canonical
    assert parse_private(canonical) == canonical


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("0.0.0.0/0", "not within a private network"),
        ("::/0", "not within a private network"),
        ("8.8.8.0/24", "not within a private network"),
        ("10.0.0.0/7", "not within a private network"),
        ("::ffff:10.0.0.1", "not within a private network"),
        ("10.0.0.1/8", "is not a network"),
        ("10.0.0.0/33", "is not a network"),
        ("10.1/16", "is not a network"),
        ("010.0.0.0/8", "is not a network"),
        ("0x0a.0.0.0/8", "is not a network"),
        ("fe80::1%eth0", "not a network"),
        ("db.lan:5432", 'without "@" or port'),
        ("@python", 'without "@" or port'),
        ("", "names no host"),
        ("10.0.0.0/8 ", "white space"),
    ],
)
def test_private_opens_nothing_public_and_guesses_nothing(text: str, rule: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the rule is compared below
        parse_private(text)
    assert rule in str(caught.value)
