"""A bare repository of ours, and the one door to git."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time

from request import Places, Request

KEPT_STDERR = 64 * 1024
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


class StepError(Exception):
    """One step could not be done; the others go on."""


def hold_tree() -> None:
    """Hold this process to the memory of one tree."""
    resource.setrlimit(resource.RLIMIT_DATA, (TREE_MEMORY, TREE_MEMORY))


class Repository:
    """A bare repository made by hand; with `objects`, it borrows those of the workspace."""

    def __init__(self, path: bytes, request: Request, places: Places, objects: list[bytes]) -> None:
        self.path, self.request, self.places = path, request, places
        self.until = request.moment(1.0)
        """No git runs longer: whoever makes one step slow must not take the time of those that save the rest."""
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

    def try_git(self, *argv: str | bytes, stdin: bytes = b"", work_tree: bool = False) -> tuple[int, bytes, str]:
        """(exit code, output, errors) of one git process; raises StepError when it takes too long."""
        environment = {**ENVIRONMENT, "GIT_DIR": os.fsdecode(self.path)}
        environment["GIT_INDEX_FILE"] = os.fsdecode(self.path + b"/index")
        for role in ("AUTHOR", "COMMITTER"):
            environment[f"GIT_{role}_NAME"], environment[f"GIT_{role}_EMAIL"] = self.request.name, self.request.email
            environment |= {f"GIT_{role}_DATE": self.request.date} if self.request.date else {}
        if work_tree:
            environment["GIT_WORK_TREE"] = os.fsdecode(self.places.workspace)
        seconds = min(self.request.step_seconds, max(self.until - time.monotonic(), 0.1))
        with open(self.path + b"/stderr", "w+b") as errors:
            process = subprocess.Popen(
                ["git", *argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                cwd=self.places.workspace if work_tree else self.path,
                start_new_session=True,
                preexec_fn=hold_tree if argv[0] == "read-tree" else None,  # noqa: PLW1509 - there are no threads
            )
            try:
                output, _ = process.communicate(stdin, timeout=seconds)
            except subprocess.TimeoutExpired:
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
        if not ids:
            return {}
        asked = "".join(f"{sha}^{{commit}}\n" for sha in ids).encode()
        lines = self.git("cat-file", "--batch-check=%(objectname)", stdin=asked).splitlines()
        return {sha: line.decode() for sha, line in zip(ids, lines, strict=True) if b" " not in line}

    def kinds(self, names: list[str]) -> dict[str, str]:
        """What each revision is: commit, tree, tag, blob, or missing."""
        if not names:
            return {}
        lines = self.git("cat-file", "--batch-check=%(objecttype)", stdin="".join(f"{n}\n" for n in names).encode())
        answers = (line if b" " not in line else b"missing" for line in lines.splitlines())
        return {name: answer.decode() for name, answer in zip(names, answers, strict=True)}
