"""Runs a piece of a test as another user: Paddock works as root and as an ordinary user, and so do its tests."""

from __future__ import annotations

import os
import pickle
import subprocess
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from runner.errors import PaddockError

Result = TypeVar("Result")

ORDINARY_UID = 1000 if os.geteuid() == 0 else os.geteuid()
IDENTITIES = [0, ORDINARY_UID] if os.geteuid() == 0 else [ORDINARY_UID]
"""The users that this test run can become."""


def as_user(uid: int, function: Callable[[], Result]) -> Result:
    """What `function` returns when user `uid` calls it, in a process of its own unless that is who we are."""
    if uid == os.geteuid():
        return function()
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(readable)
        _answer(uid, function, writable)
    os.close(writable)
    with os.fdopen(readable, "rb") as answer:
        kind, value = pickle.loads(answer.read())  # noqa: S301 - written by our own child
    os.waitpid(child, 0)
    if kind == "failed":
        raise AssertionError(f"as uid {uid}:\n{value}")
    if kind == "raised":
        kind_of_error, message, hint = value
        raise kind_of_error(message, hint=hint)
    result: Result = value
    return result


def _answer(uid: int, function: Callable[[], Result], writable: int) -> None:
    try:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        answer = pickle.dumps(("returned", function()))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent tells it
        answer = pickle.dumps(("failed", traceback.format_exc()))
        if isinstance(error, PaddockError):
            answer = pickle.dumps(("raised", (type(error), error.message, error.hint)))
    with os.fdopen(writable, "wb") as out:
        out.write(answer)
    os._exit(0)


@contextmanager
def shared_directory() -> Iterator[Path]:
    """A directory that every user may write to, gone afterwards whatever it holds."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as private:
        place = Path(private)
        place.chmod(0o777)
        yield place
        for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
            subprocess.run([*command, "--", *map(str, place.iterdir())], check=False, capture_output=True)
        assert list(place.iterdir()) == []
