"""Writers at full speed, and disks that others fill: where no kernel holds a limit, the watchdog is quick enough."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runner.model.result import Outcome, RunResult
from tests.integration.cli import WORK, Paddock, show
from tests.integration.library import Library

pytestmark = pytest.mark.docker

MIB = 2**20
LIMIT = 256 * MIB
MOST_TOO_MUCH = 512 * MIB

FILES_OF_BLOCKS = "for i in 1 2 3 4; do dd if=/dev/zero of=big$i bs={block} {flags} count=4000 2>/dev/null & done; wait"
MAPPED = """exec python3 -c '
import mmap, os, time
for number in range(8):
    if os.fork() == 0:
        handle = os.open(f"mapped{number}", os.O_CREAT | os.O_RDWR)
        os.truncate(handle, 240 << 20)
        view, piece = mmap.mmap(handle, 240 << 20), bytes(8 << 20)
        for begin in range(0, 240 << 20, 8 << 20):
            view[begin : begin + (8 << 20)] = piece
        os._exit(0)
time.sleep(60)
'"""
HIDDEN = """exec python3 -c '
import os, time
handles = []
for _ in range(32):
    handles.append(os.open("hidden", os.O_CREAT | os.O_RDWR))
    os.unlink("hidden")
    for _ in range(200):
        os.write(handles[-1], bytes(1 << 20))
time.sleep(60)
'"""
IN_A_WOOD = """python3 -c '
import os
for folder in range(300):
    os.mkdir(f"t{folder}")
    for number in range(300):
        os.close(os.open(f"t{folder}/{number}", os.O_CREAT | os.O_WRONLY))
'; sleep 2; """ + FILES_OF_BLOCKS.format(block="1M", flags="")
WRITERS = {
    "buffered": FILES_OF_BLOCKS.format(block="1M", flags=""),
    "direct": FILES_OF_BLOCKS.format(block="4M", flags="oflag=direct"),
    "mapped": MAPPED,
    "hidden": HIDDEN,
    "among-ninety-thousand-files": IN_A_WOOD,
}


def run(library: Library, repository: Path, script: str, folder: Path, **limits: Any) -> RunResult:
    """The result of a script under these limits; what it did before has to come out."""
    policy = folder / "policy.toml"
    lines = [f"{name} = {json.dumps(value)}" for name, value in limits.items()]
    policy.write_text("\n".join(['extends = "offline"', "[limits]", *lines]))
    policy.chmod(0o644)
    result = library.run(repository, f"{WORK}\n{script}", policy=policy)
    assert result.leaks == ()
    return result


@contextmanager
def low_water(folder: Path) -> Iterator[list[int]]:
    """The free bytes of a disk before, and the least of them meanwhile."""
    seen = [free(folder)]
    process = subprocess.Popen(
        ["python3", "-c", LOOKS, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "looking\n"
        yield seen
    finally:
        out, _ = process.communicate("end\n")
        seen.append(int(out))


LOOKS = """
import os, select, sys
least = 2**62
print("looking", flush=True)
while not select.select([sys.stdin], [], [], 0.01)[0]:
    found = os.statvfs(sys.argv[1])
    least = min(least, found.f_bavail * found.f_frsize)
print(least)
"""


def free(folder: Path) -> int:
    """Free bytes of a disk."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


@pytest.fixture
def quiet_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 GiB that nobody else writes to: a file of the machine's, mounted. Only root can have one."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk of its own")
    image, place = tmp_path / "disk.img", tmp_path / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(4096 * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=1", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_writer_at_full_speed_is_stopped_within_half_a_gigabyte(
    writer: str, quiet_disk: Path, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PADDOCK_STATE_DIR", str(quiet_disk / "state"))
    library = Library(quiet_disk / "state", tmp_path)
    with low_water(quiet_disk) as seen:
        result = run(library, repository, WRITERS[writer], tmp_path, disk=f"{LIMIT // MIB}MiB")
    before, least = seen

    assert (result.outcome, result.limits["disk"].hit) == (Outcome.DISK_EXCEEDED, True), result.reason
    wrote = max(before - least, result.limits["disk"].peak or 0)
    assert LIMIT < wrote < LIMIT + MOST_TOO_MUCH


def test_what_is_freed_again_is_no_offence(library: Library, repository: Path, tmp_path: Path) -> None:
    churn = "for i in $(seq 30); do head -c 40M /dev/zero > big; rm big; done"
    result = run(library, repository, churn, tmp_path, disk="64MiB")
    assert result.outcome is Outcome.COMPLETED


def test_a_disk_that_somebody_else_fills_stops_the_agent_before_it_is_full(
    quiet_disk: Path, repository: Path, paddock: Paddock
) -> None:
    paddock.state = quiet_disk / "state"
    argv = ("run", repository, "--json", "--", "sh", "-c", f"{WORK}; echo ready; exec sleep 60")
    process = paddock.started(*argv)
    fill(quiet_disk, leave=100 * MIB)
    out, err = process.communicate(timeout=60)
    document = json.loads(out)

    assert document["outcome"] == "disk-exceeded", err
    assert "the host's disk is nearly full" in document["reason"]
    assert show(repository, document["branch"], "committed") == "committed"
    assert free(quiet_disk) > 50 * MIB


def test_nothing_is_started_on_a_disk_that_is_nearly_full(quiet_disk: Path, repository: Path, paddock: Paddock) -> None:
    paddock.state = quiet_disk / "state"
    fill(quiet_disk, leave=100 * MIB)
    done = paddock("run", repository, "--json", "--", "sh", "-c", WORK)

    assert (done.document["outcome"], done.document["leaks"]) == ("refused", [])


def fill(disk: Path, *, leave: int) -> None:
    """Take what is free, but for so much."""
    with (disk / "filler").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free(disk) - leave)


def test_a_cache_and_a_mount_cannot_be_filled_beyond_the_limit(
    library: Library, repository: Path, tmp_path: Path
) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir(mode=0o777)
    mounted.chmod(0o777)
    (mounted / "before").write_bytes(bytes(100 * MIB))
    policy = tmp_path / "policy.toml"
    policy.write_text(
        f"""
        extends = "offline"
        [[caches]]
        name = "cache"
        target = "/cache"
        [[mounts]]
        source = "{mounted}"
        target = "/data"
        mode = "rw"
        [limits]
        disk = "64MiB"
        """
    )
    policy.chmod(0o644)
    for place in ("/cache", "/data"):
        small = library.run(repository, f"{WORK}; head -c 30M /dev/zero > {place}/a; sleep 1.5", policy=policy)
        assert small.outcome is Outcome.COMPLETED, small.reason
        two = f"{WORK}; for i in b c; do head -c 40M /dev/zero > {place}/$i; done; exec sleep 60"
        large = library.run(repository, two, policy=policy)
        assert (large.outcome, large.limits["disk"].hit) == (Outcome.DISK_EXCEEDED, True)
        assert show(repository, large.branch, "committed") == "committed"
