"""A batch of trivial tasks over many repositories, against `xargs -P 8 docker run` with a clone and a fetch."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import Finding, call, interleave, ratio
from benchmarks.one_run import LABEL
from benchmarks.place import Place

TARGET = 1 / 0.8
"""At least 0.8 times the throughput."""
TASKS, REPOSITORIES, JOBS = 60, 20, 8
LIMITS = ("--cpus", "1", "--memory", "256m", "--pids-limit", "512")
WORK = "echo x > new && git add new && git -c user.name=B -c user.email=b@localhost commit -qm new"

FLOOR = """
set -e
clone="$FOLDER/clone-$2-$1"
repo="$FOLDER/repo-$(($1 % $REPOSITORIES))"
git clone -q --no-hardlinks "$repo" "$clone"
docker run --rm --network none --label {label} --user {user} {limits} --volume "$clone:/workspace" \
    --workdir /workspace --entrypoint sh "$IMAGE" -c '{work}'
git -C "$repo" fetch -q "$clone" "HEAD:refs/heads/floor-$2-$1"
"""


@dataclass(frozen=True)
class Floor:
    """What somebody would type who had no Paddock; nothing is checked, bundled or held back."""

    place: Place
    image: str
    script: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def __call__(self) -> None:
        """All tasks, once."""
        line = f'seq {TASKS} | xargs -P {JOBS} -I% sh "{self.script}" % {next(self.numbers)}'
        call("sh", "-c", line, environment={**self.place.environment, **self.variables})

    @property
    def variables(self) -> dict[str, str]:
        """What the script knows."""
        return {"FOLDER": str(self.place.folder), "IMAGE": self.image, "REPOSITORIES": str(REPOSITORIES)}


@dataclass(frozen=True)
class PaddocksBatch:
    """The tasks as a batch file, and the image that they run in."""

    place: Place
    file: Path
    image: str

    def __call__(self) -> None:
        """All tasks, once."""
        argv = (self.place.paddock, "batch", "run", self.file, "--jobs", str(JOBS), "--quiet")
        call(*argv, environment=self.place.environment)


def prepare_batch(place: Place) -> PaddocksBatch:
    """The repositories and the batch file; where they are there, as they are."""
    if not shutil.which("docker"):
        raise SystemExit("The floor of a batch is measured with the docker command, which is missing: install it.")
    file = place.folder / "tasks.toml"
    if not file.exists():
        write_batch(place, file)
    return PaddocksBatch(place, file, place.run("--", "true")["digests"]["image"])


def write_batch(place: Place, file: Path) -> None:
    """The repositories, the policy and the batch file."""
    for number in range(REPOSITORIES):
        call("git", "clone", "--quiet", place.repository, place.folder / f"repo-{number}")
    (place.folder / "small.toml").write_text('[limits]\ncpus = 1.0\nmemory = "256MiB"\n')
    tasks = (f'[[tasks]]\nrepo = "repo-{number % REPOSITORIES}"\n' for number in range(TASKS))
    head = f'[defaults]\npolicy = "small.toml"\ncommand = ["sh", "-c", "{WORK}"]\n[machine]\ncpus = {float(JOBS)}\n'
    file.write_text(head + "".join(tasks))


def measure_batch(place: Place, rounds: int) -> list[Finding]:
    """One finding."""
    batch, script = prepare_batch(place), place.folder / "floor.sh"
    user = f"{os.getuid()}:{os.getgid()}"
    script.write_text(FLOOR.format(label=LABEL, user=user, limits=" ".join(LIMITS), work=WORK))
    taken = interleave({"paddock": batch, "floor": Floor(place, batch.image, script)}, rounds)
    name = f"{TASKS} tasks over {REPOSITORIES} repositories / xargs docker run"
    return [ratio(name, taken["paddock"], taken["floor"], TARGET)]
