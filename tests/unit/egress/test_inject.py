"""Of what a sandbox says about itself nothing reaches an injected host; the host's own credential does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.egress.credential import injected
from runner.egress.http_head import HeadError
from runner.egress.inject import CREDENTIALS, InjectingGuard

KEY = "sk-0123456789"


def guard() -> InjectingGuard:
    return InjectingGuard("api.test", 80, [injected("api.test", "x-api-key", KEY)])


def sent(*lines: str) -> list[str]:
    request = "\r\n".join(["GET / HTTP/1.1", "Host: api.test", *lines, "", ""])
    return guard().outgoing(request.encode()).decode().splitlines()


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "api-key", "x-goog-api-key"),
        *("X-Auth-Token", "X-Access-Token", "Private-Token", "Ocp-Apim-Subscription-Key", "x-amz-security-token"),
        *("X-Amz-Date", "X-Forwarded-For", "Forwarded", "X-CSRF-Token", "DPoP", "x-session-token", "X-Secret"),
        *("X-Auth", "X-Authentication", "X-JFrog-Art-Api", "X-Vault-Token", "X-User-Password", "X-RapidAPI-Key"),
    ],
)
def test_a_credential_of_the_sandboxs_own_stays_behind(name: str) -> None:
    assert [line for line in sent(f"{name}: mine") if "mine" in line] == []


@pytest.mark.parametrize("name", ["Accept", "Content-Type", "anthropic-version", "Idempotency-Key", "User-Agent"])
def test_what_is_no_credential_goes_through(name: str) -> None:
    assert f"{name}: mine" in sent(f"{name}: mine")


def test_the_hosts_credential_is_added_once_whatever_was_sent() -> None:
    lines = sent("X-Api-Key: mine", "x-api-KEY: mine too", "Accept-Encoding: gzip")
    assert [line for line in lines if "key" in line.lower()] == [f"x-api-key: {KEY}"]
    assert [line for line in lines if "encoding" in line.lower()] == ["accept-encoding: identity"]


def test_every_request_on_a_connection_gets_it() -> None:
    request = b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n"
    assert guard().outgoing(request * 3).count(KEY.encode()) == 3


@pytest.mark.parametrize(
    ("secret", "value"), [(KEY, f"Bearer {KEY}"), (f"Basic {KEY}", f"Basic {KEY}"), (f"Bearer {KEY}", f"Bearer {KEY}")]
)
def test_authorization_is_a_bearer_token_unless_it_says_otherwise(secret: str, value: str) -> None:
    assert injected("api.test", "authorization", secret).value == value


def test_a_key_is_in_no_repr() -> None:
    assert KEY not in repr(injected("api.test", "authorization", KEY))


@pytest.mark.parametrize(
    ("secret", "part"),
    [(KEY, KEY), (f"token {KEY}", KEY), ("Basic dXNlcjpodW50ZXIyMg==", "hunter22"), ("Basic !!!!!!", "!!!!!!")],
)
def test_what_must_not_come_back_is_the_secret_and_its_parts(secret: str, part: str) -> None:
    hidden = injected("api.test", "authorization", secret).hidden
    assert {secret, part} <= set(hidden)
    assert hidden == tuple(dict.fromkeys(hidden))


def test_a_request_that_has_begun_and_not_ended_is_known() -> None:
    one, states = guard(), []
    for piece in (b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 2\r\n\r\na", b"b", b"GET"):
        one.outgoing(piece)
        states.append(one.cut_off)
    assert states == [True, False, True]


def test_a_connection_is_closed_where_the_program_asks_for_it() -> None:
    assert "connection: close" in sent("Connection: keep-alive, Close")
    assert "connection: close" not in sent("Connection: closed, x-api-key")


@pytest.mark.parametrize(
    "tail",
    [
        "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Api-Key: mine\r\n\r\n",
        "Host: other.test\r\n\r\n",
    ],
)
def test_what_could_carry_something_past_us_is_refused(tail: str) -> None:
    with pytest.raises(HeadError):
        guard().outgoing(f"POST / HTTP/1.1\r\nHost: api.test\r\n{tail}".encode())


HEADER = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-", min_size=1, max_size=30)


@given(
    st.lists(HEADER.filter(lambda name: name.lower() not in {"host", "content-length", "transfer-encoding", "upgrade"}))
)
def test_no_header_whose_name_speaks_of_a_credential_is_passed_on(names: list[str]) -> None:
    lines = sent(*(f"{name}: value-of-the-sandbox" for name in names))
    kept = [line.partition(":")[0].encode() for line in lines if "value-of-the-sandbox" in line]
    assert [name for name in kept if CREDENTIALS.fullmatch(name.lower())] == []
