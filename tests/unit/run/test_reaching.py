"""What `forward`, `exec` and `shell` decide before they reach in."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import PaddockError, RunNotFoundError, UsageError
from runner.model.quantities import Bytes
from runner.model.spec import Mount, Tmpfs
from runner.run.execute import run_task
from runner.run.reaching import DEFAULT_PATH, parse_ports, reach, safe_folders, stable_port
from runner.sandbox.fake import FakeBox
from runner.sandbox.fake_exec import FakeInside
from runner.store.ledger import RUNNING, Ledger, RunRow
from runner.store.runs import run_paths
from tests.unit.run.fake_host import FakeHost
from tests.unit.sandbox.specs import spec_for


@pytest.mark.parametrize(
    ("text", "ports"), [("8000", (8000, None)), ("8000:9000", (8000, 9000)), ("1:65535", (1, 65535))]
)
def test_ports_are_read(text: str, ports: tuple[int, int | None]) -> None:
    assert parse_ports(text) == ports


@pytest.mark.parametrize(
    "text", ["", "0", "65536", "a", "8000:", ":9000", "1:2:3", "-1", "+1", " 1", "\u0661", "1" * 9]
)
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_ports(text)


@given(st.text())
def test_ports_are_read_or_refused_and_nothing_else(text: str) -> None:
    try:
        ports = parse_ports(text)
    except PaddockError:
        return
    assert all(1 <= port <= 65535 for port in ports if port is not None)


def test_a_run_of_that_name_has_always_the_same_port() -> None:
    assert stable_port("preview", 8000) == stable_port("preview", 8000) == 22_026
    names = [stable_port(f"run-{number}", 8000) for number in range(50)]
    assert len(set(names)) > 45
    assert all(20_000 <= port < 40_000 for port in names)


def test_folders_that_the_agent_can_write_are_not_searched_for_our_python() -> None:
    spec = spec_for().model_copy(
        update={
            "mounts": (Mount(source="/w", target="/workspace", mode="rw"), Mount(source="/r", target="/read")),
            "tmpfs": (Tmpfs(target="/home/agent", size=Bytes(1)),),
        }
    )
    path = "/workspace/bin:/home/agent/.local/bin:/read/bin:bin::/usr/../workspace/bin:/usr/bin"

    assert safe_folders(path, spec) == "/read/bin:/usr/bin"
    assert safe_folders("/workspace/bin:.", spec) == DEFAULT_PATH


@pytest.fixture
def fake(tmp_path: Path) -> FakeHost:
    """A host with the fake engine."""
    return FakeHost(tmp_path)


def only_row(fake: FakeHost) -> RunRow:
    """The one run that there is."""
    with Ledger(fake.host().ledger) as ledger:
        (row,) = ledger.list()
    return row


def test_a_program_beside_the_agent_is_started_through_the_shim(fake: FakeHost) -> None:
    begun, seen = threading.Event(), threading.Event()

    def agent(_box: FakeBox) -> int:
        begun.set()
        return 0 if seen.wait(20) else 1

    def beside(inside: FakeInside) -> int:
        inside.print(" ".join(inside.argv).encode() + b"\n" + inside.environment["PATH"].encode())
        return 4

    fake.engine.beside["python3"] = beside
    results = []
    thread = threading.Thread(target=lambda: results.append(run_task(fake.task(agent), fake.host())))
    thread.start()
    assert begun.wait(20)
    row = only_row(fake)
    inside = reach(row, run_paths(fake.state, row.id), fake.engine).start(("ls", "-l"))
    said = b"".join(piece.data for piece in inside.output())
    code = inside.exit_code()
    seen.set()
    thread.join(20)

    shim = f"python3 -I -S -B /paddock/inside/first.py --exec --path {DEFAULT_PATH} -- ls -l\n{DEFAULT_PATH}"
    assert (said.decode(), code, results[0].agent_exit_code) == (shim, 4, 0)


def test_a_run_that_is_over_is_refused_in_words(fake: FakeHost) -> None:
    result = run_task(fake.task(), fake.host())
    row = only_row(fake)

    with pytest.raises(RunNotFoundError, match="is over: no-changes"):
        reach(row, run_paths(fake.state, result.id), fake.engine)


def test_a_run_whose_agent_has_not_begun_is_refused_in_words(fake: FakeHost) -> None:
    result = run_task(fake.task(), fake.host())
    row = only_row(fake)._replace(state=RUNNING, phase="workspace")

    with pytest.raises(RunNotFoundError, match="in its phase 'workspace'"):
        reach(row, run_paths(fake.state, result.id), fake.engine)
