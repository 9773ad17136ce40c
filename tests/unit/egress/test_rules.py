"""Rules by name and port: deny beats allow, apex and sub-domain apart, one canonical form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.egress.rules import Reason, Rules, canonical_name, compile_rules
from runner.model.policy import Network

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True).filter(lambda text: text[:4] != "xn--")
NAME = st.lists(LABEL, min_size=1, max_size=3).map(lambda labels: ".".join([*labels, "example", "test"]))
PORT = st.integers(1, 65535)


def rules(*allow: str, deny: tuple[str, ...] = (), mode: str = "allow", **groups: tuple[str, ...]) -> Rules:
    network = Network.model_validate({"mode": mode, "allow": allow, "deny": deny})
    return compile_rules(network, groups)


def test_a_name_without_port_means_443_and_nothing_else() -> None:
    compiled = rules("github.com")
    assert compiled.ports_of("github.com") == (443,)
    assert compiled.decide("github.com", 443).reason == Reason.LISTED
    for port in (22, 25, 80, 8443):
        assert compiled.decide("github.com", port).reason == Reason.PORT_NOT_LISTED


@pytest.mark.parametrize(
    "name",
    [
        "evilgithub.com",
        "github.com.evil.test",
        "github.co",
        "x-github.com",
        "xgithub.com",
        "github.comm",
        "api.github.com",
    ],
)
def test_a_look_alike_is_not_the_name(name: str) -> None:
    compiled = rules("github.com")
    assert not compiled.decide(name, 443).allowed
    assert compiled.ports_of(name) == ()
    assert compiled.denial_of(name) == Reason.NOT_LISTED


def test_a_wildcard_covers_every_depth_below_and_not_the_apex() -> None:
    compiled = rules("*.example.com")
    assert compiled.decide("a.example.com", 443).allowed
    assert compiled.decide("a.b.example.com", 443).allowed
    assert not compiled.decide("example.com", 443).allowed
    assert not compiled.decide("aexample.com", 443).allowed


def test_deny_beats_allow_on_every_port_or_on_the_one_that_is_written() -> None:
    compiled = rules("*.example.com", "*.example.com:22", deny=("gist.example.com", "api.example.com:22"))
    assert compiled.decide("gist.example.com", 443).reason == Reason.DENIED
    assert compiled.ports_of("gist.example.com") == ()
    assert compiled.denial_of("gist.example.com") == Reason.DENIED
    assert compiled.ports_of("api.example.com") == (443,)
    assert compiled.decide("api.example.com", 22).reason == Reason.DENIED


def test_http_alone_and_https_alone_are_different_entries() -> None:
    compiled = rules("plain.test:80", "tls.test")
    assert compiled.ports_of("plain.test") == (80,)
    assert compiled.ports_of("tls.test") == (443,)


def test_an_empty_list_allows_nothing() -> None:
    assert rules().ports_of("github.com") == ()


def test_mode_none_allows_nothing_whatever_is_listed() -> None:
    listed = rules("github.com").model_copy(update={"mode": "none"})
    assert not listed.decide("github.com", 443).allowed
    assert listed.ports_of("github.com") == ()


def test_open_means_web_ports_of_every_name_but_the_denied_ones() -> None:
    compiled = rules("db.test:5432", deny=("*.evil.test",), mode="open")
    assert compiled.ports_of("any.test") == (80, 443)
    assert compiled.ports_of("db.test") == (80, 443, 5432)
    assert compiled.decide("any.test", 22).reason == Reason.PORT_NOT_LISTED
    assert compiled.decide("any.test", 443).reason == Reason.OPEN
    assert compiled.ports_of("x.evil.test") == ()


def test_a_group_stands_for_its_entries_and_an_unknown_one_is_named() -> None:
    compiled = rules("@forge", forge=("github.com", "github.com:22", "*.x.test"))
    assert compiled.ports_of("github.com") == (22, 443)
    assert compiled.ports_of("a.x.test") == (443,)
    assert rules("@python", python=()).ports_of("github.com") == ()
    with pytest.raises(ValueError, match="@nope is no group; known groups: forge"):
        rules("@nope", forge=("github.com",))
    with pytest.raises(ValueError, match="@outer holds @inner"):
        rules("@outer", outer=("@inner",), inner=("github.com",))


def test_a_denied_group_is_denied_on_every_port() -> None:
    compiled = rules("*.x.test:80", deny=("@bad",), bad=("a.x.test",))
    assert compiled.ports_of("a.x.test") == ()
    assert compiled.ports_of("b.x.test") == (80,)


@given(NAME, PORT, st.lists(NAME, max_size=4), st.lists(NAME, max_size=4))
def test_a_denied_name_is_never_allowed_and_ports_are_those_that_decide_allows(
    name: str, port: int, allow: list[str], deny: list[str]
) -> None:
    for mode in ("allow", "open"):
        compiled = rules(*allow, *(f"{entry}:8080" for entry in allow), deny=tuple(deny), mode=mode)
        if name in deny:
            assert not compiled.decide(name, port).allowed
        if mode == "allow" and name not in allow:
            assert not compiled.decide(name, port).allowed
        assert all(compiled.decide(name, each).allowed for each in compiled.ports_of(name))
        assert compiled.decide(name, port).allowed == (port in compiled.ports_of(name))


@pytest.mark.parametrize("text", ["GitHub.com", "github.com.", "GITHUB.COM."])
def test_case_and_one_trailing_dot_make_no_difference(text: str) -> None:
    assert canonical_name(text) == "github.com"


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "github.com..", " github.com", "github.com\n", "github.com\0", "user@github.com", "github.com\\x",
        "github.com#x", "github%2ecom", "g\u0456thub.com", "localhost", "2130706433", "0x7f000001", "127.1",
        "0177.0.0.1", "127.0.0.1", "[::1]", "::1", "fe80::1%eth0", "*.com", "@python", "a/b", "github.com:443",
    ],
)  # fmt: skip
def test_what_is_no_name_has_no_canonical_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"part|IP address|ASCII|names no host|white space|port"):
        canonical_name(text)


@given(st.text(max_size=60))
def test_a_canonical_form_is_its_own(text: str) -> None:
    try:
        name = canonical_name(text)
    except ValueError:
        return
    assert canonical_name(name) == name
    assert name.isascii()
    assert name == name.lower()


@pytest.mark.parametrize(
    "name", ["x.invalid", "a.localhost", "printer.local", "db.internal", "x.onion", "1.0.0.10.in-addr.arpa"]
)
def test_mode_open_does_not_mean_names_that_are_not_public(name: str) -> None:
    rules = compile_rules(Network(mode="open"), {})
    assert rules.decide(name, 443).reason is Reason.NOT_LISTED
    assert rules.ports_of(name) == ()
