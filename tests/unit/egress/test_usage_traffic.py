"""The gateway counts what injected answers cost, and ends every way to an injected host when a budget is used up."""

import contextlib
import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme

from runner.egress.budget import Budget
from runner.egress.credential import injected
from runner.model.usage import Spent
from tests.unit.egress.gateway_kit import Sandbox, echo, read_all, sandbox, server, wait_for
from tests.unit.egress.test_inject_traffic import GET, KEY, NAMES, api, authority, exchange, inside, trust
from tests.unit.egress.test_usage import ANTHROPIC, CLAUDE, START, TEXT, sse

__all__ = ["authority", "trust"]  # fixtures

BODY = b"x" * 4000
POST = b"POST /v1/messages HTTP/1.1\r\nHost: api.test\r\nContent-Length: 4000\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LIMIT = CLAUDE.tokens


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def request_from(end: ssl.SSLSocket) -> None:
    data = b""
    while not data.endswith(BODY) and (piece := end.recv(65536)):
        data += piece


def messages(end: ssl.SSLSocket) -> None:
    """Answers one request in chunks of 50 bytes."""
    request_from(end)
    end.sendall(CHUNKED)
    for at in range(0, len(ANTHROPIC), 50):
        end.sendall(chunk(ANTHROPIC[at : at + 50]))
    end.sendall(b"0\r\n\r\n")


def spent(box: Sandbox) -> tuple[Spent, ...]:
    return box.gateway.spent


def test_an_answer_is_counted_from_its_bytes(authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path) -> None:
    with api(authority, messages) as there, inside(tmp_path, trust, there.port) as box:
        answer = exchange(box, POST + BODY)
        assert answer.startswith(CHUNKED)
        assert answer.endswith(b"0\r\n\r\n")
        assert spent(box) == (CLAUDE,)
        assert box.gateway.budget_exceeded == ""


def test_an_answer_that_ends_with_its_connection_is_counted(
    authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    def until_end(end: ssl.SSLSocket) -> None:
        request_from(end)
        end.sendall(HEAD + b"\r\n" + ANTHROPIC.rstrip())

    with api(authority, until_end) as there, inside(tmp_path, trust, there.port) as box:
        exchange(box, POST + BODY)
        assert spent(box) == (CLAUDE,)


def test_an_agent_that_hangs_up_within_an_answer_has_used_what_came(
    authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    gone = threading.Event()

    def begun(end: ssl.SSLSocket) -> None:
        request_from(end)
        end.sendall(CHUNKED + chunk(sse(START, TEXT)))
        gone.wait(10)
        end.sendall(chunk(b": still here\n\n"))
        end.recv(1)

    with api(authority, begun) as there, inside(tmp_path, trust, there.port) as box:
        with box.tunnel("api.test:80") as end:
            end.sendall(POST + BODY)
            came = b""
            while not came.endswith(b'"}}\n\n\r\n'):
                came += end.recv(65536)
        gone.set()
        assert box.record("api.test")["ended"] == "client-gone"
        assert spent(box) == (CLAUDE.model_copy(update={"output": 101, "estimated": True}),)


def test_an_agent_that_does_not_wait_for_the_answer_has_used_its_request(
    authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    got = threading.Event()

    def silent(end: ssl.SSLSocket) -> None:
        request_from(end)
        got.set()
        end.recv(1)

    with api(authority, silent) as there, inside(tmp_path, trust, there.port) as box:
        with box.tunnel("api.test:80") as end:
            end.sendall(POST + BODY)
            assert got.wait(10)
        assert spent(box) == ()  # the answer may still come
    assert box.record("api.test")["ended"] == "gateway-closed"
    assert spent(box) == (Spent(input=1000, estimated=True),)


def test_a_server_that_hangs_up_without_an_answer_has_cost_nothing(
    authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    with api(authority, request_from) as there, inside(tmp_path, trust, there.port) as box:
        assert exchange(box, POST + BODY) == b""
        box.record("api.test")
        assert spent(box) == ()


@pytest.mark.parametrize(
    ("budget", "which"),
    [
        (Budget(tokens=LIMIT), "tokens"),
        (Budget(cost_usd=0.5, price=lambda each: 0.5 if each.tokens >= LIMIT else 0.0), "cost_usd"),
    ],
)
def test_a_budget_that_is_used_up_ends_every_injected_connection_and_refuses_new_ones(
    authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path, budget: Budget, which: str
) -> None:
    with (
        api(authority, messages) as there,
        inside(tmp_path, trust, there.port, budget=budget) as box,
        box.tunnel("api.test:80") as other,
        box.tunnel("api.test:80") as end,
    ):
        end.sendall(POST + BODY)
        wait_for(lambda: box.gateway.budget_exceeded == which)
        assert read_all(other) == b""
        assert read_all(end).startswith(CHUNKED)
        wait_for(lambda: len(box.records()) == 2)
        assert [line["ended"] for line in box.records()] == ["budget", "budget"]
        assert box.ask("CONNECT api.test:80") == "NO budget"
        wait_for(lambda: len(box.records()) == 3)
        assert (box.records()[2]["verdict"], box.records()[2]["reason"]) == ("refused", "budget")
        assert spent(box)[0].tokens == LIMIT


def test_a_budget_ends_an_answer_that_never_does(authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path) -> None:
    def endless(end: ssl.SSLSocket) -> None:
        request_from(end)
        end.sendall(CHUNKED + chunk(sse(START)))
        while True:
            end.sendall(chunk(sse(TEXT)))

    with (
        api(authority, endless) as there,
        inside(tmp_path, trust, there.port, budget=Budget(tokens=1_000_000)) as box,
        box.tunnel("api.test:80") as end,
    ):
        end.sendall(POST + BODY)
        passed_on = len(read_all(end))
        assert box.record("api.test")["ended"] == "budget"
        assert 1_000_000 <= spent(box)[0].tokens < 1_050_000
        assert passed_on < 1_050_000 * 6
        wait_for(lambda: there.open == 0)


def test_a_budget_stops_no_host_that_gets_no_credential(
    authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    with (
        api(authority, messages) as there,
        server(echo) as port,
        sandbox(
            tmp_path,
            *("api.test:80", "other.test:9000"),
            names=NAMES,
            servers={443: there.port, 9000: port},
            injections=(injected("api.test", "x-api-key", KEY),),
            tls=trust,
            budget=Budget(tokens=1),
        ) as box,
        box.tunnel("other.test:9000") as other,
    ):
        assert exchange(box, POST + BODY).startswith(CHUNKED)
        assert box.gateway.budget_exceeded == "tokens"
        other.sendall(b"hello")
        assert other.recv(5) == b"hello"
        assert box.ask("CONNECT other.test:9000") == "OK"
        assert box.ask("CONNECT api.test:80") == "NO budget"


def test_a_connection_that_was_being_made_when_the_budget_ran_out_carries_no_request(
    authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("api.test").configure_cert(context)
    late, arrived, got = threading.Event(), threading.Semaphore(0), bytearray()

    def serve(peer: socket.socket) -> None:
        first = arrived.acquire(blocking=False)
        if not first:
            arrived.release()
            late.wait(10)
        with contextlib.suppress(ssl.SSLError, OSError), context.wrap_socket(peer, server_side=True) as end:
            if first:
                messages(end)
            elif piece := end.recv(65536):
                got.extend(piece)

    with server(serve) as port, inside(tmp_path, trust, port, budget=Budget(tokens=1)) as box:
        with box.connection() as slow:
            slow.sendall(b"CONNECT api.test:80\n")
            wait_for(lambda: arrived._value > 0)
            with box.tunnel("api.test:80") as end:
                end.sendall(POST + BODY)
                wait_for(lambda: box.gateway.budget_exceeded == "tokens")
            late.set()
            slow.sendall(GET)
            assert read_all(slow).replace(b"OK\n", b"") == b""
        wait_for(lambda: len(box.records()) == 2)
        assert bytes(got) == b""
