"""The first program in a sandbox: shows the host what the kernel really applied, then starts the agent.

Standard library only, mounted read-only into every image, and started by `first.py`. Before anything of the agent
runs, it reads its own limits, capabilities and network from the kernel and sends them to the host
over a Unix socket; the host answers `go` only when all is as the spec says. It then starts the
agent as its child, passes signals on, and ends with the agent's exit code; at the deadline it ends everything,
whether or not anybody on the host still looks. Started, as the sandbox's process 1, as

    python3 -I -S first.py CONTROL_SOCKET [--gateway GATEWAY_SOCKET] [--collector FOLDER] [--deadline SECONDS]
        -- COMMAND [ARGS...]

and, for what the host starts beside the agent, under the same filter as the agent, as

    python3 -I -S first.py --exec [--path PATH] -- COMMAND [ARGS...]

With a gateway it is the sandbox's whole network too: that half lies beside it, in `shim_network.py`, so that a sandbox
without a network need not load it. With a collector it has the work collected when the agent has ended by itself:
that is `shim_collect.py`.
"""

# Names are opened without pathlib, whose import would cost half of the time until the agent starts.
# ruff: noqa: PTH112, PTH123, PTH208

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import resource
import signal
import socket
import struct
import sys
import time

TYPE_CHECKING = False  # as in typing, whose import costs milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

OUT_OF_TIME = 124
"""The deadline has passed, as timeout(1) says it."""
NOT_CONFIRMED = 125
NOT_EXECUTABLE = 126
OVER = "paddock-over\n"
"""The first process's name once it hands the work over."""
NOT_FOUND = 127
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
ASKED: list[int] = []
"""The signals that were passed on: an agent that ends after one has not ended by itself."""
HANDSHAKE_SECONDS = 60
POLITE_SECONDS = 5.0
"""What a deadline gives the agent to end in its own way."""
FOR_EVER = float("inf")
MOST_WAIT = 86_400.0
"""One wait of the kernel's; it takes no infinity."""
USAGE = (
    "first.py CONTROL_SOCKET [--gateway GATEWAY_SOCKET] [--collector FOLDER] [--deadline SECONDS] -- COMMAND [ARGS...]"
)
PR_SET_DUMPABLE = 4
IO_URING_SETUP = 425
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
"""Where they stand in `struct seccomp_data`; of an argument, the low half on every machine that we know."""
LOAD, AND, IF_EQUAL, IF_GREATER, IF_AT_LEAST, RETURN = 0x20, 0x54, 0x15, 0x25, 0x35, 0x06
REFUSE, ALLOW = 0x00050000, 0x7FFF0000
NOT_X32 = 0xBFFFFFFF
"""x32 has the same numbers with bit 30 set."""
AF_VSOCK = 40
FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK."""
I386 = 0x40000003
SOCKET = ((0xC000003E, 41), (I386, 359), (0xC00000B7, 198), (0x40000028, 281), (0xC00000F3, 198))
"""Architecture and number of socket(2): x86-64, i386, ARM 64 and 32, RISC-V."""
SECOND_ARGUMENT = 24
FALLOCATE = ((0xC000003E, 285), (I386, 324), (0xC00000B7, 47), (0x40000028, 352), (0xC00000F3, 47))
KEEPS_OR_GIVES_BACK = (0x03, 0x08)
"""FALLOC_FL_PUNCH_HOLE with FALLOC_FL_KEEP_SIZE, and FALLOC_FL_COLLAPSE_RANGE."""
IOCTL = ((0xC000003E, 16), (I386, 54), (0xC00000B7, 29), (0x40000028, 54), (0xC00000F3, 29))
RESERVES = (0x40305828, 0x4030582A, 0x40305839, 0x402C5828, 0x402C582A, 0x402C5839, 0x4030580A, 0x40305824, 0x401C5820)
"""FS_IOC_RESVSP, _RESVSP64, _ZERO_RANGE and these for 32 bits, XFS_IOC_ALLOCSP, _ALLOCSP64, FS_IOC_FSSETXATTR."""
I386_SOCKETCALL = 102
"""Its arguments lie in memory, where no filter sees them."""


def read(path: str) -> str | None:
    """A kernel file as text, or None where it does not exist."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def first_of(*paths: str) -> str | None:
    """The first of several kernel files that exists, stripped: cgroup v2 and v1 name theirs differently."""
    for path in paths:
        text = read(path)
        if text is not None:
            return text.strip()
    return None


def interfaces_up() -> list[str]:
    """Names of the network interfaces that are up."""
    names = []
    for name in os.listdir("/sys/class/net") if os.path.isdir("/sys/class/net") else []:
        flags = read(f"/sys/class/net/{name}/flags")
        if flags is not None and int(flags, 16) & 1:
            names.append(name)
    return sorted(names)


def routes() -> list[str]:
    """Interfaces, other than lo, that some IPv4 or IPv6 route leads to."""
    v4 = [line.split()[0] for line in (read("/proc/net/route") or "").splitlines()[1:] if line.strip()]
    v6 = [line.split()[-1] for line in (read("/proc/net/ipv6_route") or "").splitlines() if line.strip()]
    return sorted({name for name in v4 + v6 if name != "lo"})


def mounts() -> dict[str, list[str]]:
    """Mount point -> options, as the kernel lists them."""
    found: dict[str, list[str]] = {}
    for line in (read("/proc/self/mountinfo") or "").splitlines():
        fields = line.split()
        found[fields[4]] = fields[5].split(",")
    return found


def places(points: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Mount point -> device and inode of what is mounted there: on one kernel, the same as outside."""
    found = {}
    for point in points:
        with contextlib.suppress(OSError):
            stat = os.stat(point)  # noqa: PTH116
            found[point] = stat.st_dev, stat.st_ino
    return found


def proof() -> dict[str, object]:
    """What the kernel holds this process to; what the network's self-test says is added by whoever has one."""
    lines = (read("/proc/self/status") or "").splitlines()
    status = {key: value for key, _, value in (line.partition(":\t") for line in lines)}
    wanted = ("Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    cgroup = "/sys/fs/cgroup"
    mounted = mounts()
    return {
        "status": {key: status.get(key, "").split() for key in wanted},
        "interfaces": interfaces_up(),
        "routes": routes(),
        "mounts": mounted,
        "places": places(mounted),
        "cgroup": {
            "memory": first_of(f"{cgroup}/memory.max", f"{cgroup}/memory/memory.limit_in_bytes"),
            "swap": first_of(f"{cgroup}/memory.swap.max", f"{cgroup}/memory/memory.memsw.limit_in_bytes"),
            "pids": first_of(f"{cgroup}/pids.max", f"{cgroup}/pids/pids.max"),
            "cpu": first_of(f"{cgroup}/cpu.max", f"{cgroup}/cpu/cpu.cfs_quota_us"),
            "period": first_of(f"{cgroup}/cpu/cpu.cfs_period_us"),
        },
        "rlimits": {
            "core": resource.getrlimit(resource.RLIMIT_CORE),
            "fsize": resource.getrlimit(resource.RLIMIT_FSIZE),
            "nofile": resource.getrlimit(resource.RLIMIT_NOFILE),
        },
        "network": None,
        "kernel": os.uname().version,
    }


def call_filter() -> list[tuple[int, int, int, int]]:
    """Classic BPF (code, jump if true, jump if false, operand) against io_uring, unusual address families, hoarding.

    Docker's profile allows io_uring before version 25 (moby pull request 46762), and it is where most of the kernel's
    recent escapes were; its three calls have the same numbers everywhere. AF_VSOCK, which the profile allows before
    version 23, knows no network namespace: it leads from a virtual machine to its host.
    """
    lines = [
        (LOAD, 0, 0, NUMBER),
        (AND, 0, 0, NOT_X32),
        (IF_AT_LEAST, 0, 2, IO_URING_SETUP),
        (IF_GREATER, 1, 0, IO_URING_SETUP + 2),
        (RETURN, 0, 0, REFUSE | errno.EPERM),
        (LOAD, 0, 0, ARCHITECTURE),
        (IF_EQUAL, 0, 3, I386),
        (LOAD, 0, 0, NUMBER),
        (IF_EQUAL, 0, 1, I386_SOCKETCALL),
        (RETURN, 0, 0, REFUSE | errno.EPERM),
    ]
    count = len(FAMILIES)
    for architecture, number in SOCKET:
        lines += [(LOAD, 0, 0, ARCHITECTURE), (IF_EQUAL, 0, 5 + count, architecture)]
        lines += [(LOAD, 0, 0, NUMBER), (AND, 0, 0, NOT_X32), (IF_EQUAL, 0, 2 + count, number)]
        lines += [(LOAD, 0, 0, FIRST_ARGUMENT)]
        lines += [(IF_EQUAL, count - index, 0, family) for index, family in enumerate(FAMILIES)]
        lines += [(RETURN, 0, 0, REFUSE | errno.EAFNOSUPPORT)]
    return [*lines, *reservations(), (RETURN, 0, 0, ALLOW)]


def reservations() -> list[tuple[int, int, int, int]]:
    """Filter lines against calls that take disk faster than anything can be written: a terabyte a second.

    No walk and no look at the free space is quick enough for that. Many file systems lack these calls, so programs
    go on without them; one that has to will write instead. FS_IOC_FSSETXATTR can make one byte take gigabytes (XFS).
    """
    lines = []
    for calls, values, on_a_match in ((FALLOCATE, KEEPS_OR_GIVES_BACK, 0), (IOCTL, RESERVES, 1)):
        for architecture, number in calls:
            count = len(values)
            rest = [(IF_EQUAL, count - index - on_a_match, 0, value) for index, value in enumerate(values)]
            # A value that is not listed falls through: to the refusal for fallocate, over it for ioctl.
            rest[-1] = (IF_EQUAL, 1 - on_a_match, on_a_match, values[-1])
            lines += [(LOAD, 0, 0, ARCHITECTURE), (IF_EQUAL, 0, 5 + count, architecture)]
            lines += [(LOAD, 0, 0, NUMBER), (AND, 0, 0, NOT_X32), (IF_EQUAL, 0, 2 + count, number)]
            lines += [(LOAD, 0, 0, SECOND_ARGUMENT), *rest, (RETURN, 0, 0, REFUSE | errno.EOPNOTSUPP)]
    return lines


def close_calls() -> bool:
    """Add `call_filter` to the engine's own filter, and try whether it holds. A kernel without these is as good."""
    lines = call_filter()
    libc = ctypes.CDLL(None, use_errno=True)
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    # struct sock_fprog { unsigned short len; struct sock_filter *filter; }
    header = struct.pack("@HP", len(lines), ctypes.addressof(program))
    libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), ctypes.c_char_p(header), 0, 0)
    if libc.syscall(ctypes.c_long(IO_URING_SETUP), ctypes.c_long(0), None) != -1:
        return False
    if ctypes.get_errno() not in {errno.EPERM, errno.ENOSYS} or can_open(AF_VSOCK):
        return False
    return libc.fallocate(-1, 0, ctypes.c_long(0), ctypes.c_long(1)) == -1 and ctypes.get_errno() == errno.EOPNOTSUPP


def can_open(family: int) -> bool:
    """Whether there are sockets of that family."""
    try:
        socket.socket(family, socket.SOCK_STREAM).close()
    except OSError as error:
        return error.errno != errno.EAFNOSUPPORT
    return True


def confirmed(control: socket.socket, path: str, evidence: dict[str, object]) -> bool:
    """Whether the host, shown the proof, lets the agent start."""
    control.settimeout(HANDSHAKE_SECONDS)
    try:
        control.connect(path)
        control.sendall(json.dumps(evidence).encode() + b"\n")
        return control.recv(16) == b"go\n"
    except OSError as error:
        print(f"paddock: no word from the host: {error}", file=sys.stderr)  # noqa: T201
        return False


def start(argv: list[str]) -> int:
    """Start the agent in a session of its own, standard input closed; the child's id."""
    child = os.fork()
    if child:
        return child
    os.setsid()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and the agent's programs would inherit that
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os._exit(become(argv))


def become(argv: list[str]) -> int:
    """Be that command from here on; the exit code for the caller when it cannot be."""
    try:
        os.execvp(argv[0], argv)
    except FileNotFoundError:
        code, why = NOT_FOUND, "command not found"
    except OSError as error:
        code, why = NOT_EXECUTABLE, str(error.strerror)
    print(f"paddock: {argv[0]}: {why}", file=sys.stderr)  # noqa: T201
    sys.stderr.flush()
    return code


def beside_the_agent(argv: list[str]) -> int:
    """`--exec`: be a command that the host starts, held to what the agent is held to."""
    separator = argv.index("--")
    if separator not in {1, 3} or argv[1] not in {"--", "--path"} or not argv[separator + 1 :]:
        raise ValueError("usage: first.py --exec [--path PATH] -- COMMAND [ARGS...]")
    if read("/proc/1/comm") == OVER:
        print("paddock: the agent has ended", file=sys.stderr)  # noqa: T201
        return NOT_CONFIRMED
    if not close_calls():
        print("paddock: io_uring, AF_VSOCK and fallocate cannot be closed in this sandbox", file=sys.stderr)  # noqa: T201
        return NOT_CONFIRMED
    if separator == 3:
        # We were looked up in the folders that the agent cannot write; the command is looked up as the agent's are.
        os.environ["PATH"] = argv[2]
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    return become(argv[separator + 1 :])


def hide() -> None:
    """Nobody of our own user may trace this process or write to its memory: it holds the deadline."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))


def forward_to(child: int) -> None:
    """Pass every polite signal on to the agent and all its children."""

    def forward(number: int, _frame: object) -> None:
        ASKED.append(number)
        # Between fork and setsid the group does not exist yet; the child itself does.
        for send in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError):
                send(child, number)
                return

    for number in FORWARDED:
        signal.signal(number, forward)


def parse_arguments(argv: list[str]) -> tuple[str, str, str, float, list[str]]:
    """The control socket, the gateway's or "", the collector's folder or "", the agent's seconds, and the command."""
    separator = argv.index("--")
    control, *rest = argv[:separator]
    options = dict(zip(rest[::2], rest[1::2], strict=False))
    if len(rest) % 2 or not options.keys() <= {"--gateway", "--collector", "--deadline"}:
        raise ValueError(f"usage: {USAGE}")
    seconds = float(options.get("--deadline", FOR_EVER))
    return control, options.get("--gateway", ""), options.get("--collector", ""), seconds, argv[separator + 1 :]


def half(name: str) -> Any:
    """Another part of this program, which lies beside it: `first.py` has Python look there."""
    return __import__(name)


def ended(child: int) -> int | None:
    """The status of the child, once it has ended. Orphans that are ours, as process 1, are buried on the way."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in {0, child}:
            return status if pid else None


def wait_for(child: int, seconds: float) -> int | None:
    """Wait at most that long for the child's end; its status, or None."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    until = time.monotonic() + seconds
    while (status := ended(child)) is None:
        left = until - time.monotonic()
        if left <= 0:
            return None
        signal.sigtimedwait({signal.SIGCHLD}, min(left, MOST_WAIT))
    return status


def see_out(child: int, seconds: float, wait: Callable[[int, float], int | None]) -> tuple[int, bool]:
    """Wait for the agent's end; at the deadline bring it about. The exit code, and whether there was an end by itself.

    Our own end, as process 1, kills whoever is left.
    """
    status = wait(child, seconds)
    if status is not None:
        return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), True
    print("paddock: the wall-clock limit is reached and nobody has ended this sandbox", file=sys.stderr, flush=True)  # noqa: T201
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGTERM)  # everybody but ourselves
    wait(child, POLITE_SECONDS)
    return OUT_OF_TIME, False


def main(argv: list[str]) -> int:
    """Prove, start, serve and wait; the exit code is the agent's, 128 + n when signal n ended it."""
    if argv[:1] == ["--exec"]:
        return beside_the_agent(argv)
    path, gateway, collector, seconds, command = parse_arguments(argv)
    evidence = proof()  # before a filter of our own could pass for the engine's
    if not close_calls():
        print("paddock: io_uring, AF_VSOCK and fallocate cannot be closed in this sandbox", file=sys.stderr)  # noqa: T201
        return NOT_CONFIRMED
    network = half("shim_network").Network(gateway) if gateway else None
    evidence["network"] = network.self_test() if network else None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        if not confirmed(control, path, evidence):
            return NOT_CONFIRMED
        hide()
        signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
        child = start(command)
        forward_to(child)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if network:
            network.watch_for(ended)

        code, ended_by_itself = see_out(child, seconds, network.serve if network else wait_for)
        if collector and ended_by_itself and not ASKED:
            with contextlib.suppress(Exception):
                half("shim_collect").hand_over(control, collector, code)
        return code
