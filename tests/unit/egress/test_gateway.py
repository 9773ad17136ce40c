"""What a gateway refuses before anything is dialled, and how it lives and dies."""

import asyncio
import contextlib
import ipaddress
import socket
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from runner.egress.addresses import Address
from runner.egress.gateway import GATEWAY_SOCKET, GatewayLimits, GatewayOrder, open_gateway
from runner.egress.resolver import FixedResolver, ResolveError
from runner.egress.rules import Rules
from runner.egress.switchboard import Switchboard
from runner.egress.tunnel import Tunnel
from runner.errors import EngineError
from tests.unit.egress.gateway_kit import PUBLIC, Sandbox, echo, read_all, read_line, sandbox, server, wait_for


def order(folder: Path) -> GatewayOrder:
    control = folder / "control"
    control.mkdir(parents=True, exist_ok=True)
    return GatewayOrder(rules=Rules(mode="none"), upload_limit=1, folder=control, audit=folder / "egress.jsonl")


@pytest.fixture
def echoes() -> Iterator[int]:
    with server(echo) as port:
        yield port


def works(inside: Sandbox, target: str = "good.test:7000") -> None:
    """The control leg: what is listed is reached."""
    with inside.tunnel(target) as end:
        end.sendall(b"hello")
        assert end.recv(5) == b"hello"


# --- names and ports ----------------------------------------------------------------------------------------------


def test_lookups_say_ports_or_why_not_and_dial_and_resolve_nothing(tmp_path: Path) -> None:
    resolver = FixedResolver({})
    with sandbox(tmp_path, "a.test", "a.test:80", "*.b.test", deny=["bad.b.test"], resolver=resolver) as inside:
        with inside.connection() as end:  # many on one connection, also in one piece
            end.sendall(b"LOOKUP a.test\nLOOKUP A.TEST.\nLOOKUP x.b.test\n")
            assert [read_line(end) for _ in range(3)] == ["PORTS 80,443", "PORTS 80,443", "PORTS 443"]
            end.sendall(b"LOOKUP bad.b.test\nLOOKUP b.test\nLOOKUP 127.0.0.1\nLOOKUP localhost\n")
            answers = [read_line(end) for _ in range(4)]
        assert answers == ["NO denied-by-policy", "NO not-listed", "NO not-a-name", "NO not-a-name"]
        assert resolver.asked == []
        assert inside.internet.dialled == []
        assert inside.record("b.test", "lookup")["verdict"] == "refused"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("evilgood.test:7000", "not-listed"),
        ("good.test.evil.test:7000", "not-listed"),
        ("sub.good.test:7000", "not-listed"),
        ("wild.test:443", "not-listed"),
        ("bad.wild.test:443", "denied-by-policy"),
        ("good.test:22", "port-not-listed"),
        ("good.test:25", "port-not-listed"),
        ("good.test:80", "port-not-listed"),
        ("good.test:8443", "port-not-listed"),
        ("127.0.0.1:7000", "not-a-name"),
        ("2130706433:7000", "not-a-name"),
        ("0x7f000001:7000", "not-a-name"),
        ("017700000001:7000", "not-a-name"),
        ("127.1:7000", "not-a-name"),
        ("[::1]:7000", "not-a-name"),
        ("::1:7000", "not-a-name"),
        ("[::ffff:127.0.0.1]:7000", "not-a-name"),
        ("fe80::1%eth0:7000", "not-a-name"),
        ("0.0.0.0:7000", "not-a-name"),
        ("169.254.169.254:80", "not-a-name"),
        ("localhost:7000", "not-a-name"),
        ("metadata.google.internal:80", "not-listed"),
        ("host.docker.internal:2375", "not-listed"),
        ("user@good.test:7000", "not-a-name"),
        ("good.test\\evil.test:7000", "not-a-name"),
        ("good.test#evil.test:7000", "not-a-name"),
        ("good%2etest:7000", "not-a-name"),
        ("good.test/x:7000", "not-a-name"),
        ("good.test:7000:7000", "not-a-name"),
    ],
)
def test_what_the_policy_does_not_list_is_refused_undialled(
    target: str, reason: str, echoes: int, tmp_path: Path
) -> None:
    names = {"good.test": [PUBLIC]}
    allow = ("good.test:7000", "*.wild.test")
    with sandbox(tmp_path, *allow, deny=["bad.wild.test"], names=names, servers={7000: echoes}) as inside:
        works(inside)
        assert inside.record("good.test")["verdict"] == "allowed"
        inside.internet.dialled.clear()
        assert inside.ask(f"CONNECT {target}") == f"NO {reason}"
        assert inside.internet.dialled == []
        wait_for(lambda: len(inside.records()) == 2)
        last = inside.records()[-1]
        assert (f"{last['name']}:{last['port']}", last["verdict"], last["reason"]) == (target, "refused", reason)


@pytest.mark.parametrize(
    "line",
    [
        b"GET http://good.test/ HTTP/1.1\r\n\r\n",
        b"CONNECT good.test:007\n",
        b"CONNECT good.test:-1\n",
        b"CONNECT good.test:99999\n",
        b"CONNECT good.test\n",
        b"CONNECT good.test:7000\r\nHost: x\r\n",
        b"CONNECT good.test:7000\0\n",
        b"CONNECT g\xc3\xb6od.test:7000\n",
        b"DIAL 10.0.0.1:80\n",
        b"\n",
        b"\x05\x01\x00\n",
        b"x" * 600,
        b"LOOKUP " + b"x" * 600 + b"\n",
    ],
)
def test_anything_but_the_two_lines_closes_the_connection_and_is_recorded(line: bytes, tmp_path: Path) -> None:
    with sandbox(tmp_path, "good.test:7000", names={"good.test": [PUBLIC]}) as inside:
        assert inside.ask(line) == ""
        assert inside.internet.dialled == []
        assert inside.record("", "protocol")["reason"] in {"malformed-line", "malformed-port", "line-too-long"}


def test_an_empty_list_denies_everything_and_open_reaches_public_names_alone(echoes: int, tmp_path: Path) -> None:
    names = {"a.test": [PUBLIC], "inner.test": ["10.0.0.5"]}
    with sandbox(tmp_path, names=names) as inside:
        assert inside.ask("CONNECT a.test:443") == "NO not-listed"
    with sandbox(tmp_path, mode="open", names=names, servers={443: echoes}) as inside:
        assert inside.ask("CONNECT inner.test:443") == "NO address: private"
        assert inside.internet.dialled == []
        assert inside.ask("CONNECT a.test:443") == "OK"
        assert inside.ask("CONNECT a.test:22") == "NO port-not-listed"


# --- addresses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        (["127.0.0.1"], "loopback"),
        (["::1"], "loopback"),
        (["0.0.0.0"], "unspecified"),  # noqa: S104 - nobody binds to it
        (["10.0.0.1"], "private"),
        (["192.168.65.7"], "private"),
        (["172.17.0.1"], "private"),
        (["169.254.169.254"], "metadata"),
        (["fd00:ec2::254"], "metadata"),
        (["100.100.100.200"], "metadata"),
        (["100.64.0.1"], "carrier-grade NAT"),
        (["::ffff:127.0.0.1"], "v4-mapped"),
        (["64:ff9b::a00:1"], "NAT64"),
        (["2002:a00:1::"], "6to4"),
        (["2001:0:a00:1::"], "Teredo"),
        (["198.41.0.99"], "an address of this host"),
        ([PUBLIC, "10.0.0.1"], "private"),
        (["10.0.0.1", PUBLIC], "private"),
        ([PUBLIC] * 3 + ["::1"], "loopback"),
        ([f"198.41.1.{number}" for number in range(20)] + ["127.0.0.1"], "loopback"),
    ],
)
def test_a_listed_name_that_leads_inside_is_refused_undialled(
    answers: list[str], kind: str, echoes: int, tmp_path: Path
) -> None:
    names = {"good.test": [PUBLIC], "trap.test": answers}
    own = [ipaddress.ip_address("198.41.0.99")]
    with sandbox(tmp_path, "good.test:7000", "trap.test:7000", names=names, servers={7000: echoes}, own=own) as inside:
        works(inside)
        inside.internet.dialled.clear()
        assert inside.ask("CONNECT trap.test:7000") == f"NO address: {kind}"
        assert inside.internet.dialled == []
        assert inside.record("trap.test")["address"] not in {"", PUBLIC}


def test_a_private_network_is_reached_when_the_policy_lists_it_and_by_tcp(echoes: int, tmp_path: Path) -> None:
    names = {"local.test": ["127.0.0.1"]}
    target = f"local.test:{echoes}"
    with sandbox(tmp_path, target, names=names, real=True) as inside:
        assert inside.ask(f"CONNECT {target}") == "NO address: loopback"
    with sandbox(tmp_path, target, names=names, private=["127.0.0.1/32"], real=True) as inside:
        works(inside, target)
        wait_for(lambda: inside.gateway.active == 0)
        assert inside.records()[-1] | {"time": 0, "seconds": 0} == {
            "time": 0, "kind": "connect", "name": "local.test", "port": echoes, "address": "127.0.0.1",
            "verdict": "allowed", "reason": "listed", "bytes_up": 5, "bytes_down": 5, "seconds": 0, "ended": "closed",
        }  # fmt: skip


def test_a_listed_private_name_opens_itself_alone(echoes: int, tmp_path: Path) -> None:
    names = {"db.lan": ["10.0.0.1"], "other.lan": ["10.0.0.1"], "trick.lan": ["127.0.0.1"]}
    allow = ("db.lan:7000", "other.lan:7000", "trick.lan:7000")
    private = ["db.lan", "trick.lan"]
    with sandbox(tmp_path, *allow, names=names, private=private, servers={7000: echoes}) as inside:
        works(inside, "db.lan:7000")
        assert inside.ask("CONNECT other.lan:7000") == "NO address: private"
        assert inside.ask("CONNECT trick.lan:7000") == "NO address: loopback"
        assert inside.internet.dialled == [("10.0.0.1", 7000)]


class Flipping:
    """Public at first, loopback ever after."""

    def __init__(self) -> None:
        self.asked = 0

    async def resolve(self, name: str) -> list[Address]:
        self.asked += 1
        return [ipaddress.ip_address(PUBLIC if self.asked == 1 else "127.0.0.1")]


def test_the_checked_address_is_dialled_and_the_name_is_not_asked_again(echoes: int, tmp_path: Path) -> None:
    resolver = Flipping()
    with sandbox(tmp_path, "flip.test:7000", resolver=resolver, servers={7000: echoes}) as inside:
        works(inside, "flip.test:7000")
        assert (resolver.asked, inside.internet.dialled) == (1, [(PUBLIC, 7000)])
        assert inside.ask("CONNECT flip.test:7000") == "NO address: loopback"
        assert inside.internet.dialled == [(PUBLIC, 7000)]


class Failing:
    async def resolve(self, name: str) -> list[Address]:
        raise ResolveError("lookup-timed-out")


def test_a_name_without_answer_and_a_server_without_one_are_told_apart(tmp_path: Path) -> None:
    with sandbox(tmp_path, "a.test", resolver=Failing()) as inside:
        assert inside.ask("CONNECT a.test:443") == "NO lookup-timed-out"
    with sandbox(tmp_path, "a.test", names={"a.test": [PUBLIC, "198.41.0.5"]}) as inside:
        assert inside.ask("CONNECT a.test:443") == "NO connect-failed: Connection refused"
        assert inside.internet.dialled == [(PUBLIC, 443), ("198.41.0.5", 443)]


async def silent(address: Address, port: int) -> socket.socket:
    await asyncio.sleep(60)
    raise AssertionError


def test_a_server_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.egress.gateway_kit.dial_tcp", silent)
    limits = GatewayLimits(connect=0.05)
    with sandbox(tmp_path, "a.test", names={"a.test": [PUBLIC]}, limits=limits, real=True) as inside:
        assert inside.ask("CONNECT a.test:443") == "NO connect-timed-out"


# --- life and death -----------------------------------------------------------------------------------------------


def test_the_socket_is_there_for_the_scope_and_for_any_uid(tmp_path: Path) -> None:
    with open_gateway(order(tmp_path)) as gateway:
        path = tmp_path / "control" / GATEWAY_SOCKET
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert path.stat().st_mode & 0o777 == 0o666
        assert gateway.failed == ""
    assert list((tmp_path / "control").iterdir()) == []
    assert gateway.failed == ""


def test_a_deep_folder_and_what_a_dead_gateway_left_are_no_obstacle(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90) / ("e" * 90)
    what = order(deep)
    (deep / "control" / GATEWAY_SOCKET).write_text("left")
    with open_gateway(what):
        assert (deep / "control" / GATEWAY_SOCKET).is_socket()


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    what = order(tmp_path)
    (tmp_path / "control").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "control").symlink_to("elsewhere")
    with pytest.raises(EngineError, match="socket cannot be made"), open_gateway(what):
        pass


def test_what_the_caller_raises_stays_what_it_was(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="mine"), open_gateway(order(tmp_path)):
        raise OSError("mine")


def test_open_connections_end_and_are_recorded_with_the_gateway(echoes: int, tmp_path: Path) -> None:
    names = {"a.test": [PUBLIC], "slow.test": [PUBLIC]}
    with sandbox(tmp_path, "a.test:7000", "slow.test", names=names, servers={7000: echoes, 443: echoes}) as inside:
        one = inside.tunnel("a.test:7000")
        end = one.__enter__()
        other = inside.tunnel("slow.test:443")  # waits for its ClientHello
        waiting = other.__enter__()
    assert read_all(end) == read_all(waiting) == b""
    one.__exit__(None, None, None)
    other.__exit__(None, None, None)
    assert inside.record("a.test")["ended"] == "gateway-closed"
    assert inside.record("slow.test")["reason"] == "gateway-closed"


def test_a_gateway_that_dies_says_why_and_closes_everything(
    echoes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("planted")

    proven = False
    control = order(tmp_path)
    with (
        contextlib.suppress(AssertionError),  # of the kit, which looks at `failed` as its scope ends
        sandbox(tmp_path, "a.test:7000", names={"a.test": [PUBLIC]}, servers={7000: echoes}) as inside,
    ):
        with inside.tunnel("a.test:7000") as end:
            monkeypatch.setattr(Switchboard, "admit", fail)
            assert inside.ask("LOOKUP a.test") == ""
            assert read_all(end) == b""
        wait_for(lambda: bool(inside.gateway.failed))
        with pytest.raises(OSError, match="refused"):
            inside.ask("LOOKUP a.test")
        proven = True
    assert proven
    assert inside.gateway.failed == "the gateway ended: RuntimeError: planted"
    assert inside.record("a.test")["ended"] == "gateway-closed"
    assert list(control.folder.iterdir()) == []


def test_a_fault_of_ours_ends_the_connection_that_met_it_and_no_other(
    echoes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried = Tunnel._down

    def fail(tunnel: Tunnel, data: memoryview) -> None:
        if bytes(data) == b"planted":
            raise RuntimeError("planted")
        carried(tunnel, data)

    monkeypatch.setattr(Tunnel, "_down", fail)
    names = {"good.test": [PUBLIC], "bad.test": [PUBLIC]}
    with sandbox(tmp_path, "good.test:7000", "bad.test:7000", names=names, servers={7000: echoes}) as inside:
        with inside.tunnel("good.test:7000") as good, inside.tunnel("bad.test:7000") as bad:
            bad.sendall(b"planted")
            assert read_all(bad) == b""
            good.sendall(b"hello")
            assert good.recv(5) == b"hello"
        works(inside)
    assert inside.record("bad.test")["ended"] == "internal-error"


def test_a_record_that_cannot_be_written_lets_nothing_out(echoes: int, tmp_path: Path) -> None:
    (tmp_path / "egress.jsonl").symlink_to("/dev/null")
    with pytest.raises(Exception, match="record cannot be written"), open_gateway(order(tmp_path)):
        pass
    (tmp_path / "egress.jsonl").unlink()
    limits = GatewayLimits(audit=1000)
    names = {"a.test": [PUBLIC]}
    with sandbox(tmp_path, "a.test:7000", names=names, servers={7000: echoes}, limits=limits) as inside:
        assert inside.ask("CONNECT a.test:7000") == "NO audit-full"
        assert inside.internet.dialled == []


def test_a_flood_of_lines_and_of_connections_holds_up_neither_others_nor_the_end(echoes: int, tmp_path: Path) -> None:
    over = threading.Event()

    def flood(inside: Sandbox) -> None:
        with contextlib.suppress(OSError), inside.connection() as end:
            end.setblocking(False)
            while not over.is_set():
                with contextlib.suppress(BlockingIOError):
                    end.send(b"LOOKUP a.test\n" * 1000)
                with contextlib.suppress(BlockingIOError):
                    end.recv(65536)

    def knock(inside: Sandbox) -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), inside.connection():
                pass

    with sandbox(tmp_path, "good.test:7000", names={"good.test": [PUBLIC]}, servers={7000: echoes}) as inside:
        threads = [threading.Thread(target=what, args=(inside,)) for what in (flood, flood, knock)]
        for thread in threads:
            thread.start()
        works(inside)
        works(inside)
        begun = time.monotonic()
    took = time.monotonic() - begun
    over.set()
    for thread in threads:
        thread.join()
    assert took < 5


def test_one_runs_connections_are_capped_and_another_run_does_not_notice(echoes: int, tmp_path: Path) -> None:
    limits = GatewayLimits(connections=3)
    names: dict[str, Sequence[str]] = {"good.test": [PUBLIC]}
    first, second = tmp_path / "one", tmp_path / "two"
    first.mkdir()
    second.mkdir()
    with (
        sandbox(first, "good.test:7000", names=names, servers={7000: echoes}, limits=limits) as greedy,
        sandbox(second, "good.test:7000", names=names, servers={7000: echoes}) as modest,
    ):
        with greedy.tunnel("good.test:7000"), greedy.tunnel("good.test:7000"), greedy.connection():
            wait_for(lambda: greedy.gateway.active == 3)
            assert greedy.ask("CONNECT good.test:7000") == "NO too-many-connections"
            works(modest)
        wait_for(lambda: greedy.gateway.active == 0)
        works(greedy)


def test_a_line_that_is_never_ended_is_hung_up_and_recorded(tmp_path: Path) -> None:
    with sandbox(tmp_path, "good.test:7000", limits=GatewayLimits(opening=0.2)) as inside:
        with inside.connection() as end:
            end.sendall(b"LOOKUP good.te")
            assert end.recv(100) == b""
        assert inside.record("", "protocol")["reason"] == "line-not-ended"
