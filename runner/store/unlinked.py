"""Files without a name: what a container's processes keep open, or mapped, after they unlinked it (ATTACKS 99).

No walk through a directory finds them, and they take disk until the last process lets go.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from runner.store.tree import TreeSize

_AT_A_TIME = 500


def measure_unlinked(
    processes: Iterable[int],
    devices: frozenset[int],
    *,
    enough_bytes: int,
    meanwhile: Callable[[], None] = lambda: None,
    proc: Path = Path("/proc"),
) -> TreeSize:
    """What the unlinked files of these processes take on these devices; stops early beyond `enough_bytes`.

    `unread` counts processes that could not be looked at. A descriptor that waits in a socket's queue, open in no
    process, is not found.
    """
    seen: set[tuple[int, int]] = set()
    size = unread = 0
    for process in processes:
        try:
            for number, found in enumerate(_open_files(proc / str(process))):
                if number % _AT_A_TIME == 0:
                    meanwhile()
                place = (found.st_dev, found.st_ino)
                if found.st_nlink or found.st_dev not in devices or place in seen or not stat.S_ISREG(found.st_mode):
                    continue
                seen.add(place)
                size += found.st_blocks * 512
        except PermissionError:
            unread += 1
        except OSError:  # it has ended
            continue
        if size > enough_bytes:
            break
    return TreeSize(bytes=size, entries=len(seen), unread=unread)


def _open_files(process: Path) -> Iterator[os.stat_result]:
    """Everything that a process has open, then what it has mapped and closed. Links in /proc lead to the very files."""
    for folder, names in ((process / "fd", _descriptors(process)), (process / "map_files", _mapped(process))):
        for name in names:
            try:
                yield os.stat(folder / name)  # noqa: PTH116 - a million of them, perhaps
            except FileNotFoundError:
                continue


def _descriptors(process: Path) -> Iterator[str]:
    with os.scandir(process / "fd") as entries:
        for entry in entries:
            yield entry.name


def _mapped(process: Path) -> Iterator[str]:
    """Names in `map_files` of mappings whose file has no name any more."""
    with (process / "maps").open("rb") as lines:
        for line in lines:
            if line.endswith(b" (deleted)\n"):
                # The kernel writes numbers there without leading zeros, and eight digits at least here.
                yield "-".join(f"{int(number, 16):x}" for number in line.split(b" ", 1)[0].split(b"-"))
