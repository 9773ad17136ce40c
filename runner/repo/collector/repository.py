"""A bare repository of ours, and the one door to git."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Sequence
from subprocess import PIPE, Popen, TimeoutExpired
from typing import IO

from questions import KEPT_STDERR, Questions, StepError
from request import Places, Request

TREE_MEMORY = 768 * 1024 * 1024
"""For reading a tree into an index: enough for five million files, and soon full with the endless ones of a bomb."""

CONFIG = """[core]
\trepositoryformatversion = {version}
\tbare = true
\tlogAllRefUpdates = false
\thooksPath = /dev/null
\tfsmonitor = false
\tcommitGraph = false
\tmultiPackIndex = false
\tsafecrlf = false
\tprotectHFS = true
\tprotectNTFS = true
\tbigFileThreshold = 16m
\tfsync = none
[pack]
\tuseBitmaps = false
\tthreads = 2
[gc]
\tauto = 0
[protocol]
\tallow = never
[advice]
\taddEmbeddedRepo = false
{extensions}"""

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}


def hold_tree() -> None:
    """Hold this process to the memory of one tree."""
    resource.setrlimit(resource.RLIMIT_DATA, (TREE_MEMORY, TREE_MEMORY))


__all__ = ["Repository", "StepError"]


class Repository:
    """A bare repository made by hand; with `objects`, it borrows those of the workspace."""

    def __init__(self, path: bytes, request: Request, places: Places, objects: list[bytes]) -> None:
        self.path, self.request, self.places = path, request, places
        self.until = request.moment(1.0)
        """No git runs longer: whoever makes one step slow must not take the time of those that save the rest."""
        self.questions: Questions | None = None
        for folder in (b"/objects/info", b"/objects/pack", b"/refs/paddock/other", b"/info"):
            os.makedirs(path + folder)
        sha256 = request.object_format == "sha256"
        extensions = "[extensions]\n\tobjectFormat = sha256\n" if sha256 else ""
        self.put(b"HEAD", b"ref: refs/paddock/none\n")
        self.put(b"config", CONFIG.format(version=int(sha256), extensions=extensions).encode())
        self.put(b"objects/info/alternates", b"".join(line + b"\n" for line in objects))
        if request.shallow:
            self.put(b"shallow", "".join(sha + "\n" for sha in request.shallow).encode())

    def put(self, name: bytes, data: bytes) -> None:
        with open(self.path + b"/" + name, "wb") as stream:
            stream.write(data)

    def seconds(self) -> float:
        """What one git process may take now."""
        return min(self.request.step_seconds, max(self.until - time.monotonic(), 0.1))

    def start(self, argv: Sequence[str | bytes], errors: IO[bytes], *, work_tree: bool = False) -> Popen[bytes]:
        """A git process in a session of its own."""
        environment = {**ENVIRONMENT, "GIT_DIR": os.fsdecode(self.path)}
        environment["GIT_INDEX_FILE"] = os.fsdecode(self.path + b"/index")
        for role in ("AUTHOR", "COMMITTER"):
            environment[f"GIT_{role}_NAME"], environment[f"GIT_{role}_EMAIL"] = self.request.name, self.request.email
            environment |= {f"GIT_{role}_DATE": self.request.date} if self.request.date else {}
        if work_tree:
            environment["GIT_WORK_TREE"] = os.fsdecode(self.places.workspace)
        return Popen(
            ["git", *argv],
            stdin=PIPE,
            stdout=PIPE,
            stderr=errors,
            env=environment,
            cwd=self.places.workspace if work_tree else self.path,
            start_new_session=True,
            preexec_fn=hold_tree if argv[0] == "read-tree" else None,  # noqa: PLW1509 - there are no threads
        )

    def try_git(self, *argv: str | bytes, stdin: bytes = b"", work_tree: bool = False) -> tuple[int, bytes, str]:
        """(exit code, output, errors) of one git process; raises StepError when it takes too long."""
        seconds = self.seconds()
        with open(self.path + b"/stderr", "w+b") as errors:
            process = self.start(argv, errors, work_tree=work_tree)
            try:
                output, _ = process.communicate(stdin, timeout=seconds)
            except TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                raise StepError(f"git {os.fsdecode(argv[0])} took longer than {seconds:.1f} s") from None
            errors.seek(0)
            return process.returncode, output, errors.read(KEPT_STDERR).decode("utf-8", "backslashreplace").strip()

    def git(self, *argv: str | bytes, stdin: bytes = b"", work_tree: bool = False) -> bytes:
        """The output of one git process that must succeed; raises StepError otherwise."""
        code, output, errors = self.try_git(*argv, stdin=stdin, work_tree=work_tree)
        if code != 0:
            raise StepError(f"git {os.fsdecode(argv[0])} failed: {errors[-500:]}")
        return output

    def commits(self, ids: list[str]) -> dict[str, str]:
        """The commit that each id leads to, through tags; those that lead to none are left out."""
        answers = self.ask([f"{sha}^{{commit}}" for sha in ids])
        return {sha: name for sha, (name, _) in zip(ids, answers, strict=True) if name}

    def kinds(self, names: list[str]) -> dict[str, str]:
        """What each revision is: commit, tree, tag, blob, or missing."""
        return {name: kind for name, (_, kind) in zip(names, self.ask(names), strict=True)}

    def ask(self, names: list[str]) -> list[tuple[str, str]]:
        """The id and the kind of each revision; `("", "missing")` where there is none. Raises StepError.

        One git answers all questions there are: to start one costs as much as a hundred answers.
        """
        if not names:
            return []
        if self.questions is None:
            self.questions = Questions(self)
        return self.questions.ask(names)

    def close(self) -> None:
        """End the git that is asked."""
        if self.questions is not None:
            self.questions.close()
