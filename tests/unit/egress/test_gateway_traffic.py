"""What goes through: TLS for the name on 443, HTTP for the host on 80, anything elsewhere, all within limits."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from runner.egress.gateway import GatewayLimits
from tests.unit.egress.gateway_kit import (
    PUBLIC,
    Sandbox,
    count,
    echo,
    read_all,
    read_line,
    sandbox,
    server,
    wait_for,
)
from tests.unit.egress.hellos import extension, hello, named, records, sni
from tests.unit.egress.test_http_head import request

NAMES = {"a.test": [PUBLIC], "b.test": [PUBLIC]}
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Received:
    """A server that keeps what it gets and answers every request head."""

    def __init__(self, answer: bytes = ANSWER) -> None:
        self.data = b""
        self._answer = answer

    def __call__(self, peer: socket.socket) -> None:
        while piece := peer.recv(65536):
            self.data += piece
            peer.sendall(self._answer * max(1, piece.count(b"\r\n\r\n")))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls_server(authority: trustme.CA) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1"])
    authority.issue_cert("a.test").configure_cert(context)

    def serve(peer: socket.socket) -> None:
        with context.wrap_socket(peer, server_side=True) as secure:
            secure.sendall(f"{secure.selected_alpn_protocol()}:".encode() + secure.recv(100))

    with server(serve) as port:
        yield port


def secure_exchange(inside: Sandbox, authority: trustme.CA, target: str, name: str, alpn: str = "http/1.1") -> bytes:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols([alpn])
    with inside.tunnel(target) as end, context.wrap_socket(end, server_hostname=name) as secure:
        secure.sendall(b"hello")
        return secure.recv(100)


# --- 443 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
def test_tls_for_the_name_goes_through_untouched(
    alpn: str, authority: trustme.CA, tls_server: int, tmp_path: Path
) -> None:
    with sandbox(tmp_path, "a.test", names=NAMES, servers={443: tls_server}) as inside:
        assert secure_exchange(inside, authority, "a.test:443", "a.test", alpn) == f"{alpn}:hello".encode()
        record = inside.record("a.test")
        assert (record["verdict"], record["reason"]) == ("allowed", "listed")
        assert record["bytes_up"] > 200
        assert record["bytes_down"] > 500


@pytest.mark.parametrize("name", ["b.test", "sub.a.test", "evil.test"])
def test_tls_for_another_name_ends_before_the_server_gets_a_byte(
    name: str, authority: trustme.CA, tmp_path: Path
) -> None:
    got = Received()
    with server(got) as port, sandbox(tmp_path, "a.test", "b.test", names=NAMES, servers={443: port}) as inside:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            secure_exchange(inside, authority, "a.test:443", name)
        assert inside.record("a.test") | {"verdict": "refused", "reason": "tls: another server name"} == inside.record(
            "a.test"
        )
        assert got.data == b""


@pytest.mark.parametrize(
    ("opening", "reason"),
    [
        (records(hello()), "tls: no server name"),
        (records(hello(sni(b"a.test", b"b.test"))), "tls: more than one server name"),
        (records(hello(sni(b"a.test"), extension(0xFE0D, bytes(60)))), "tls: encrypted ClientHello"),
        (named("b.test"), "tls: another server name"),
        (named("a.test.evil.test"), "tls: another server name"),
        (b"SSH-2.0-OpenSSH\r\n", "tls: not TLS"),
        (b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "tls: not TLS"),
        (b"\0\0", "tls: not TLS"),
    ],
)
def test_what_is_not_tls_for_the_name_is_refused_on_443(opening: bytes, reason: str, tmp_path: Path) -> None:
    got = Received()
    with server(got) as port, sandbox(tmp_path, "a.test", names=NAMES, servers={443: port}) as inside:
        with inside.tunnel("a.test:443") as end:
            end.sendall(opening)
            assert read_all(end) == b""
        assert inside.record("a.test")["reason"] == reason
        with inside.tunnel("a.test:443") as end:  # the control leg, with the hello in pieces
            for at in range(0, len(named("A.test")), 20):
                end.sendall(named("A.test")[at : at + 20])
            assert end.recv(100) == ANSWER
        assert got.data == named("A.test")


def test_a_hello_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    limits = GatewayLimits(opening=0.1)
    with server(echo) as port, sandbox(tmp_path, "a.test", names=NAMES, servers={443: port}, limits=limits) as inside:
        with inside.tunnel("a.test:443") as end:
            end.sendall(named("a.test")[:30])
            assert read_all(end) == b""
        assert inside.record("a.test")["reason"] == "tls: no ClientHello in time"


def test_a_client_that_leaves_before_its_hello_was_not_refused(tmp_path: Path) -> None:
    with server(echo) as port, sandbox(tmp_path, "a.test", names=NAMES, servers={443: port}) as inside:
        with inside.tunnel("a.test:443"):
            pass
        record = inside.record("a.test")
        assert (record["verdict"], record["ended"], record["bytes_up"]) == ("allowed", "client-gone", 0)


# --- 80 -----------------------------------------------------------------------------------------------------------


def test_requests_for_the_host_go_through_on_one_connection(tmp_path: Path) -> None:
    got = Received()
    post = request("Content-Length: 3", first="POST /x HTTP/1.1") + b"abc"
    with server(got) as port, sandbox(tmp_path, "a.test:80", names=NAMES, servers={80: port}) as inside:
        with inside.tunnel("a.test:80") as end:
            for each in (request(), post, request(host="A.TEST:80")):
                end.sendall(each)
                assert end.recv(100) == ANSWER
        assert got.data == request() + post + request(host="A.TEST:80")


@pytest.mark.parametrize(
    "data",
    [
        request(host="b.test"),
        request(host="a.test:8080"),
        request("Host: b.test"),
        request(host=None),
        request(first="GET http://b.test/ HTTP/1.1"),
        request(first="CONNECT b.test:80 HTTP/1.1"),
        request(first="TRACE / HTTP/1.1"),
        request("Content-Length: 3", "Transfer-Encoding: chunked", first="POST / HTTP/1.1"),
        request(first="GET /\\b HTTP/1.1"),
        b"\x16\x03\x01\0\1\1",
        b"SSH-2.0-x\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000,
    ],
)
@pytest.mark.parametrize("before", [b"", request()])
def test_what_is_not_http_for_the_host_is_refused_on_80_first_or_later(
    before: bytes, data: bytes, tmp_path: Path
) -> None:
    got = Received()
    with server(got) as port, sandbox(tmp_path, "a.test:80", names=NAMES, servers={80: port}) as inside:
        with inside.tunnel("a.test:80") as end:
            if before:
                end.sendall(before)
                assert end.recv(100) == ANSWER
            end.sendall(data)
            assert read_all(end) == b""
        record = inside.record("a.test")
        assert (record["verdict"], record["reason"].partition(":")[0]) == ("refused", "http")
        assert got.data == before


def test_a_redirect_is_the_clients_to_follow_and_its_target_is_refused(tmp_path: Path) -> None:
    got = Received(b"HTTP/1.1 302 Found\r\nLocation: http://denied.test/\r\nContent-Length: 0\r\n\r\n")
    with server(got) as port, sandbox(tmp_path, "a.test:80", names=NAMES, servers={80: port}) as inside:
        with inside.tunnel("a.test:80") as end:
            end.sendall(request())
            assert b"denied.test" in end.recv(1000)
        assert inside.ask("CONNECT denied.test:80") == "NO not-listed"
        assert inside.internet.dialled == [(PUBLIC, 80)]


def test_a_websocket_works_on_a_listed_host(tmp_path: Path) -> None:
    def serve(peer: socket.socket) -> None:
        assert b"Upgrade: websocket\r\n" in peer.recv(1000)
        peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        echo(peer)

    with server(serve) as port, sandbox(tmp_path, "a.test:80", names=NAMES, servers={80: port}) as inside:
        with inside.tunnel("a.test:80") as end:
            end.sendall(request("Upgrade: websocket", "Connection: Upgrade"))
            assert b"101" in end.recv(1000)
            end.sendall(b"\x81\x85frame")
            assert end.recv(100) == b"\x81\x85frame"
        assert inside.record("a.test")["verdict"] == "allowed"


def test_an_upgrade_to_http2_is_not_passed_on_nor_are_a_proxys_headers(tmp_path: Path) -> None:
    got = Received()
    spoof = ("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__", "X-Forwarded-Host: b.test", "Proxy-Connection: x")
    with server(got) as port, sandbox(tmp_path, "a.test:80", names=NAMES, servers={80: port}) as inside:
        with inside.tunnel("a.test:80") as end:
            end.sendall(request(*spoof))
            assert end.recv(100) == ANSWER
        assert got.data == request()


def test_a_head_that_drips_is_not_waited_for(tmp_path: Path) -> None:
    limits = GatewayLimits(opening=0.1, sweep=0.02)
    with server(echo) as port, sandbox(tmp_path, "a.test:80", names=NAMES, servers={80: port}, limits=limits) as inside:
        with inside.tunnel("a.test:80") as end, pytest.raises(OSError, match=r"Broken pipe|reset"):
            _drip(end)
        assert inside.record("a.test")["ended"] == "slow-head"


# --- other ports, and limits --------------------------------------------------------------------------------------


def test_the_server_may_speak_first_and_each_side_may_end_first(tmp_path: Path) -> None:
    def serve(peer: socket.socket) -> None:
        peer.sendall(b"SSH-2.0-server\r\n")
        count(peer)

    with server(serve) as port, sandbox(tmp_path, "a.test:22", names=NAMES, servers={22: port}) as inside:
        with inside.tunnel("a.test:22") as end:
            assert read_line(end) == "SSH-2.0-server\r"
            end.sendall(b"x" * 1000)
            end.shutdown(socket.SHUT_WR)
            assert read_all(end) == b"1000"
        assert inside.record("a.test")["ended"] == "closed"


def test_the_server_may_end_first_and_still_be_written_to(tmp_path: Path) -> None:
    got = []

    def serve(peer: socket.socket) -> None:
        peer.sendall(b"done")
        peer.shutdown(socket.SHUT_WR)
        got.append(read_all(peer))

    with (
        server(serve) as port,
        sandbox(tmp_path, "a.test:7000", names=NAMES, servers={7000: port}) as inside,
        inside.tunnel("a.test:7000") as end,
    ):
        assert read_all(end) == b"done"
        end.sendall(b"late")
        end.shutdown(socket.SHUT_WR)
        wait_for(lambda: got == [b"late"])


def test_what_is_sent_with_the_line_is_not_lost(tmp_path: Path) -> None:
    with (
        server(echo) as port,
        sandbox(tmp_path, "a.test:7000", names=NAMES, servers={7000: port}) as inside,
        inside.connection() as end,
    ):
        end.sendall(b"LOOKUP a.test\nCONNECT a.test:7000\nearly")
        assert [read_line(end), read_line(end), end.recv(5)] == ["PORTS 7000", "OK", b"early"]


def test_a_reader_that_does_not_read_stops_the_writer_and_not_the_gateway(tmp_path: Path) -> None:
    sent = [0]

    def flood(peer: socket.socket) -> None:
        for _ in range(2000):
            sent[0] += peer.send(bytes(65536))

    with (
        server(flood) as port,
        sandbox(tmp_path, "a.test:7000", names=NAMES, servers={7000: port}) as inside,
        inside.tunnel("a.test:7000") as end,
    ):
        wait_for(lambda: _steady(sent))
        assert sent[0] < 30 * 2**20  # buffers of the kernel, not of the gateway
        assert inside.ask("LOOKUP a.test") == "PORTS 7000"
        assert len(read_all(end)) == 2000 * 65536


def _drip(end: socket.socket) -> None:
    for _ in range(30):
        end.sendall(b"G")
        time.sleep(0.02)


def _steady(counter: list[int]) -> bool:
    before = counter[0]
    time.sleep(0.3)
    return before > 0 and counter[0] == before


def _send(end: socket.socket, data: bytes) -> None:
    end.sendall(data)
    end.shutdown(socket.SHUT_WR)


def test_a_megabyte_each_way_over_many_connections_arrives_whole(tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096
    results: list[bool] = []

    def exchange(inside: Sandbox) -> None:
        with inside.tunnel("a.test:7000") as end:
            sender = threading.Thread(target=_send, args=(end, data))
            sender.start()
            results.append(read_all(end) == data)
            sender.join()

    with server(echo) as port, sandbox(tmp_path, "a.test:7000", names=NAMES, servers={7000: port}) as inside:
        threads = [threading.Thread(target=exchange, args=(inside,)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [True] * 16


@pytest.mark.parametrize(
    ("limits", "why"),
    [(GatewayLimits(idle=0.1, sweep=0.02), "idle"), (GatewayLimits(total=0.1, sweep=0.02), "total-time")],
)
def test_a_tunnel_ends_with_its_time(limits: GatewayLimits, why: str, tmp_path: Path) -> None:
    with (
        server(echo) as port,
        sandbox(tmp_path, "a.test:7000", names=NAMES, servers={7000: port}, limits=limits) as inside,
    ):
        with inside.tunnel("a.test:7000") as end:
            assert read_all(end) == b""
        record = inside.record("a.test")
        assert (record["verdict"], record["ended"]) == ("allowed", why)


def test_a_tunnel_that_is_used_is_not_idle(tmp_path: Path) -> None:
    limits = GatewayLimits(idle=0.4, sweep=0.02)
    with (
        server(echo) as port,
        sandbox(tmp_path, "a.test:7000", names=NAMES, servers={7000: port}, limits=limits) as inside,
        inside.tunnel("a.test:7000") as end,
    ):
        for _ in range(12):
            end.sendall(b"x")
            assert end.recv(1) == b"x"
            time.sleep(0.08)


def test_uploads_are_counted_over_the_run_and_end_at_the_limit(tmp_path: Path) -> None:
    got = Received(b"")
    with (
        server(got) as port,
        sandbox(
            tmp_path, "a.test:7000", "b.test:7000", names=NAMES, servers={7000: port}, upload_limit=100_000
        ) as inside,
    ):
        with inside.tunnel("a.test:7000") as first, inside.tunnel("b.test:7000") as second:
            first.sendall(bytes(60_000))
            wait_for(lambda: len(got.data) == 60_000)
            second.sendall(bytes(39_000))
            wait_for(lambda: len(got.data) == 99_000)
            first.sendall(bytes(2_000))
            assert read_all(first) == read_all(second) == b""
        assert inside.gateway.upload_exceeded
        assert len(got.data) == 99_000
        assert inside.ask("LOOKUP a.test") == "PORTS 7000"
        assert inside.ask("CONNECT a.test:7000") == "NO upload-limit"
        wait_for(lambda: len(inside.records()) == 4)
        assert [line.get("ended") for line in inside.records() if line["verdict"] == "allowed"][:2] == [
            "upload-limit"
        ] * 2


def test_hundreds_of_connections_at_once_work(tmp_path: Path) -> None:
    with server(echo) as port, sandbox(tmp_path, "a.test:7000", names=NAMES, servers={7000: port}) as inside:
        open_ones = [inside.tunnel("a.test:7000") for _ in range(300)]
        ends = [each.__enter__() for each in open_ones]
        for end in ends:
            end.sendall(b"x")
        assert [end.recv(1) for end in ends] == [b"x"] * 300
        for each in open_ones:
            each.__exit__(None, None, None)
        wait_for(lambda: inside.gateway.active == 0)
