"""Runs in the background: begun, left alone, come back to, waited for, ended; no terminal or shell takes them down."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli import WORK, Done, Paddock, branches, finish, outside_of_paddock, show, under_way, until

pytestmark = pytest.mark.docker

HELD = f"{WORK}; printf '\\033[31mready\\n'; while [ ! -e go ]; do sleep 0.05; done; rm go; echo bye"
"""Works, and goes on until a file appears in its workspace."""


@pytest.fixture(autouse=True)
def _nothing_goes_on(paddock: Paddock) -> Iterator[None]:
    """Whatever is in the background ends with its test."""
    yield
    for row in json.loads(paddock.good("ps", "--json")):
        paddock("stop", row["id"], "--now")


def detach(paddock: Paddock, repo: Path, script: str, *options: str | Path) -> str:
    """The id of a run in the background whose agent is at work."""
    done = paddock("run", repo, "--detach", *options, "--", "sh", "-c", script)
    assert done.code == 0, done.err
    run = done.out.rstrip("\n")
    assert f"`paddock attach {run}` follows it" in done.err
    await_agent(paddock, run)
    return run


def await_agent(paddock: Paddock, run: str) -> None:
    """Wait until the agent is at work."""
    said = paddock.state / "runs" / run / "agent.log"
    until(lambda: said.exists() and "ready" in said.read_text())


def let_go(paddock: Paddock, run: str) -> None:
    """Let the agent come to its end."""
    (paddock.state / "runs" / run / "workspace/go").touch()


def test_a_run_in_the_background_is_begun_left_and_come_back_to(paddock: Paddock, repository: Path) -> None:
    before = outside_of_paddock(repository)
    run = detach(paddock, repository, f"{HELD}; exit 7")
    assert f"{run}  running:agent" in paddock.good("ps")
    with under_way(paddock.popen("attach", run)) as attached:
        assert attached.stdout is not None
        assert attached.stdout.readline() == "\x1b[31mready\n"
        let_go(paddock, run)
        done = finish(attached)

    assert (done.code, done.out) == (10, "bye\n")
    lines = [line.partition(" (")[0] for line in done.err.splitlines()]
    assert lines[0] == "paddock: workspace ready"
    assert lines.index("paddock: agent started") < lines.index("paddock: agent ended")
    assert "agent-failed  The agent ended with an exit code of its own." in lines
    assert show(repository, f"paddock/{run}", "committed") == "committed"
    assert outside_of_paddock(repository) == before
    again = paddock("attach", run)
    assert (again.code, again.out) == (10, "")
    assert "agent-failed" in again.err


def test_wait_waits_for_several_and_ends_with_the_first_failure(paddock: Paddock, repository: Path) -> None:
    runs = [detach(paddock, repository, f"{HELD}; exit {code}") for code in (0, 3)]
    late = paddock("wait", *runs, "--timeout", "200ms")
    assert (late.code, late.err.count("is still running")) == (124, 2)
    with under_way(paddock.popen("wait", *runs, "--json")) as waiting:
        for run in runs:
            let_go(paddock, run)
        done = finish(waiting)

    documents = [json.loads(line) for line in done.out.splitlines()]
    assert [(each["id"], each["outcome"]) for each in documents] == [(runs[0], "completed"), (runs[1], "agent-failed")]
    assert done.code == 10
    assert paddock.good("wait", runs[0]) == f"{runs[0]}: completed, paddock/{runs[0]}\n"
    assert sorted(branches(repository)) == sorted(f"paddock/{run}" for run in runs)


def test_stop_ends_a_run_in_the_background(paddock: Paddock, repository: Path) -> None:
    run = detach(paddock, repository, HELD)
    assert paddock.good("stop", run) == f"{run}: cancelled, paddock/{run}\n"
    assert paddock("wait", run).code == 130


def test_ctrl_c_leaves_what_it_was_attached_to_alone(paddock: Paddock, repository: Path) -> None:
    run = detach(paddock, repository, HELD)
    with under_way(paddock.popen("attach", run, "--tail", "1")) as attached:
        assert attached.stdout is not None
        assert attached.stdout.readline() == "\x1b[31mready\n"
        attached.send_signal(signal.SIGINT)
        done = finish(attached)
    assert (done.code, f"{run} goes on" in done.err) == (130, True)
    assert f"{run}  running:agent" in paddock.good("ps")
    let_go(paddock, run)
    assert paddock("wait", run).code == 0


def test_a_run_survives_the_terminal_and_the_shell_that_began_it(paddock: Paddock, repository: Path) -> None:
    argv = [sys.executable, "-m", "runner", "run", repository, "--detach", "--", "sh", "-c", HELD]
    done = in_a_terminal(paddock, f"{shlex.join(map(str, argv))}; echo code $?")
    run = paddock.only_run().name
    assert f"{run}\r\ncode 0" in done.out

    await_agent(paddock, run)
    let_go(paddock, run)
    assert paddock("wait", run, "--timeout", "60s").code == 0


def in_a_terminal(paddock: Paddock, line: str) -> Done:
    """A shell on a terminal that hangs up as soon as the shell has said a code."""
    main, terminal = pty.openpty()
    shell = subprocess.Popen(
        ["setsid", "--ctty", "bash", "-c", f"{line}; exec sleep 60"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=paddock.folder,
        env=paddock.environment(),
    )
    os.close(terminal)
    out = b""
    while b"code " not in out:
        out += os.read(main, 4096)
    os.close(main)  # the kernel sends SIGHUP to everything in the foreground
    return Done(shell.wait(20), out.decode(), "")


def test_a_terminal_shows_no_control_code_of_the_agent(paddock: Paddock, repository: Path) -> None:
    run = detach(paddock, repository, HELD)
    let_go(paddock, run)
    done = in_a_terminal(
        paddock, f"{shlex.join([sys.executable, '-m', 'runner', 'attach', run, '--tail', '9'])}; echo code $?"
    )
    assert "\\x1b[31mready" in done.out
    assert "\x1b[31mready" not in done.out


def test_new_and_continue_go_to_the_background_too(paddock: Paddock) -> None:
    paddock.variables |= {"GIT_AUTHOR_NAME": "User", "GIT_AUTHOR_EMAIL": "user@example.com"}
    first = paddock.good("new", "made", "a game", "--agent", "demo", "--detach", "--quiet").strip()
    assert paddock("wait", first).code == 0
    second = paddock.good("continue", first, "and a score", "--detach", "--quiet").strip()
    document = json.loads(paddock.good("wait", second, "--json"))
    assert (document["outcome"], document["continues"]) == ("no-changes", first)


def test_what_is_refused_begins_nothing(paddock: Paddock, repository: Path) -> None:
    done = paddock("run", repository, "--detach", "--policy", paddock.policy("[limits]\ncpus = 4000"), "--", "true")
    assert (done.code, done.out) == (30, "")
    assert "limits.cpus" in done.err
    assert not (paddock.state / "runs").exists()
