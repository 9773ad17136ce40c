"""The record of every decision: one JSON line each, which nothing that a sandbox sends can forge or push out."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runner.clock import SystemClock, timestamp
from runner.errors import StoreError
from runner.escape import escape_text
from runner.model.network import NetworkRow, Verdict

AUDIT_LIMIT = 64 * 2**20
_LONGEST = 2048
"""No line is longer: names are cut, everything else is ours."""
_SHOWN_NAME = 300


@dataclass(kw_only=True)
class Entry:
    """One decision, filled in while it is made."""

    kind: Literal["lookup", "connect", "protocol"]
    name: str = ""
    port: int | None = None
    address: str = ""
    verdict: Verdict = "refused"
    reason: str = ""
    ended: str = ""
    """What ended a connection that was allowed."""
    bytes_up: int = 0
    bytes_down: int = 0
    seconds: float = 0.0


class Audit:
    """The one writer of an audit file; it never raises, it is `broken` when the file cannot be written.

    A connection's line is written when it ends and its room is taken when it begins, so none goes unrecorded:
    without room there is no connection. Lookups reach nothing; they have half the room, and are counted beyond it.
    """

    def __init__(self, descriptor: int, limit: int) -> None:
        self._descriptor = descriptor
        self._limit = limit
        self._size = os.fstat(descriptor).st_size
        self._promised = 0
        self._omitted = 0
        self.broken = ""

    def promise(self) -> bool:
        """Keep room for one line that `keep` will write; False when there is none, or the file is broken."""
        if self.broken or not self._has_room(self._limit):
            return False
        self._promised += 1
        return True

    def keep(self, entry: Entry) -> None:
        """Write a line that was promised."""
        self._promised -= 1
        self._write(_fields(entry))

    def note(self, entry: Entry) -> None:
        """Write a line for what was refused or looked up; only counted when there is no room."""
        if self._has_room(self._limit // 2 if entry.kind == "lookup" else self._limit):
            self._write(_fields(entry))
        else:
            self._omitted += 1

    def finish(self) -> None:
        """Say how many lines are missing, if any."""
        if self._omitted:
            self._write({"kind": "truncated", "omitted": self._omitted})

    def _has_room(self, limit: int) -> bool:
        return self._size + (self._promised + 1) * _LONGEST <= limit

    def _write(self, fields: dict[str, Any]) -> None:
        # json.dumps escapes quotes, controls and all that is not ASCII: whatever a name holds, a line is one line.
        line = json.dumps({"time": timestamp(SystemClock().now()), **fields}, ensure_ascii=True).encode() + b"\n"
        try:
            written = os.write(self._descriptor, line)
        except OSError as error:
            self.broken = error.strerror or "cannot be written"
            return
        self._size += written
        if written < len(line):
            self.broken = "no space left"


@contextlib.contextmanager
def open_audit(path: Path, *, limit: int = AUDIT_LIMIT) -> Iterator[Audit]:
    """An audit that appends to `path`, which only its owner can read. Raises `StoreError`."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(
            f"{escape_text(str(path))}: the network's record cannot be written: {error.strerror}"
        ) from error
    audit = Audit(descriptor, limit)
    try:
        yield audit
    finally:
        audit.finish()
        os.close(descriptor)


def _fields(entry: Entry) -> dict[str, Any]:
    fields: dict[str, Any] = {"kind": entry.kind, "name": entry.name[:_SHOWN_NAME]}
    if entry.kind == "connect":
        fields |= {"port": entry.port, "address": entry.address}
    fields |= {"verdict": entry.verdict, "reason": entry.reason[:_SHOWN_NAME]}
    if entry.kind == "connect":
        fields |= {"bytes_up": entry.bytes_up, "bytes_down": entry.bytes_down, "seconds": round(entry.seconds, 3)}
    return fields | ({"ended": entry.ended} if entry.ended else {})


def summary(path: Path) -> tuple[NetworkRow, ...]:
    """The rows of an audit file, refusals first, then by name and port; a torn last line is passed over.

    Without the file there are no rows. Raises `StoreError` when it cannot be read.
    """
    rows: dict[tuple[str, int | None, Verdict, str], list[int]] = {}
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            for line in file:
                _count(line, rows)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StoreError(f"{escape_text(str(path))}: the network's record cannot be read: {error.strerror}") from error
    ordered = sorted(rows.items(), key=lambda row: (row[0][2] != "refused", row[0][0], row[0][1] or 0, row[0][3]))
    return tuple(
        NetworkRow(name=name, port=port, verdict=verdict, reason=reason, count=count, bytes_up=up, bytes_down=down)
        for (name, port, verdict, reason), (count, up, down) in ordered
    )


def omitted(path: Path) -> int:
    """How many lines a closed audit file is without, for want of room."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LONGEST))
            fields = json.loads(file.read().splitlines()[-1])
    except (OSError, ValueError, IndexError):
        return 0
    count = fields.get("omitted") if isinstance(fields, dict) else None
    return count if isinstance(count, int) else 0


def _count(line: str, rows: dict[tuple[str, int | None, Verdict, str], list[int]]) -> None:
    try:
        fields = json.loads(line)
    except ValueError:
        return
    if not isinstance(fields, dict) or fields.get("verdict") not in {"allowed", "refused"}:
        return
    row = rows.setdefault((fields["name"], fields.get("port"), fields["verdict"], fields["reason"]), [0, 0, 0])
    row[0] += 1
    row[1] += fields.get("bytes_up", 0)
    row[2] += fields.get("bytes_down", 0)
