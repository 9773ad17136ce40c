"""The shim's network in real sandboxes: programs that know nothing of proxies, and a gateway that the test plays."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

import runner.sandbox
from runner.clock import SystemClock
from runner.errors import EngineError, UnenforceableError
from runner.model.identity import Identity
from runner.model.policy import Policy
from runner.model.request import ImageSettings, Places
from runner.model.spec import SandboxSpec
from runner.plan import sandbox_spec
from runner.run.start import Started, start_sandbox
from runner.sandbox.docker_engine import DockerEngine
from runner.sandbox.etc_files import sandbox_etc
from runner.settings import load_settings
from tests.integration.fake_gateway import FakeGateway, count, echo, page, pour, refuse_more
from tests.unit.sandbox.specs import request_for

pytestmark = pytest.mark.docker

IDENTITY = Identity(uid=os.geteuid() or 1000, gid=os.getegid() or 1000)
SECONDS = 60.0
SERVERS = {
    ("echo.test", 7): echo,
    ("echo.test", 5432): echo,
    ("count.test", 443): count,
    ("pour.test", 443): pour,
    ("early.test", 443): refuse_more,
    ("www.example.test", 80): page,
    ("changed-mind.test", 443): echo,
}

PRELUDE = """
import hashlib, os, select, signal, socket, struct, subprocess, sys, threading, time

def ask(name, kind=1, tcp=False):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    packet = struct.pack("!6H", 77, 0x0100, 1, 0, 0, 0) + labels + b"\\0" + struct.pack("!HH", kind, 1)
    if tcp:
        with socket.create_connection(("127.0.0.1", 53), timeout=5) as s:
            s.sendall(struct.pack("!H", len(packet)) + packet)
            reply = s.makefile("rb").read(struct.unpack("!H", s.recv(2, socket.MSG_WAITALL))[0])
    else:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.sendto(packet, ("127.0.0.1", 53))
            reply = s.recv(4096)
    answers = struct.unpack("!H", reply[6:8])[0]
    return reply[3] & 15, socket.inet_ntoa(reply[-4:]) if answers else ""
"""


class Ended(NamedTuple):
    """What a program in the sandbox printed, and its exit code."""

    out: str
    error: str
    code: int


class Stage:
    """One sandbox with the network half, and the gateway of its run."""

    def __init__(self, engine: DockerEngine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        for name in ("workspace", "control", "etc"):
            (folder / name).mkdir()
        for name, text in sandbox_etc(IDENTITY).items():
            (folder / "etc" / name).write_text(text)
        self.gateway = FakeGateway(folder / "control/gateway.sock", SERVERS)

    def spec(self, *argv: str) -> SandboxSpec:
        """The spec as a run with mode `allow` makes it."""
        policy = Policy.model_validate({"network": {"mode": "allow", "allow": ["www.example.test"]}})
        inside = Path(runner.sandbox.__file__).resolve().with_name("inside")
        request = request_for(policy, run=f"shim-{secrets.token_hex(6)}", argv=argv, folder=self.folder)
        places = Places.model_validate({**request.places.model_dump(), "inside": str(inside)})
        image = ImageSettings(ref=self.engine.image("").ref)
        return sandbox_spec(request.model_copy(update={"image": image, "identity": IDENTITY, "places": places}))

    @contextmanager
    def start(self, *argv: str) -> Iterator[Started]:
        """A proved sandbox whose agent waits for `go`."""
        with start_sandbox(self.engine, self.spec(*argv), {}, self.folder / "control", SystemClock()) as started:
            yield started

    def run(self, *argv: str) -> Ended:
        """What came of a program."""
        with self.start(*argv) as started:
            started.go()
            return self.ended(started)

    def python(self, script: str) -> Ended:
        """What came of a script."""
        return self.run("python3", "-c", PRELUDE + script)

    @staticmethod
    def ended(started: Started) -> Ended:
        """Read a program that was told to go, to its end."""
        found = {1: b"", 2: b""}
        for piece in started.output:
            found[piece.stream] += piece.data
        ended = started.box.wait(SECONDS)
        assert ended is not None
        return Ended(found[1].decode(), found[2].decode(), ended.code)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> DockerEngine:
    """A real engine."""
    return DockerEngine(load_settings().engine, state_dir=tmp_path_factory.mktemp("state"), progress=print)


@pytest.fixture
def stage(engine: DockerEngine, tmp_path: Path) -> Iterator[Stage]:
    """A stage whose gateway is up."""
    stage = Stage(engine, tmp_path)
    with stage.gateway:
        yield stage


def test_curl_reaches_an_allowed_name_without_knowing_of_any_proxy(stage: Stage) -> None:
    ended = stage.run("sh", "-c", "env | grep -i proxy; curl -sS http://www.example.test/")
    assert ended == Ended("you asked www.example.test\n", "", 0)
    assert stage.gateway.lines.count("CONNECT www.example.test:80") == 1


def test_curl_fails_at_once_for_a_name_that_is_not_listed_and_the_gateway_hears_of_it(stage: Stage) -> None:
    ended = stage.run("curl", "-sS", "http://secret-data.attacker.test/")
    assert (ended.out, ended.code) == ("", 6)
    assert "Could not resolve host: secret-data.attacker.test" in ended.error
    assert "LOOKUP secret-data.attacker.test" in stage.gateway.lines
    assert [line for line in stage.gateway.lines if line.startswith("CONNECT")] == []


def test_getent_finds_an_address_of_this_sandbox_alone(stage: Stage) -> None:
    ended = stage.run("sh", "-c", "getent hosts www.example.test echo.test www.example.test; getent hosts no.test")
    addresses = [line.split()[0] for line in ended.out.splitlines()]
    assert (addresses, ended.code) == (["127.77.0.1", "127.77.0.2", "127.77.0.1"], 2)


def test_dns_speaks_udp_and_tcp_and_has_no_other_records(stage: Stage) -> None:
    ended = stage.python(
        "for tcp in (False, True):\n"
        "    for name, kind in (('echo.test', 1), ('ECHO.Test', 1), ('echo.test', 28), ('echo.test', 65),\n"
        "                       ('echo.test', 16), ('no.test', 1), ('1.0.0.127.in-addr.arpa', 12), ('a b', 1)):\n"
        "        print(*ask(name, kind, tcp))\n"
    )
    expected = ["0 127.77.0.1", "0 127.77.0.1", "0 ", "0 ", "0 ", "3 ", "3 ", "3 "]
    assert (ended.out.splitlines(), ended.error, ended.code) == (expected * 2, "", 0)


def test_a_flood_of_one_name_does_not_reach_the_gateway(stage: Stage) -> None:
    stage.python("for _ in range(2000): assert ask('no.test') == (3, '') and ask('echo.test')[0] == 0")
    assert stage.gateway.lines.count("LOOKUP no.test") <= 6
    assert stage.gateway.lines.count("LOOKUP echo.test") <= 6


def test_the_five_thousandth_allowed_name_is_refused_and_the_first_keeps_its_address(stage: Stage) -> None:
    for number in range(4200):
        stage.gateway.allow(f"n{number}.test", 443)
    ended = stage.python(
        "from collections import Counter\n"
        "print(Counter(ask(f'n{n}.test')[0] for n in range(4200)), ask('n0.test'), ask('no.test'))"
    )
    assert ended.out == "Counter({0: 4096, 2: 104}) (0, '127.77.0.1') (3, '')\n"


def test_every_listed_port_is_open_and_no_other(stage: Stage) -> None:
    ended = stage.python(
        "for port in (7, 5432, 443, 53):\n"
        "    try:\n"
        "        with socket.create_connection(('echo.test', port), timeout=5) as s:\n"
        "            s.sendall(b'hello'); print(port, s.recv(5).decode())\n"
        "    except OSError as error: print(port, type(error).__name__)\n"
    )
    assert ended.out.splitlines() == [
        "7 hello",
        "5432 hello",
        "443 ConnectionRefusedError",
        "53 ConnectionRefusedError",
    ]


def test_a_connection_that_the_gateway_refuses_is_reset(stage: Stage) -> None:
    ended = stage.python(
        "try: print(socket.create_connection(('changed-mind.test', 443), timeout=5).recv(1))\n"
        "except OSError as error: print(type(error).__name__)\n"
    )
    assert ended.out == "ConnectionResetError\n"


def test_a_large_upload_and_a_half_close_arrive_whole(stage: Stage) -> None:
    ended = stage.python(
        "data = os.urandom(1 << 20); digest = hashlib.sha256()\n"
        "with socket.create_connection(('count.test', 443)) as s:\n"
        "    for _ in range(200): s.sendall(data); digest.update(data)\n"
        "    s.shutdown(socket.SHUT_WR)\n"
        "    print(s.makefile().read() == digest.hexdigest())\n"
    )
    assert (ended.out, ended.error) == ("True\n", "")


def test_a_large_download_arrives_whole_at_a_slow_reader_and_memory_stays_small(stage: Stage) -> None:
    ended = stage.python(
        "digest = hashlib.sha256(); size = 0\n"
        "with socket.create_connection(('pour.test', 443)) as s:\n"
        "    time.sleep(1)\n"
        "    while data := s.recv(1 << 20): digest.update(data); size += len(data)\n"
        "whole = hashlib.sha256(bytes(range(256)) * 1024 * 800).hexdigest()\n"
        "status = open(f'/proc/{os.getppid()}/status').read()\n"
        "print(size, digest.hexdigest() == whole, int(status.split('VmHWM:')[1].split()[0]) < 40_000)\n"
    )
    assert (ended.out, ended.error) == (f"{200 * 2**20} True True\n", "")


def test_bytes_go_both_ways_at_once(stage: Stage) -> None:
    ended = stage.python(
        "data = os.urandom(1 << 20) * 64; back = bytearray()\n"
        "with socket.create_connection(('echo.test', 7)) as s:\n"
        "    sender = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR))); sender.start()\n"
        "    while piece := s.recv(1 << 20): back += piece\n"
        "    sender.join()\n"
        "print(back == data)\n"
    )
    assert (ended.out, ended.error) == ("True\n", "")


def test_an_early_answer_arrives_although_the_far_side_takes_no_more(stage: Stage) -> None:
    ended = stage.python(
        "with socket.create_connection(('early.test', 443)) as s:\n"
        "    s.sendall(b'x'); time.sleep(0.3)\n"
        "    print(s.recv(100).decode(), s.recv(100))\n"
    )
    assert (ended.out, ended.error) == ("enough b''\n", "")


def test_a_thousand_connections_at_once_all_work(stage: Stage) -> None:
    ended = stage.python(
        "held = [socket.create_connection(('echo.test', 7), timeout=30) for _ in range(1000)]\n"
        "for n, s in enumerate(held): s.sendall(b'%d\\n' % n)\n"
        "print(sum(s.makefile('rb').readline() == b'%d\\n' % n for n, s in enumerate(held)))\n"
    )
    assert (ended.out, ended.error) == ("1000\n", "")


def test_connections_beyond_the_limit_are_refused_and_later_ones_work_again(stage: Stage) -> None:
    ended = stage.python(
        "held = []; refused = 0\n"
        "def works(s):\n"
        "    s.sendall(b'x'); return s.recv(1) == b'x'\n"
        "for _ in range(4200):\n"
        "    try: held.append(socket.create_connection(('echo.test', 7), timeout=30))\n"
        "    except ConnectionResetError: refused += 1\n"
        "for s in held:\n"
        "    try: refused += not works(s)\n"
        "    except ConnectionResetError: refused += 1\n"
        "    except BrokenPipeError: refused += 1\n"
        "for s in held: s.close()\n"
        "for attempt in range(100):\n"
        "    try:\n"
        "        if works(socket.create_connection(('echo.test', 7), timeout=30)): break\n"
        "    except ConnectionError: time.sleep(0.2)\n"
        "else: sys.exit('never again')\n"
        "print(refused)\n"
    )
    assert (ended.out, ended.error) == (f"{4200 - (16384 // 2 - 256 - 32) // 2}\n", "")


def test_connections_close_when_the_gateway_dies_and_the_agent_lives_on(stage: Stage) -> None:
    script = (
        "held = [socket.create_connection(('echo.test', 7), timeout=30) for _ in range(20)]\n"
        "for s in held: s.sendall(b'x'); assert s.recv(1) == b'x'\n"
        "print('ready', flush=True)\n"
        "ends = []\n"
        "for s in held:\n"
        "    try: ends.append(s.recv(1))\n"
        "    except ConnectionResetError: ends.append(b'')\n"
        "print(ends == [b''] * 20, ask('new.test'), flush=True)\n"
        "try: print(socket.create_connection(('echo.test', 7), timeout=5).recv(1))\n"
        "except OSError as error: print(type(error).__name__)\n"
        "sys.exit(9)\n"
    )
    with stage.start("python3", "-c", PRELUDE + script) as started:
        started.go()
        first = next(started.output).data
        stage.gateway.die()
        ended = stage.ended(started)
    assert (first, ended.out.splitlines(), ended.code) == (
        b"ready\n",
        ["True (2, '')", "ConnectionResetError"],
        9,
    )


def test_a_silent_gateway_ends_in_a_server_failure_and_holds_nobody_else(stage: Stage) -> None:
    patient = PRELUDE.replace("timeout=5", "timeout=30")
    script = "print(ask('1.0.0.127.in-addr.arpa', 12), ask('no.test', 1, True))"
    with stage.start("python3", "-c", patient + script) as started:
        stage.gateway.silent = True
        started.go()
        assert stage.ended(started) == Ended("(3, '') (2, '')\n", "", 0)


@pytest.mark.parametrize("code", [0, 3, 255])
def test_the_agents_exit_code_is_kept(stage: Stage, code: int) -> None:
    assert stage.run("sh", "-c", f"exit {code}").code == code


def test_a_signal_that_ends_the_agent_is_told_as_usual(stage: Stage) -> None:
    assert stage.run("sh", "-c", "kill -9 $$").code == 137
    assert stage.run("/nothing/there").code == 127


def test_a_pipe_that_nobody_reads_ends_its_writer_as_it_does_elsewhere(stage: Stage) -> None:
    assert stage.run("sh", "-c", "yes | head -1") == Ended("y\n", "", 0)


def test_signals_are_passed_on_while_the_network_is_served(stage: Stage) -> None:
    with stage.start("sh", "-c", "trap 'echo bye; exit 4' TERM; echo ready; while :; do sleep 0.05; done") as started:
        started.go()
        assert next(started.output).data == b"ready\n"
        started.box.signal("SIGTERM")
        ended = stage.ended(started)
    assert (ended.out, ended.code) == ("bye\n", 4)


def test_nobody_inside_can_take_the_resolvers_or_a_names_port(stage: Stage) -> None:
    ended = stage.python(
        "ask('echo.test')\n"
        "for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):\n"
        "    for address in (('127.0.0.1', 53), ('0.0.0.0', 53), ('127.77.0.1', 7)):\n"
        "        with socket.socket(socket.AF_INET, kind) as s:\n"
        "            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
        "            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)\n"
        "            try: s.bind(address); kind == socket.SOCK_STREAM and s.listen(); print('taken', address)\n"
        "            except OSError as error: print(error.strerror)\n"
        "print(ask('no.test'))\n"
    )
    # UDP at a name's address is nobody's.
    expected = ["Address already in use"] * 2 + ["taken ('127.77.0.1', 7)"] + ["Address already in use"] * 3
    assert ended.out.splitlines() == [*expected, "(3, '')"]


def test_addresses_lead_nowhere(stage: Stage) -> None:
    ended = stage.python(
        "for family, address in ((2, '192.0.2.1'), (2, '198.51.100.7'), (10, '2001:db8::1')):\n"
        "    try: socket.socket(family).connect((address, 443)); print('reached')\n"
        "    except OSError as error: print(error.strerror)\n"
    )
    assert set(ended.out.splitlines()) <= {"Network is unreachable", "Cannot assign requested address"}
    assert len(ended.out.splitlines()) == 3


def test_garbage_at_port_53_and_on_the_gateways_socket_does_not_stop_the_network(stage: Stage) -> None:
    ended = stage.python(
        "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "for n in range(3000): u.sendto(os.urandom(n % 600), ('127.0.0.1', 53))\n"
        "many = [socket.create_connection(('127.0.0.1', 53)) for _ in range(400)]\n"
        "for n, s in enumerate(many):\n"
        "    try: s.sendall(os.urandom(n * 9))\n"
        "    except OSError: pass\n"
        "for s in many: s.close()\n"
        "print(ask('echo.test'), ask('echo.test', 1, True))\n"
    )
    assert (ended.out, ended.error, ended.code) == ("(0, '127.77.0.1') (0, '127.77.0.1')\n", "", 0)


def test_the_proof_names_the_canary_that_the_gateway_refused(stage: Stage) -> None:
    stage.run("true")
    canaries = [line for line in stage.gateway.lines if line.startswith("LOOKUP paddock-canary-")]
    assert len(canaries) == 2
    assert len(set(canaries)) == 1


def test_no_agent_starts_when_the_gateway_allows_the_canary(stage: Stage) -> None:
    stage.gateway.everything = True
    with pytest.raises(UnenforceableError, match=r"the gateway does not refuse paddock-canary-\w+\.invalid: PORTS 7,"):
        stage.run("touch", "/workspace/started")
    assert not (stage.folder / "workspace/started").exists()


def test_no_agent_starts_without_a_gateway(engine: DockerEngine, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="network inside the sandbox is not up: the gateway does not answer"):
        Stage(engine, tmp_path).run("true")


def test_a_limit_on_open_files_leaves_room_for_the_resolver(stage: Stage) -> None:
    spec = stage.spec(
        "python3",
        "-c",
        PRELUDE + "s = [socket.create_connection(('echo.test', 7)) for _ in range(450)]\n"
        "print(ask('www.example.test')[0], ask('no.test', 1, True)[0])",
    )
    spec = spec.model_copy(update={"limits": spec.limits.model_copy(update={"open_files": 1024})})
    with start_sandbox(stage.engine, spec, {}, stage.folder / "control", SystemClock()) as started:
        started.go()
        assert stage.ended(started) == Ended("0 3\n", "", 0)
