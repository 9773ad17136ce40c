"""Takes commits and uncommitted work out of a dead agent's workspace, from inside a container.

In a container of its own it is started as `python3 -I -B /paddock/collector`; in the sandbox, the shim runs it when
nobody else is left there. Standard library only, since it sees nothing of Paddock. The `.git` that it finds is hostile.
Of it are used: objects, and the ids in HEAD, refs and packed-refs, read here without git and without following links.
Configuration, index, hooks, attributes, logs, grafts and replacements are never read: git works in a bare repository of
ours that borrows the workspace's objects. What comes out is for a host that trusts none of it: changes.bundle,
artifacts/*, and last of all report.json.
"""

from __future__ import annotations

import os
import socket
from contextlib import closing, suppress

from artifacts import hand_over
from branches import Tips, choose
from bundle import bundle
from dot_git import UnusableError, inspect_git, read_refs
from leftovers import add_leftovers
from report import Report
from repository import Repository, StepError
from request import Places, Request, read_request
from salvage import salvage
from stray import add_strays

NOT_TOLD = 125


def collect(places: Places, request: Request, report: Report) -> None:
    """Decide what moved, save what was left, write the bundle. Whatever fails is reported, and the rest goes on."""
    scratch = places.out + b"/scratch"
    os.mkdir(scratch)
    try:
        taken = hand_over(places, request, report)
        try:
            inspect_git(places.git, report)
            refs = read_refs(places.git, request, report)
        except (UnusableError, OSError) as error:
            code, text = error.args if isinstance(error, UnusableError) else ("git-unreadable", str(error))
            report.problem(code, text)
            salvage(scratch, places, request, report, {})
            return
        others: Tips | None = {}
        with closing(Repository(scratch + b"/repository", request, places, [places.git + b"/objects"])) as repository:
            try:
                repository.until = request.moment(0.4)
                tips = choose(repository, refs, report)
                add_leftovers(repository, tips, refs, report, taken)
                repository.until = request.moment(0.5)
                add_strays(repository, tips, refs, report)
                others = bundle(repository, tips, report)
            except StepError as error:
                report.problem("git-unreadable", str(error))
        if others is not None:
            salvage(scratch, places, request, report, others)
    finally:
        remove(scratch)


def remove(folder: bytes) -> None:
    """A folder of ours, as far as it can be removed; without shutil, whose import takes as long as one git."""
    for place, folders, files in os.walk(folder, topdown=False):
        for name in files:
            with suppress(OSError):
                os.unlink(place + b"/" + name)
        for name in folders:
            with suppress(OSError):
                os.rmdir(place + b"/" + name)
    with suppress(OSError):
        os.rmdir(folder)


def told_to_go(path: str) -> bool:
    """Tell the host that we stand ready; until it says `go`, when the agent is dead, nothing of it is looked at."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.connect(path)
        control.sendall(b"ready\n")
        return control.recv(16) == b"go\n"


def main(argv: list[str]) -> int:
    """Collect as the request says. The exit code is 0 whenever there is a report to read."""
    options = {"--workspace": "/workspace", "--in": "/paddock/in", "--out": "/out", "--wait": ""}
    options |= dict(zip(argv[::2], argv[1::2], strict=True))
    if options["--wait"] and not told_to_go(options["--wait"]):
        return NOT_TOLD
    places = Places(*(os.fsencode(options[name]) for name in ("--workspace", "--in", "--out")))
    report = Report()
    try:
        collect(places, read_request(places.inbox), report)
    except Exception as error:  # noqa: BLE001 - whatever this is, the host must hear of it
        report.problem("collector-failed", f"{type(error).__name__}: {error}")
    report.write(places.out)
    return 0
