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
import ctypes
import json
import os
import signal
import socket
import sys
import time

FIRST = 1
"""The number of a sandbox's first process."""
OVER = b"paddock-over"
"""Its name from then on: by it whatever the host starts beside the agent knows that it comes too late."""
ALONE_SECONDS = 5.0
"""For what was killed to be gone."""
WORD_SECONDS = 60.0
MOST_SECONDS = 150.0
"""For the hand-over, all in all: the host hangs up earlier."""
PAUSE = 0.001
MAX_REQUEST = 64 * 1024 * 1024
PLACE = "/tmp"  # noqa: S108 - the sandbox's own, in memory
FILES = ("report.json", "changes.bundle")
OUT_OF_MEMORY = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
"""In cgroup v2 and v1: a line `oom_kill N`."""
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
PR_SET_DUMPABLE, PR_SET_NAME = 4, 15


class StoppedError(Exception):
    """The host wants the sandbox to end."""


def hand_over(control: socket.socket, collector: str, code: int) -> None:
    """Kill whoever is left, and have the work collected as the host asks; `code` is how the agent ended.

    Whatever fails, the host goes on alone, and the sandbox ends with the agent's code.
    """
    if os.getpid() != FIRST:
        return  # not in a sandbox: "everybody" would be the machine's
    with contextlib.suppress(Exception):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        for number in STOPPING:
            signal.signal(number, stop)
        prctl(PR_SET_NAME, OVER)
        if alone():
            control.settimeout(WORD_SECONDS)
            control.sendall(json.dumps({"ended": code, "killed_for_memory": killed_for_memory()}).encode() + b"\n")
            wait_for(start(control, collector))
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


def stop(_number: int, _frame: object) -> None:
    """The host has no patience left: end at once, with the agent's code."""
    raise StoppedError


def prctl(option: int, value: bytes | int) -> None:
    """See prctl(2)."""
    argument = ctypes.c_char_p(value) if isinstance(value, bytes) else ctypes.c_ulong(value)
    ctypes.CDLL(None).prctl(option, argument, ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))


def others() -> list[str]:
    """The numbers of all processes in the sandbox but the first."""
    return [name for name in os.listdir("/proc") if name.isdecimal() and name != str(FIRST)]


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
        if not others():
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


def take(control: socket.socket, folder: str) -> None:
    """Put the host's request where the collector finds it, and the index that comes with it.

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


def more(control: socket.socket) -> bytes:
    """What comes next. Raises when nothing does."""
    piece = control.recv(65536)
    if not piece:
        raise ConnectionError("the host has gone")
    return piece


def start(control: socket.socket, collector: str) -> int:
    """A child that does it all, and is the first to go when memory runs out; its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        folder = f"{PLACE}/paddock-{os.urandom(8).hex()}"  # goes with the sandbox
        become_the_collector()
        os.mkdir(folder, 0o700)
        take(control, folder)
        sys.path.insert(0, collector)
        code = int(__import__("collecting").main(["--in", folder, "--out", folder]))
        if code == 0 and others() == [str(os.getpid())]:
            send(control, folder)
    finally:
        os._exit(code)


def wait_for(child: int) -> None:
    """Wait for the child's end."""
    until = time.monotonic() + MOST_SECONDS
    while os.waitpid(-1, os.WNOHANG)[0] != child:
        left = until - time.monotonic()
        if left <= 0:
            return
        signal.sigtimedwait({signal.SIGCHLD}, left)


def become_the_collector() -> None:
    """Have nothing of the agent's environment, and nothing that goes into its log; see `start`."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.environ.clear()
    os.umask(0o022)
    os.chdir("/")
    prctl(PR_SET_DUMPABLE, 1)  # or the next file is root's
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")


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
