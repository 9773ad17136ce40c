"""The one door to git on the host: an argv list, an environment made from nothing, a deadline for the whole group.

git runs here on repositories of two kinds only: those that Paddock made, and the user's own (as its owner). Never in
a directory that an agent could write: no setting closes that (promise 1).
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from runner.errors import GitError
from runner.escape import escape_text
from runner.model.identity import Identity

MIB = 1024 * 1024
SAFE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STDERR_KEPT = 64 * 1024
CHUNK = 64 * 1024

BASE_ENVIRONMENT = {
    "PATH": SAFE_PATH,
    "LC_ALL": "C",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    # The environment beats a repository's protocol.ext.allow, which `-c protocol.allow=never` does not.
    "GIT_ALLOW_PROTOCOL": "file",
}

SETTINGS = (
    "core.hooksPath=/dev/null",
    # Hooks by configuration (git 2.54) do not care for core.hooksPath.
    "hook.reference-transaction.enabled=false",
    "hook.post-index-change.enabled=false",
    "core.fsmonitor=false",
    "submodule.recurse=false",
    "core.quotePath=true",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessLimits:
    """What the kernel lets one git process use, in bytes; None is unlimited."""

    memory: int | None = None
    """Private writable memory. A delta of a few bytes can ask for gigabytes."""
    file_size: int | None = None

    def prefix(self) -> list[str]:
        """Words before the command that hold it to this. The shell sets them before git begins: no race to win."""
        wanted = (("d", resource.RLIMIT_DATA, self.memory, 1024), ("f", resource.RLIMIT_FSIZE, self.file_size, 512))
        words = [f"ulimit -{flag} {_lower(kind, size) // unit}" for flag, kind, size, unit in wanted if size]
        return ["sh", "-c", " && ".join([*words, 'exec "$@"']), "sh"] if words else []


def _lower(kind: int, size: int) -> int:
    """What we want, or the hard limit that we are under already: nobody can raise that."""
    hard = resource.getrlimit(kind)[1]
    return size if hard == resource.RLIM_INFINITY else min(size, hard)


NO_LIMITS = ProcessLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class GitCommand:
    """One git process, fully decided."""

    argv: tuple[str, ...]
    """Everything after `git` and our own options: `("rev-parse", "HEAD")`."""
    git_dir: Path | None = None
    work_tree: Path | None = None
    stdin: bytes | int | None = None
    """Bytes, or an open descriptor from whose offset git reads on; None is the empty input."""
    stdout: int | None = None
    """An open descriptor to write to instead of keeping the output."""
    environment: Mapping[str, str] = field(default_factory=dict)
    user: Identity | None = None
    limits: ProcessLimits = NO_LIMITS

    def line(self) -> list[str]:
        """The argv that is started."""
        settings = [word for setting in SETTINGS for word in ("-c", setting)]
        places = [f"--git-dir={self.git_dir}"] if self.git_dir else []
        places += [f"--work-tree={self.work_tree}"] if self.work_tree else []
        return [*self.limits.prefix(), "git", "--no-pager", *settings, *places, *self.argv]


@dataclass(frozen=True, slots=True)
class GitOutput:
    """What one git process said; `stderr` is escaped text."""

    exit_code: int
    stdout: bytes
    stderr: str


class GitOverflowError(GitError):
    """git said more than was allowed, or ran into a limit of its process."""


def run_git(  # noqa: PLR0913 - each is a word of its own at the call
    argv: Sequence[str],
    *,
    git_dir: Path | None = None,
    work_tree: Path | None = None,
    stdin: bytes | int | None = None,
    stdout: int | None = None,
    environment: Mapping[str, str] | None = None,
    user: Identity | None = None,
    limits: ProcessLimits = NO_LIMITS,
    deadline: float = 60.0,
    max_output: int = 64 * MIB,
    check: bool = True,
) -> GitOutput:
    """Run git and wait at most `deadline` seconds for its end and for the end of all that it started.

    Raises GitError when git cannot be started, passes the deadline, or (with `check`) ends with anything but 0;
    GitOverflowError when it writes more than `max_output` bytes. Nothing of it runs on after an error.
    """
    command = GitCommand(
        argv=tuple(argv),
        git_dir=git_dir,
        work_tree=work_tree,
        stdin=stdin,
        stdout=stdout,
        environment=environment or {},
        user=user,
        limits=limits,
    )
    with _Running(command) as running:
        _pump([running], time.monotonic() + deadline, max_output)
        return running.result(check=check)


def pipe_git(producer: GitCommand, consumer: GitCommand, *, deadline: float = 60.0) -> GitOutput:
    """Connect two git processes by a pipe of the kernel's; both must end with 0. Returns the consumer's output.

    Raises GitError as `run_git` does; the producer's failure is the one that is told, since it is the cause.
    """
    read_end, write_end = os.pipe()
    with contextlib.ExitStack() as stack:
        ends = stack.enter_context(contextlib.ExitStack())
        ends.callback(os.close, read_end)
        ends.callback(os.close, write_end)
        receiving = stack.enter_context(_Running(consumer, stdin=read_end))
        sending = stack.enter_context(_Running(producer, stdout=write_end))
        ends.close()  # ours; else the consumer would never see the end of its input
        _pump([sending, receiving], time.monotonic() + deadline, MIB)
        sending.result(check=True)
        return receiving.result(check=True)


def git_version() -> tuple[int, ...]:
    """The version of the host's git, like `(2, 39, 5)`; raises GitError when there is none."""
    said = run_git(["version"], deadline=10.0).stdout.decode("ascii", "replace")
    numbers = re.search(r"(\d+(?:\.\d+)+)", said)
    if numbers is None:
        raise GitError(f"git does not tell its version: {escape_text(said.strip())}")
    return tuple(int(number) for number in numbers[1].split("."))


class _Running:
    """A started git process and what it has said so far; the end of the scope is the end of its process group."""

    def __init__(self, command: GitCommand, *, stdin: int | None = None, stdout: int | None = None) -> None:
        self.command = command
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._source = stdin if stdin is not None else command.stdin
        self._sink = stdout if stdout is not None else command.stdout
        self.unsent = memoryview(self._source if isinstance(self._source, bytes) else b"")
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> _Running:
        user = self.command.user if os.geteuid() == 0 else None
        source = self._source
        try:
            self.process = subprocess.Popen(
                self.command.line(),
                stdin=source if isinstance(source, int) else subprocess.PIPE if source else subprocess.DEVNULL,
                stdout=subprocess.PIPE if self._sink is None else self._sink,
                stderr=subprocess.PIPE,
                env={**BASE_ENVIRONMENT, **self.command.environment},
                cwd="/",
                start_new_session=True,
                user=user.uid if user else None,
                group=user.gid if user else None,
                extra_groups=() if user else None,
            )
        except OSError as error:
            raise GitError(f"git cannot be started: {error.strerror}", hint="install git 2.34 or newer") from error
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.returncode is None:  # not reaped, so the group's id is still ours
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def result(self, *, check: bool) -> GitOutput:
        """What it said; raises GitError for a failure under `check`."""
        code = self.process.returncode
        output = GitOutput(code, bytes(self.stdout), escape_text(bytes(self.stderr), newline=True).strip())
        if code in (-signal.SIGXFSZ, 128 + signal.SIGXFSZ):  # git's own, or a child's that it passes on
            raise GitOverflowError(f"git {self.command.argv[0]} wrote a larger file than it may")
        if check and code != 0:
            raise GitError(f"git {self.command.argv[0]} failed ({code}): {_last_lines(output.stderr)}")
        return output


def _pump(group: list[_Running], until: float, max_output: int) -> None:
    """Feed and read every process of `group` until all have ended; raises GitError at `until` (monotonic)."""
    with selectors.DefaultSelector() as selector:
        for running in group:
            _register(selector, running)
        while selector.get_map():
            ready = selector.select(max(0.0, until - time.monotonic()))
            for key, _ in ready:
                if not key.data(key.fileobj):
                    selector.unregister(key.fileobj)
            if any(len(running.stdout) > max_output for running in group):
                raise GitOverflowError(f"git {group[0].command.argv[0]} said more than {max_output} bytes")
            if not ready and time.monotonic() >= until:
                raise _deadline(group)
    for running in group:
        try:
            running.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise _deadline(group) from None


def _register(selector: selectors.BaseSelector, running: _Running) -> None:
    process = running.process

    def send(stream: IO[bytes]) -> bool:
        try:
            sent = os.write(stream.fileno(), running.unsent[:CHUNK])
        except BlockingIOError:
            return True
        except BrokenPipeError:  # it has seen enough; its exit code tells whether that was right
            sent = len(running.unsent)
        running.unsent = running.unsent[sent:]
        if not running.unsent:
            stream.close()
        return bool(running.unsent)

    def receive(stream: IO[bytes]) -> bool:
        chunk = os.read(stream.fileno(), CHUNK)
        running.stdout += chunk
        return bool(chunk)

    def listen(stream: IO[bytes]) -> bool:
        chunk = os.read(stream.fileno(), CHUNK)
        running.stderr += chunk
        del running.stderr[:-STDERR_KEPT]
        return bool(chunk)

    if process.stdin is not None:
        os.set_blocking(process.stdin.fileno(), False)
        selector.register(process.stdin, selectors.EVENT_WRITE, send)
    if process.stdout is not None:
        selector.register(process.stdout, selectors.EVENT_READ, receive)
    if process.stderr is not None:
        selector.register(process.stderr, selectors.EVENT_READ, listen)


def _deadline(group: list[_Running]) -> GitError:
    return GitError(f"git {group[0].command.argv[0]} passed its deadline and was killed")


def _last_lines(stderr: str, count: int = 4) -> str:
    lines = [line.strip()[:500] for line in stderr.splitlines() if line.strip()]
    return " | ".join(lines[-count:]) or "it said nothing"
