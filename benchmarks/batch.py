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


def measure_batch(place: Place, rounds: int) -> list[Finding]:
    """One finding."""
    if not shutil.which("docker"):
        raise SystemExit("The floor of a batch is measured with the docker command, which is missing: install it.")
    for number in range(REPOSITORIES):
        call("git", "clone", "--quiet", place.repository, place.folder / f"repo-{number}")
    file, script = place.folder / "tasks.toml", place.folder / "floor.sh"
    (place.folder / "small.toml").write_text('[limits]\ncpus = 1.0\nmemory = "256MiB"\n')
    tasks = (f'[[tasks]]\nrepo = "repo-{number % REPOSITORIES}"\n' for number in range(TASKS))
    head = f'[defaults]\npolicy = "small.toml"\ncommand = ["sh", "-c", "{WORK}"]\n[machine]\ncpus = {float(JOBS)}\n'
    file.write_text(head + "".join(tasks))
    user = f"{os.getuid()}:{os.getgid()}"
    script.write_text(FLOOR.format(label=LABEL, user=user, limits=" ".join(LIMITS), work=WORK))
    image = place.run("--", "true")["digests"]["image"]

    def paddock() -> None:
        argv = (place.paddock, "batch", "run", file, "--jobs", str(JOBS), "--quiet")
        call(*argv, environment=place.environment)

    taken = interleave({"paddock": paddock, "floor": Floor(place, image, script)}, rounds)
    name = f"{TASKS} tasks over {REPOSITORIES} repositories / xargs docker run"
    return [ratio(name, taken["paddock"], taken["floor"], TARGET)]
