"""`paddock run REPO -- true` against its floor: the same containers and git commands with nothing around them."""

from __future__ import annotations

import itertools
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.measure import Finding, call, interleave, ratio
from benchmarks.place import Place

TARGET = 1.5
LABEL = "paddock.role=benchmark"


@dataclass(frozen=True)
class Floor:
    """What somebody would type who had no Paddock: clone, agent container, container that bundles, fetch."""

    place: Place
    image: str
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def __call__(self) -> None:
        """Do all of it once, for one new branch. What is left is removed with the place."""
        work = self.place.folder / f"floor-{next(self.numbers)}"
        clone, out, bundle = work / "clone", work / "out", work / "out" / "changes.bundle"
        out.mkdir(parents=True)
        call("git", "clone", "--quiet", "--no-hardlinks", self.place.repository, clone)
        self._docker(clone, out, "true")
        self._docker(clone, out, "git", "bundle", "create", "--quiet", "/out/changes.bundle", "HEAD")
        call("git", "-C", self.place.repository, "fetch", "--quiet", bundle, f"HEAD:refs/heads/{work.name}")

    def _docker(self, clone: Path, out: Path, *command: str) -> None:
        options = ("--rm", "--network", "none", "--label", LABEL, "--user", f"{os.getuid()}:{os.getgid()}")
        mounts = ("--volume", f"{clone}:/workspace", "--volume", f"{out}:/out", "--workdir", "/workspace")
        argv = ("docker", "run", *options, *mounts, "--entrypoint", command[0], self.image, *command[1:])
        call(*argv, environment=self.place.environment)


def measure_run(place: Place, rounds: int) -> list[Finding]:
    """One finding; where Paddock's time went is in its detail."""
    if not shutil.which("docker"):
        raise SystemExit("The floor of a run is measured with the docker command, which is missing: install it.")
    phases: dict[str, list[float]] = defaultdict(list)

    def paddock() -> None:
        for phase, seconds in place.run("--", "true")["timings"].items():
            phases[phase].append(seconds)

    image = place.run("--", "true")["digests"]["image"]
    taken = interleave({"paddock": paddock, "floor": Floor(place, image)}, rounds)
    found = ratio("paddock run REPO -- true / its floor", taken["paddock"], taken["floor"], TARGET)
    inside = {phase: median(seconds) for phase, seconds in phases.items()}
    print("phases of a run: " + "  ".join(f"{phase} {seconds * 1000:.0f} ms" for phase, seconds in inside.items()))
    outside = taken["paddock"].median - sum(inside.values())
    print(f"outside all phases (interpreter, imports, end of the process): {outside * 1000:.0f} ms")
    return [found]
