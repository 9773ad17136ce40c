"""The end of a sandbox whose agent ended by itself: what it left is collected here, before the sandbox goes.

The second use of the shim, loaded only then. Everybody inside is killed first; when the kernel lists nobody but us, the
host is told, and answers with its request. A child of ours then runs the collector, as the collector container would,
and what it wrote goes out through the connection on which the sandbox proved itself. Nothing of this has to succeed: a
host that gets nothing, or something with a flaw, collects in a container of its own.
"""

# Names are opened without pathlib, as in shim.py.
# ruff: noqa: PTH102, PTH116, PTH123, PTH208

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time

FIRST = 1
"""The number of a sandbox's first process."""
ALONE_SECONDS = 5.0
"""For what was killed to be gone."""
WORD_SECONDS = 60.0
SLACK = 1.0
"""The collector keeps to its seconds by itself; one that cannot is ended so much later."""
PAUSE = 0.001
MAX_REQUEST = 64 * 1024 * 1024
PLACE = "/tmp"  # noqa: S108 - the sandbox's own, in memory
FILES = ("report.json", "changes.bundle")
OUT_OF_MEMORY = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
"""In cgroup v2 and v1: a line `oom_kill N`."""


def hand_over(control: socket.socket, collector: str) -> None:
    """Kill whoever is left, and have the work collected as the host asks. Whatever fails, the host goes on alone."""
    if os.getpid() != FIRST:
        return  # not in a sandbox: "everybody" would be the machine's
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    with contextlib.suppress(Exception):
        if not alone():
            return
        control.settimeout(WORD_SECONDS)
        control.sendall(json.dumps({"ended": True, "killed_for_memory": killed_for_memory()}).encode() + b"\n")
        folder = f"{PLACE}/paddock-{os.urandom(8).hex()}"  # goes with the sandbox
        os.mkdir(folder, 0o700)
        if ran(collector, folder, take(control, folder) + SLACK):
            send(control, folder)


def alone() -> bool:
    """Kill everybody but ourselves, and say whether nobody is left.

    kill(-1) is one step for the kernel: it holds the list of processes meanwhile, and a fork waits or fails.
    """
    until = time.monotonic() + ALONE_SECONDS
    while True:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if [name for name in os.listdir("/proc") if name.isdecimal()] == [str(FIRST)]:
            return True
        if time.monotonic() > until:
            return False
        time.sleep(PAUSE)


def killed_for_memory() -> int | None:
    """How many processes the kernel has killed in this sandbox for want of memory; None where it does not say."""
    for path in OUT_OF_MEMORY:
        with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
            counts = dict(line.split() for line in file)
            return int(counts["oom_kill"]) if "oom_kill" in counts else None
    return None


def take(control: socket.socket, folder: str) -> float:
    """Put the host's request where the collector finds it, and the index that comes with it; the seconds that it has.

    A line of JSON, and as many bytes as it says. Raises when the host has gone, or wants nothing.
    """
    came = b""
    while b"\n" not in came:
        came += more(control)
        if len(came) > MAX_REQUEST:
            raise ConnectionError("the host's request has no end")
    line, _, rest = came.partition(b"\n")
    request = json.loads(line)
    with open(f"{folder}/collect.json", "wb") as file:
        file.write(line)
    if request["index"]:
        with open(f"{folder}/base.index", "wb") as file:
            file.write(rest)
            while file.tell() < request["index"]:
                file.write(more(control))
        os.utime(f"{folder}/base.index", ns=(0, request["index_changed"]))
    return float(request["seconds"])


def more(control: socket.socket) -> bytes:
    """What comes next. Raises when nothing does."""
    piece = control.recv(65536)
    if not piece:
        raise ConnectionError("the host has gone")
    return piece


def ran(collector: str, folder: str, seconds: float) -> bool:
    """Run the collector in a child; whether it ended well, and in time. Nobody is left after it either."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = run(collector, folder)
        finally:
            os._exit(code)
    until, status = time.monotonic() + seconds, None
    while status is None and time.monotonic() < until:
        pid, ended = os.waitpid(-1, os.WNOHANG)
        if pid == child:
            status = ended
        elif not pid:
            signal.sigtimedwait({signal.SIGCHLD}, until - time.monotonic())
    return alone() and status == 0


def run(collector: str, folder: str) -> int:
    """Be the collector: with nothing of the agent's environment, and nothing that goes into its log."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.environ.clear()
    os.umask(0o022)
    os.chdir("/")
    sys.path.insert(0, collector)
    main = __import__("collecting").main
    return int(main(["--in", folder, "--out", folder]))


def send(control: socket.socket, folder: str) -> None:
    """Both files, after a line with their sizes in bytes; -1 for one that there is not."""
    sizes = {}
    for name in FILES:
        sizes[name] = -1
        with contextlib.suppress(FileNotFoundError):
            sizes[name] = os.stat(f"{folder}/{name}").st_size
    control.sendall(json.dumps(sizes).encode() + b"\n")
    for name in FILES:
        if sizes[name] > 0:
            with open(f"{folder}/{name}", "rb") as file:
                control.sendfile(file)
