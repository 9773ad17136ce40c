"""A run in the background: a process of its own, which no terminal, shell or caller of the command can take down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.cli.background import refuse_views
from runner.errors import UsageError

ROOT = Path(__file__).parents[3]
PROGRAM = """
import json, os, sys, time
from pathlib import Path
from runner.cli.background import in_background
from runner.store.runs import RunPaths

paths = RunPaths(Path(sys.argv[1]))

def work(leave):
    print("before", file=sys.stderr, flush=True)
    {before}
    leave(paths)
    leave(paths)
    print("after", flush=True)
    print("trouble", file=sys.stderr, flush=True)
    (paths.directory / "child.json").write_text(json.dumps({{
        "pid": os.getpid(), "session": os.getsid(0), "open": sorted(map(int, os.listdir("/proc/self/fd"))),
        "targets": [os.readlink(f"/proc/self/fd/{{n}}") for n in range(3)],
    }}))
    while not (paths.directory / "end").exists():
        time.sleep(0.02)
    (paths.directory / "ended").touch()
    return 7

sys.exit(in_background(work, quiet={quiet}))
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Path]:
    """A run's directory; whatever works for it ends after the test."""
    folder = tmp_path / "a-run"
    folder.mkdir()
    yield folder
    (folder / "end").touch()


def start(run: Path, before: str = "pass", *, quiet: bool = False, keep: int | None = None) -> subprocess.Popen[str]:
    program = PROGRAM.format(before=before, quiet=quiet)
    return subprocess.Popen(
        [sys.executable, "-c", program, str(run)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        pass_fds=() if keep is None else (keep,),
        start_new_session=True,
    )


def appeared(path: Path) -> str:
    """What a file holds, as soon as it holds anything."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if path.exists() and (text := path.read_text()):
            return text
        time.sleep(0.02)
    raise AssertionError(f"{path.name} did not appear")


def gone(run: Path) -> None:
    """Let the child end, and see that it has."""
    (run / "end").touch()
    end = time.monotonic() + 20
    while not (run / "ended").exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_parent_says_the_run_and_ends_while_the_child_goes_on(run: Path) -> None:
    out, err = start(run).communicate(timeout=20)
    child = json.loads(appeared(run / "child.json"))

    assert out == "a-run\n", "the parent's pipes are closed: nothing of the child's could be waited for"
    assert err.startswith("before\npaddock: a-run goes on in the background; `paddock attach a-run` follows it")
    assert not (run / "ended").exists()
    assert child["session"] == child["pid"]
    assert child["targets"] == ["/dev/null", str(run / "console.log"), str(run / "console.log")]
    assert (run / "console.log").read_text() == "after\ntrouble\n"
    assert (run / "console.log").stat().st_mode & 0o777 == 0o600
    gone(run)


def test_an_input_that_the_caller_had_closed_does_no_harm(run: Path) -> None:
    program = PROGRAM.format(before="pass", quiet=True)
    argv = ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-c", program, str(run)]
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, env=variables, capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stdout) == (0, "a-run\n")
    assert json.loads(appeared(run / "child.json"))["targets"][0] == "/dev/null"
    gone(run)


def test_quiet_is_the_id_alone(run: Path) -> None:
    assert start(run, quiet=True).communicate(timeout=20) == ("a-run\n", "before\n")


def test_a_pipe_that_the_caller_left_open_is_not_held(run: Path) -> None:
    reading, writing = os.pipe()
    start(run, keep=writing).communicate(timeout=20)
    os.close(writing)
    assert os.read(reading, 1) == b""
    os.close(reading)
    assert not (run / "ended").exists()


def test_neither_hangup_nor_the_end_of_the_session_ends_it(run: Path) -> None:
    parent = start(run)
    parent.communicate(timeout=20)
    child = json.loads(appeared(run / "child.json"))
    os.kill(child["pid"], signal.SIGHUP)
    with pytest.raises(ProcessLookupError):
        os.killpg(parent.pid, signal.SIGKILL)
    time.sleep(0.2)
    assert not (run / "ended").exists()
    gone(run)


@pytest.mark.parametrize(
    ("before", "code"), [("sys.exit(30)", 30), ("return 2", 2), ("os.kill(os.getpid(), 9)", 137), ("1 / 0", 1)]
)
def test_without_a_run_the_command_ends_as_the_work_did(before: str, code: int, run: Path) -> None:
    parent = start(run, before)
    out, err = parent.communicate(timeout=20)
    assert (parent.returncode, out) == (code, "")
    assert err.startswith("before\n")
    assert not (run / "console.log").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_there_is_a_run_is_handed_on(number: int, run: Path) -> None:
    parent = start(run, 'Path(sys.argv[1], "there").write_text("x"); time.sleep(60)')
    appeared(run / "there")
    parent.send_signal(number)
    parent.communicate(timeout=20)
    assert parent.returncode == 128 + signal.SIGTERM


def test_a_console_that_cannot_be_written_ends_no_run(run: Path) -> None:
    (run / "console.log").mkdir()
    assert start(run).communicate(timeout=20)[0] == "a-run\n"
    child = json.loads(appeared(run / "child.json"))
    assert child["targets"] == ["/dev/null"] * 3
    gone(run)


@pytest.mark.parametrize("option", ["json", "raw"])
def test_options_that_would_say_nothing_are_refused(option: str) -> None:
    with pytest.raises(UsageError, match=f"--{option} says nothing"):
        refuse_views(**{"json": False, "raw": False, option: True})
    refuse_views(json=False, raw=False)
