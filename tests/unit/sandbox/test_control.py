"""The host's end of the handshake: slow, cut off and endless reports, and sockets that a dead Paddock left."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runner.plan import CONTROL_SOCKET
from runner.sandbox.control import listen
from runner.sandbox.proof import MAX_PROOF


@contextmanager
def connected(folder: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.connect(str(folder / CONTROL_SOCKET))
        yield peer


def test_a_report_that_comes_in_pieces_over_several_looks_is_taken_whole(tmp_path: Path) -> None:
    with listen(tmp_path) as handshake, connected(tmp_path) as peer:
        assert handshake.receive(0.01) is None
        peer.sendall(b"first ")
        assert handshake.receive(0.01) is None
        peer.sendall(b"second\n")
        assert handshake.receive(0.01) == b"first second\n"
        handshake.go()
        assert peer.recv(16) == b"go\n"


def test_nobody_is_waited_for_no_longer_than_the_deadline(tmp_path: Path) -> None:
    with listen(tmp_path) as handshake:
        assert handshake.receive(0.01) is None


def test_a_report_that_is_cut_off_is_none_and_the_next_one_counts(tmp_path: Path) -> None:
    with listen(tmp_path) as handshake:
        with connected(tmp_path) as peer:
            peer.sendall(b"half")
        assert handshake.receive(1) is None
        with connected(tmp_path) as peer:
            peer.sendall(b"whole\n")
            assert handshake.receive(1) == b"whole\n"


def test_an_endless_report_is_read_no_further_than_its_limit(tmp_path: Path) -> None:
    with listen(tmp_path) as handshake, connected(tmp_path) as peer:
        peer.setblocking(False)
        line = None
        while line is None:
            with suppress(BlockingIOError):
                peer.send(b"x" * 65536)
            line = handshake.receive(0.01)
    assert MAX_PROOF < len(line) <= MAX_PROOF + 65536


def test_a_socket_that_a_dead_paddock_left_is_replaced_and_ours_is_removed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
        stale.bind(str(tmp_path / CONTROL_SOCKET))
    with listen(tmp_path) as handshake, connected(tmp_path) as peer:
        peer.sendall(b"hello\n")
        assert handshake.receive(1) == b"hello\n"
    assert list(tmp_path.iterdir()) == []
