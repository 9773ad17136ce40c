"""`paddock forward`: the host's end against the real relay, as a process of its own on this machine's loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from runner.errors import UsageError
from runner.sandbox.engine import Output
from runner.sandbox.forward import SHIM_FORWARD, Door, Forwarder, listen_back, open_door

SECONDS = 20.0
LARGE = 30_000_000


class Relay:
    """An `Inside` that is a process of this machine."""

    def __init__(self, argv: list[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def output(self) -> Iterator[Output]:
        assert self.process.stdout
        with self.process.stdout as stdout:
            while data := stdout.read(65536):
                yield Output(1, data)

    def write(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)

    def end_input(self) -> None: ...

    def resize(self, rows: int, columns: int) -> None: ...

    def exit_code(self) -> int:
        return self.process.wait(SECONDS)

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(SECONDS)


class Bench:
    """A forwarded port, the server behind it, and the socket between the two."""

    def __init__(self, folder: Path, door: Door, server: socket.socket, relay: Relay, forwarder: Forwarder) -> None:
        self.folder = folder
        self.server = server
        self.relay = relay
        self.forwarder = forwarder
        self._outer = door.outer

    def connect(self) -> socket.socket:
        """A client of the forwarded port."""
        client = socket.create_connection(("127.0.0.1", self._outer), SECONDS)
        client.settimeout(SECONDS)
        return client

    def accept(self) -> socket.socket:
        """The connection as the server inside sees it."""
        peer = self.server.accept()[0]
        peer.settimeout(SECONDS)
        return peer

    def stranger(self) -> socket.socket:
        """Somebody inside who connects to the host's socket."""
        (path,) = self.folder.glob("forward-*.sock")
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        peer.settimeout(SECONDS)
        peer.connect(str(path))
        return peer


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Everything, turned by a thread."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(SECONDS)
    door = open_door(server.getsockname()[1], 0, exactly=True)
    with ExitStack() as scope:
        scope.enter_context(closing(server))
        scope.enter_context(closing(door.listener))
        listener, name = scope.enter_context(listen_back(tmp_path))
        relay = Relay(["-I", "-S", "-B", "-c", SHIM_FORWARD.read_text(), f"{tmp_path}/{name}"])
        forwarder = Forwarder(listener, (door,))
        forwarder.serve(relay)
        with turned(forwarder):
            yield Bench(tmp_path, door, server, relay, forwarder)
        relay.close()
        forwarder.close()
    assert list(tmp_path.iterdir()) == []


@contextmanager
def turned(forwarder: Forwarder) -> Iterator[None]:
    """The forwarder at work, on a thread."""
    stop = threading.Event()

    def turn() -> None:
        while not stop.is_set():
            forwarder.turn()

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(SECONDS)


def everything(peer: socket.socket) -> bytes:
    """What comes until the end."""
    data = bytearray()
    while piece := peer.recv(65536):
        data += piece
    return bytes(data)


def test_bytes_go_both_ways_and_each_side_may_end_before_the_other(bench: Bench) -> None:
    with bench.connect() as client:
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        with bench.accept() as peer:
            assert everything(peer) == b"question"
            peer.sendall(b"a late answer")
        assert everything(client) == b"a late answer"


def test_a_server_that_ends_first_is_still_told_the_rest(bench: Bench) -> None:
    with bench.connect() as client, bench.accept() as peer:
        peer.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
        client.sendall(b"the rest")
        client.shutdown(socket.SHUT_WR)
        assert everything(peer) == b"the rest"


def test_much_arrives_whole(bench: Bench) -> None:
    data = os.urandom(1_000_000) * (LARGE // 1_000_000)
    with bench.connect() as client, bench.accept() as peer:

        def send() -> None:
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        assert everything(client) == data
        sender.join()


def test_who_does_not_read_stops_who_writes_and_nobody_else(bench: Bench) -> None:
    with bench.connect() as lazy, bench.accept() as writer:
        writer.settimeout(1)
        sent = until_it_waits(writer)
        assert sent < 100 * 2**20
        with bench.connect() as client, bench.accept() as peer:
            peer.sendall(b"quick")
            assert client.recv(5) == b"quick"
        lazy.settimeout(SECONDS)
        writer.shutdown(socket.SHUT_WR)
        assert len(everything(lazy)) == sent


def until_it_waits(writer: socket.socket) -> int:
    """How much goes out before sending takes longer than the socket's time-out; at most 200 MiB."""
    sent = 0
    with suppress(TimeoutError):
        while sent < 200 * 2**20:
            sent += writer.send(bytes(65536))
    return sent


def test_two_hundred_connections_at_once_each_have_their_own_answer(bench: Bench) -> None:
    clients = [bench.connect() for _ in range(200)]
    for number, client in enumerate(clients):
        client.sendall(b"%d\n" % number)
    peers = [bench.accept() for _ in clients]
    for peer in peers:
        peer.sendall(b"you said " + peer.recv(100))
        peer.close()
    answers = [everything(client) for client in clients]
    for client in clients:
        client.close()

    assert answers == [b"you said %d\n" % number for number in range(200)]


def test_a_server_that_starts_later_is_found_then(bench: Bench) -> None:
    address = bench.server.getsockname()
    bench.server.close()
    with bench.connect() as early:
        assert everything(early) == b""

    bench.server = socket.create_server(address)
    bench.server.settimeout(SECONDS)
    with bench.connect() as client, closing(bench.server), bench.accept() as peer:
        peer.sendall(b"here")
        assert client.recv(4) == b"here"


def test_a_client_that_has_gone_is_told_to_the_server(bench: Bench) -> None:
    client = bench.connect()
    with bench.accept() as peer:
        client.close()
        assert everything(peer) == b""


@pytest.mark.parametrize("said", [b"", b"\n", b"0" * 32, b"\xff" * 100_000])
def test_a_stranger_at_the_socket_is_sent_away_and_disturbs_nobody(bench: Bench, said: bytes) -> None:
    with bench.connect() as client, bench.accept() as peer, bench.stranger() as stranger:
        try:
            stranger.sendall(said)
            stranger.shutdown(socket.SHUT_WR)
            heard = stranger.recv(1)
        except OSError:  # sent away while it still spoke
            heard = b""
        peer.sendall(b"undisturbed")
        assert client.recv(11) == b"undisturbed"
        assert heard == b""


def test_many_silent_strangers_keep_nobody_out(bench: Bench) -> None:
    strangers = [bench.stranger() for _ in range(400)]
    with bench.connect() as client, bench.accept() as peer:
        peer.sendall(b"here")
        assert client.recv(4) == b"here"
    for stranger in strangers:
        stranger.close()


def test_a_token_is_good_for_one_connection_and_what_follows_it_is_only_bytes(tmp_path: Path) -> None:
    """The relay is an agent's: it answers one connection in its own words, and gets nothing by answering again."""
    orders: list[bytes] = []

    class Hostile(Relay):
        def write(self, data: bytes) -> None:
            orders.append(data)

    door = open_door(1, 0, exactly=True)
    with closing(door.listener), listen_back(tmp_path) as (listener, name):
        relay = Hostile(["-c", "input()"])
        forwarder = Forwarder(listener, (door,))
        forwarder.serve(relay)
        with turned(forwarder), socket.create_connection(("127.0.0.1", door.outer), SECONDS) as client:
            client.settimeout(SECONDS)
            token = wait_for_token(orders)
            answers = []
            for word in (b"first", b"again"):
                with socket.socket(socket.AF_UNIX) as peer:
                    peer.settimeout(SECONDS)
                    peer.connect(f"{tmp_path}/{name}")
                    peer.sendall(token + word)
                    peer.shutdown(socket.SHUT_WR)
                    if word == b"first":
                        answers.append(client.recv(100))
            client.shutdown(socket.SHUT_WR)
            answers.append(everything(client))
        relay.close()
        forwarder.close()

    assert answers == [b"first", b""]


def wait_for_token(orders: list[bytes]) -> bytes:
    """The token of the first order."""
    end = time.monotonic() + SECONDS
    while not orders and time.monotonic() < end:
        time.sleep(0.01)
    return orders[0].split()[0]


def test_the_end_of_the_relay_is_seen(bench: Bench) -> None:
    bench.relay.process.kill()

    assert bench.forwarder.ended.wait(SECONDS)


def test_the_relay_ends_with_its_input(bench: Bench) -> None:
    bench.relay.close()

    assert bench.relay.exit_code() == 0


def test_a_port_that_is_taken_is_refused_or_the_next_one_is_used() -> None:
    with closing(open_door(80, 0, exactly=True).listener) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match="cannot be listened at"):
            open_door(80, port, exactly=True)
        with closing(open_door(80, port, exactly=False).listener) as another:
            assert another.getsockname()[0] == "127.0.0.1"
            assert another.getsockname()[1] > port


def test_the_socket_is_never_made_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "control").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="control"), listen_back(tmp_path / "control"):
        pass

    assert list((tmp_path / "elsewhere").iterdir()) == []
