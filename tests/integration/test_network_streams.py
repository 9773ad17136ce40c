"""Whole connections through a run's gateway: streams as they come, many at once, each half by itself, large ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.fake_gateway import count, echo, pour
from tests.integration.programs_kit import Bench, said
from tests.integration.servers import Web

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]  # the first of them may build the image

EVENTS = """\
curl -sSN https://web.test/events | while read -r line; do
    [ "$line" != "data: first" ] || curl -sS https://web.test/seen > /dev/null
    echo "$line"
done
"""
CROWD = """\
import socket
crowd = [socket.create_connection(("echo.test", 7000), timeout=30) for _ in range(1000)]
for number, one in enumerate(crowd):
    one.sendall(b"%d\\n" % number)
assert [one.makefile().readline() for one in crowd] == [f"{number}\\n" for number in range(1000)]
print("all answered")
"""
UPLOAD = """\
import hashlib, socket
piece, digest = bytes(range(256)) * 1000, hashlib.sha256()
with socket.create_connection(("count.test", 7001)) as there:
    for _ in range({megabytes} * 1000 * 1000 // len(piece)):
        there.sendall(piece)
        digest.update(piece)
    there.shutdown(socket.SHUT_WR)
    print(there.recv(64, socket.MSG_WAITALL).decode() == digest.hexdigest())
"""
DOWNLOAD = """\
import hashlib, socket
size, digest = 0, hashlib.sha256()
with socket.create_connection(("pour.test", 7002)) as there:
    while piece := there.recv(1 << 18):
        size += len(piece)
        digest.update(piece)
whole = hashlib.sha256()
for _ in range(800):
    whole.update(bytes(range(256)) * 1024)
print(size, digest.digest() == whole.digest())
"""


def test_an_event_arrives_before_the_stream_ends(bench: Bench) -> None:
    with bench.town.web("web.test", Web):
        result = bench.run(EVENTS, "web.test")
    assert said(result).split("\n") == ["data: first", "", "data: second, after the first was seen", "", ""]


def test_a_thousand_connections_are_open_at_once(bench: Bench) -> None:
    with bench.town.tcp("echo.test", 7000, echo):
        result = bench.run(f"python3 -c '{CROWD}'", "echo.test:7000")
    assert said(result) == "all answered\n"
    assert len(bench.town.dialled) == 1000


def test_a_large_upload_is_answered_after_its_half_of_the_connection_has_ended(bench: Bench) -> None:
    with bench.town.tcp("count.test", 7001, count):
        result = bench.run(f"python3 -c '{UPLOAD.format(megabytes=200)}'", "count.test:7001", upload="200MiB")
    assert said(result) == "True\n"
    assert 199_000_000 < (result.limits["upload"].peak or 0) < 200_100_000
    assert not result.limits["upload"].hit


def test_an_upload_over_the_limit_is_cut_off_and_on_the_record(bench: Bench) -> None:
    with bench.town.tcp("count.test", 7001, count):
        result = bench.run(f"python3 -c '{UPLOAD.format(megabytes=2)}'", "count.test:7001", upload="1MiB")
    assert "True" not in said(result)
    assert result.limits["upload"].hit
    assert (result.limits["upload"].peak or 0) <= 2**20


def test_a_large_download_arrives_whole(bench: Bench) -> None:
    with bench.town.tcp("pour.test", 7002, pour):
        result = bench.run(f"python3 -c '{DOWNLOAD}'", "pour.test:7002")
    assert said(result) == f"{200 * 2**20} True\n"
    assert '"bytes_down": 209715200' in Path(result.paths["egress"]).read_text()
