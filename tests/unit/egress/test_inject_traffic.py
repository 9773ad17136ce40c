"""An injected host is spoken to over TLS alone, gets the credential with every request, and nobody else gets it."""

import contextlib
import gc
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from runner.egress.credential import Injected, injected
from tests.unit.egress.gateway_kit import PUBLIC, Sandbox, read_all, sandbox, server, wait_for

KEY = "sk-test/0123456789+abcdef"
NAMES = {"api.test": [PUBLIC], "other.test": [PUBLIC]}
GET = b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Script = Callable[[ssl.SSLSocket], None]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    authority.configure_trust(context)
    return context


@dataclass
class Api:
    """A server that speaks TLS; what it got, and how many connections are still open."""

    port: int = 0
    got: bytearray = field(default_factory=bytearray)
    names: list[str | None] = field(default_factory=list)
    met: int = 0
    open: int = 0


@contextlib.contextmanager
def api(
    authority: trustme.CA, script: Script | None = None, name: str = "api.test", until: threading.Event | None = None
) -> Iterator[Api]:
    """`until`: it answers no greeting before."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1"])
    authority.issue_cert(name).configure_cert(context)
    there = Api()

    def greeted(_socket: ssl.SSLObject, name: str, _context: ssl.SSLContext) -> None:
        there.names.append(name)
        if until:
            until.wait(10)

    context.sni_callback = greeted

    def answer(end: ssl.SSLSocket) -> None:
        while piece := end.recv(65536):
            there.got += piece
            end.sendall(ANSWER * max(1, piece.count(b"\r\n\r\n")))

    def serve(peer: socket.socket) -> None:
        with contextlib.suppress(ssl.SSLError), context.wrap_socket(peer, server_side=True) as end:
            there.met += 1
            there.open += 1
            try:
                (script or answer)(end)
            finally:
                there.open -= 1

    with server(serve) as there.port:
        yield there


def inside(folder: Path, trust: ssl.SSLContext | None, port: int, *injections: Injected, **more: Any) -> Any:
    allow = more.pop("allow", ("api.test:80",))
    credentials = injections or (injected("api.test", "x-api-key", KEY),)
    return sandbox(folder, *allow, names=NAMES, servers={443: port}, injections=credentials, tls=trust, **more)


def drain(end: ssl.SSLSocket) -> None:
    while end.recv(65536):
        pass


def head_of(end: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\r\n\r\n") and (piece := end.recv(1)):
        data += piece
    return data


def exchange(box: Sandbox, data: bytes = GET, target: str = "api.test:80") -> bytes:
    """What comes back when the client ends after `data`."""
    with box.tunnel(target) as end:
        end.sendall(data)
        end.shutdown(socket.SHUT_WR)
        return read_all(end)


def test_the_server_gets_the_key_over_tls_and_the_record_has_neither_key_nor_path(
    authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    both = (injected("api.test", "x-api-key", KEY), injected("api.test", "authorization", KEY))
    asked = b"POST /secret-path?key=in-the-query HTTP/1.1\r\nHost: API.test.:80\r\n"
    asked += b"x-API-key: mine\r\nContent-Length: 2\r\n\r\nhi"
    with api(authority) as there, inside(tmp_path, trust, there.port, *both) as box:
        assert exchange(box, asked) == ANSWER
        assert box.record("api.test")["verdict"] == "allowed"
        assert (box.internet.dialled, there.names) == ([(PUBLIC, 443)], ["api.test"])
    lines = bytes(there.got).decode().split("\r\n")
    assert lines[0] == "POST /secret-path?key=in-the-query HTTP/1.1"
    ours = ["host: api.test", "accept-encoding: identity", f"x-api-key: {KEY}", f"authorization: Bearer {KEY}"]
    assert lines[1:6] == [*ours, "Content-Length: 2"]
    assert lines[6:] == ["", "hi"]
    written = (tmp_path / "egress.jsonl").read_text()
    assert [word for word in (KEY, KEY[3:], "secret-path", "in-the-query", "mine") if word in written] == []


@pytest.mark.parametrize("target", ["api.test:80", "API.TEST:80", "api.test.:80"])
def test_however_it_is_called_it_is_never_spoken_to_in_the_clear(
    target: str, authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    with api(authority) as there, inside(tmp_path, trust, there.port) as box:
        assert exchange(box, target=target) == ANSWER
        assert box.internet.dialled == [(PUBLIC, 443)]
    assert KEY.encode() in there.got


def test_other_hosts_and_other_ports_get_no_key(authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path) -> None:
    seen = bytearray()

    def plain(peer: socket.socket) -> None:
        seen.extend(peer.recv(65536))
        peer.sendall(ANSWER)

    allow = ("api.test:80", "api.test:443", "api.test:8080", "other.test:80")
    with api(authority) as there, server(plain) as port, inside(tmp_path, trust, there.port, allow=allow) as box:
        box.internet.servers |= {80: port, 8080: port}
        assert exchange(box, GET.replace(b"api", b"other"), "other.test:80") == ANSWER
        assert exchange(box, GET, "api.test:8080") == ANSWER
        context = ssl.create_default_context()
        authority.configure_trust(context)
        with box.tunnel("api.test:443") as end, context.wrap_socket(end, server_hostname="api.test") as secure:
            secure.sendall(GET)
            assert secure.recv(100) == ANSWER
    assert KEY.encode() not in seen + there.got


@pytest.mark.parametrize("name", ["other.test", "api.test"])
def test_a_server_that_cannot_prove_its_name_gets_nothing(
    name: str, trust: ssl.SSLContext, authority: trustme.CA, tmp_path: Path
) -> None:
    issuer = authority if name == "other.test" else trustme.CA()
    with api(issuer, name=name) as there, inside(tmp_path, trust, there.port) as box:
        assert box.ask("CONNECT api.test:80") == "NO upstream: certificate"
        assert box.record("api.test")["reason"] == "upstream: certificate"
    assert there.got == b""


@pytest.mark.parametrize("kind", ["none", "unchecked"])
def test_without_somebody_to_trust_nothing_is_sent(kind: str, authority: trustme.CA, tmp_path: Path) -> None:
    unchecked = ssl.create_default_context()
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    with api(authority) as there, inside(tmp_path, unchecked if kind == "unchecked" else None, there.port) as box:
        assert box.ask("CONNECT api.test:80") == "NO upstream: handshake"
    assert there.got == b""


def test_a_server_that_does_not_speak_tls_gets_nothing(trust: ssl.SSLContext, tmp_path: Path) -> None:
    seen = bytearray()

    def plain(peer: socket.socket) -> None:
        seen.extend(peer.recv(65536))
        peer.sendall(ANSWER)

    with server(plain) as port, inside(tmp_path, trust, port) as box:
        assert box.ask("CONNECT api.test:80") == "NO upstream: handshake"
    assert KEY.encode() not in seen


def test_deny_beats_inject_at_the_gateway_too(authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path) -> None:
    with api(authority) as there, inside(tmp_path, trust, there.port, deny=("api.test",)) as box:
        assert box.ask("CONNECT api.test:80") == "NO denied-by-policy"
        assert box.internet.dialled == []


BAD: dict[str, bytes] = {
    "absolute URL": b"GET http://other.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n",
    "absolute URL of its own": b"GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n",
    "two slashes": b"GET //other.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n",
    "backslash": b"GET /\\other.test HTTP/1.1\r\nHost: api.test\r\n\r\n",
    "no slash": b"GET @other.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n",
    "CONNECT": b"CONNECT other.test:443 HTTP/1.1\r\nHost: api.test\r\n\r\n",
    "TRACE": b"TRACE / HTTP/1.1\r\nHost: api.test\r\n\r\n",
    "small trace": b"trace / HTTP/1.1\r\nHost: api.test\r\n\r\n",
    "another host": b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: api.test\r\nHost: other.test\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "host with a user": b"GET / HTTP/1.1\r\nHost: api.test@other.test\r\n\r\n",
    "host with another port": b"GET / HTTP/1.1\r\nHost: api.test:443\r\n\r\n",
    "blank before the colon": b"GET / HTTP/1.1\r\nHost: api.test\r\nAuthorization : mine\r\n\r\n",
    "folded": b"GET / HTTP/1.1\r\nHost: api.test\r\nX-A: 1\r\n Authorization: mine\r\n\r\n",
    "folded at once": b"GET / HTTP/1.1\r\n Host: other.test\r\nHost: api.test\r\n\r\n",
    "bare CR": b"GET / HTTP/1.1\r\nHost: api.test\r\nX-A: 1\rAuthorization: mine\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\r\nHost: api.test\r\nX-A: 1\nAuthorization: mine\r\n\r\n",
    "NUL": b"GET / HTTP/1.1\r\nHost: api.test\r\nX-A: 1\0\r\n\r\n",
    "CR in the path": b"GET /a\rb HTTP/1.1\r\nHost: api.test\r\n\r\n",
    "tab in the line": b"GET\t/ HTTP/1.1\r\nHost: api.test\r\n\r\n",
    "CL and TE": b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0",
    "two CL": b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "CL list": b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5, 5\r\n\r\n",
    "TE identity": b"POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: identity\r\n\r\n",
    "TE twice": b"POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: x, chunked\r\n\r\n",
    "TE in 1.0": b"POST / HTTP/1.0\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "websocket": b"GET / HTTP/1.1\r\nHost: api.test\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    "h2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/3.0": b"GET / HTTP/3.0\r\nHost: api.test\r\n\r\n",
    "TLS": b"\x16\x03\x01\0\1\1",
    "a head without end": b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000,
    "many headers": b"GET / HTTP/1.1\r\nHost: api.test\r\n" + b"A: 1\r\n" * 300 + b"\r\n",
}


@pytest.mark.parametrize("attack", BAD)
def test_what_could_be_read_in_two_ways_is_given_no_key(
    attack: str, authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    with api(authority) as there, inside(tmp_path, trust, there.port) as box:
        assert exchange(box) == ANSWER  # the control leg
        before = bytes(there.got)
        with box.tunnel("api.test:80") as end:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                end.sendall(BAD[attack])
            assert read_all(end) == b""
        wait_for(lambda: len(box.records()) == 2)
        record = box.records()[1]
        assert (record["verdict"], record["reason"].partition(":")[0]) == ("refused", "http")
    assert there.got == before


TRICKS: dict[str, bytes] = {
    "hop by hop": b"Connection: x-api-key, close-not, te",
    "underscore": b"X_Api_Key: mine",
    "dot": b"X.Api.Key: mine",
    "underscored length": b"Content_Length: 9",
    "underscored host": b"HTTP_HOST: other.test",
    "twice": b"X-Api-Key: mine\r\nX-API-KEY: mine",
    "forwarded": b"X-Forwarded-Host: other.test\r\nForwarded: host=other.test\r\nX-Original-URL: /mine",
    "proxy": b"Proxy-Authorization: Basic mine\r\nProxy-Connection: mine",
    "parts": b"Range: bytes=mine\r\nIf-Range: mine",
    "compressed": b"Accept-Encoding: mine, gzip\r\nTE: mine",
    "upgrade": b"Upgrade: mine\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: mine",
    "cookie": b"Cookie: session=mine\r\nCookie2: mine",
}


@pytest.mark.parametrize("trick", TRICKS)
def test_a_header_that_plays_tricks_stays_behind(
    trick: str, authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    asked = GET[:-2] + TRICKS[trick] + b"\r\nAccept: text/plain\r\n\r\n"
    with api(authority) as there, inside(tmp_path, trust, there.port) as box:
        assert exchange(box, asked).startswith(b"HTTP/1.1 200")
    lines = bytes(there.got).split(b"\r\n")
    names = [line.partition(b":")[0] for line in lines[1:-2]]
    assert names == [b"host", b"accept-encoding", b"x-api-key", b"Accept"]
    assert b"mine" not in there.got
    assert b"other" not in there.got


def test_a_second_request_is_looked_at_like_the_first(
    authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    hidden = b"GET /second HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: mine\r\n\r\n"
    body = b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 4\r\n\r\nbody"
    with api(authority) as there, inside(tmp_path, trust, there.port) as box, box.tunnel("api.test:80") as end:
        end.sendall(body + hidden)
        wait_for(lambda: b"/second" in there.got)
        wait_for(lambda: there.got.count(KEY.encode()) == 2)
    assert b"mine" not in there.got


def test_a_redirect_is_passed_on_and_followed_by_nobody(
    authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    redirect = b"HTTP/1.1 307 Away\r\nLocation: https://other.test/\r\nContent-Length: 0\r\n\r\n"

    def script(end: ssl.SSLSocket) -> None:
        end.recv(65536)
        end.sendall(redirect)
        end.recv(65536)

    with api(authority, script) as there, inside(tmp_path, trust, there.port) as box:
        assert exchange(box) == redirect
        assert box.internet.dialled == [(PUBLIC, 443)]


@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_an_echo_of_the_key_comes_back_masked_also_letter_by_letter_in_chunks(
    pause: float, authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    def script(end: ssl.SSLSocket) -> None:
        sent = re.search(rb"x-api-key: (.*)\r\n", end.recv(65536))
        assert sent is not None
        end.sendall(b"HTTP/1.1 200 %s\r\nX-Echo: %s\r\nTransfer-Encoding: chunked\r\n\r\n" % (sent[1], sent[1]))
        for letter in sent[1]:
            end.sendall(b"1\r\n%c\r\n" % letter)
            threading.Event().wait(pause)
        end.sendall(b"3\r\nend\r\n0\r\nX-Trailer: %s\r\n\r\n" % sent[1])
        end.recv(100)

    with api(authority, script) as there, inside(tmp_path, trust, there.port) as box:
        answer = exchange(box)
    stars = b"*" * len(KEY)
    assert answer.startswith(b"HTTP/1.1 200 %s\r\nX-Echo: %s\r\n" % (stars, stars))
    assert answer.count(b"*") == 3 * len(KEY)
    assert answer.endswith(b"end\r\n0\r\n\r\n")


def test_an_event_passes_while_the_next_is_not_sent_yet(
    authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    heard = threading.Event()

    def script(end: ssl.SSLSocket) -> None:
        end.recv(65536)
        end.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n")
        assert heard.wait(5)
        end.sendall(b"data: two\n\n")

    with api(authority, script) as there, inside(tmp_path, trust, there.port) as box, box.tunnel("api.test:80") as end:
        end.sendall(GET)
        head_of(end)
        assert end.recv(100) == b"data: one\n\n"
        heard.set()
        assert read_all(end) == b"data: two\n\n"


def test_a_body_waits_for_100_continue_and_then_goes(
    authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    def script(end: ssl.SSLSocket) -> None:
        assert b"Expect: 100-continue" in head_of(end)
        end.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert end.recv(100) == b"body"
        end.sendall(ANSWER)
        end.recv(100)

    asked = b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    with api(authority, script) as there, inside(tmp_path, trust, there.port) as box, box.tunnel("api.test:80") as end:
        end.sendall(asked)
        assert head_of(end) == b"HTTP/1.1 100 Continue\r\n\r\n"
        end.sendall(b"body")
        assert end.recv(100) == ANSWER


def test_a_client_that_leaves_takes_the_servers_connection_with_it(
    authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    with api(authority) as there, inside(tmp_path, trust, there.port) as box:
        for _ in range(3):
            with box.tunnel("api.test:80") as end:
                end.sendall(GET)
                assert end.recv(100) == ANSWER
        wait_for(lambda: there.open == 0 and box.gateway.active == 0, 3)
        wait_for(lambda: [line["ended"] for line in box.records()] == ["closed"] * 3)


def test_a_client_that_leaves_before_it_is_answered_takes_it_too(
    authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    gone = threading.Event()
    with api(authority, drain, until=gone) as there, inside(tmp_path, trust, there.port) as box:
        with box.connection() as end:
            end.sendall(b"CONNECT api.test:80\n")
            wait_for(lambda: there.names == ["api.test"])
        gc.disable()  # which would hang up, sooner or later
        try:
            gone.set()
            wait_for(lambda: there.met == 1 and there.open == 0, 3)
        finally:
            gc.enable()


def test_a_client_that_leaves_within_its_request_is_not_waited_for(
    authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    asked = b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 4000\r\n\r\nbody"
    with api(authority, drain) as there, inside(tmp_path, trust, there.port) as box:
        with box.tunnel("api.test:80") as end:
            end.sendall(asked)
            wait_for(lambda: there.open == 1)
        wait_for(lambda: box.gateway.active == 0, 3)


def test_an_answer_before_the_end_of_the_request_still_arrives(
    authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    too_large = b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmuch"
    asked = b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 40000000\r\n\r\n"

    def script(end: ssl.SSLSocket) -> None:
        head_of(end)
        end.sendall(too_large)
        with socket.socket(fileno=end.detach()) as raw:
            raw.settimeout(10)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(65536):
                pass

    with api(authority, script) as there, inside(tmp_path, trust, there.port) as box, box.tunnel("api.test:80") as end:
        end.sendall(asked)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(100):
                end.sendall(bytes(10_000))
        assert read_all(end) == too_large


def test_a_client_that_does_not_read_holds_the_server_up(
    authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    size, sent = 64 * 2**20, [0]

    def script(end: ssl.SSLSocket) -> None:
        end.recv(65536)
        end.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while sent[0] < size:
            end.sendall(bytes(2**16))
            sent[0] += 2**16

    with api(authority, script) as there, inside(tmp_path, trust, there.port) as box, box.tunnel("api.test:80") as end:
        end.sendall(GET)
        head_of(end)
        wait_for(lambda: sent[0] > 0)
        threading.Event().wait(0.5)
        assert sent[0] < size // 4
        got = 0
        while got < size:
            got += len(end.recv(2**20))
    assert (got, sent[0]) == (size, size)


def test_bodies_count_for_the_upload_limit(authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path) -> None:
    asked = b"POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    with (
        api(authority, drain) as there,
        inside(tmp_path, trust, there.port, upload_limit=200_000) as box,
        box.tunnel("api.test:80") as end,
    ):
        end.sendall(asked)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(30):
                end.sendall(b"2710\r\n%s\r\n" % bytes(10_000))
        assert read_all(end) == b""
        assert box.gateway.upload_exceeded
        assert box.record("api.test")["ended"] == "upload-limit"
        assert box.ask("CONNECT api.test:80") == "NO upload-limit"


def test_an_answer_that_could_hide_the_key_is_refused_on_the_record(
    authority: trustme.CA, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    def script(end: ssl.SSLSocket) -> None:
        end.recv(65536)
        end.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")
        end.recv(100)

    with api(authority, script) as there, inside(tmp_path, trust, there.port) as box:
        assert exchange(box) == b""
        record = box.record("api.test")
        assert record["reason"] == "http: a compressed answer, in which a credential could not be seen"
