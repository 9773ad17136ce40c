"""A soak: many runs on one repository and one state directory, some at a time, and the census of what they left."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

from docker import APIClient

from runner.store.ledger import LEDGER_NAME, RUNNING, Ledger
from runner.store.runs import runs_directory
from tests.integration.cli import Paddock, outside_of_paddock
from tests.soak.census import of_engine, of_machine, of_repository, of_runs, of_this_process
from tests.soak.kinds import KINDS, Ground, Turn, play
from tests.unit.repo.sources import make_repository


@dataclass(frozen=True, kw_only=True)
class Soak:
    """What is asked for. Two soaks with the same seed have the same runs; only their timing differs."""

    runs: int
    at_once: int
    seed: int
    say: Callable[[str], None] = print


def soak(asked: Soak, place: Path, client: APIClient) -> list[str]:
    """Carry it out below `place`; every run that ended as it should not, and everything that was left."""
    ground = prepare(place, client)
    before = outside_of_paddock(ground.repository)
    warm_up(ground)
    ours = of_this_process()
    with ThreadPoolExecutor(asked.at_once) as pool:
        wrong = [text for text in pool.map(lambda number: one(asked, ground, number), range(asked.runs)) if text]
    wrong += grown(ours, of_this_process())
    wrong += settle(ground)
    wrong += census(ground)
    if outside_of_paddock(ground.repository) != before:
        wrong.append("the user's repository has changed")
    return wrong


def prepare(place: Path, client: APIClient) -> Ground:
    """A repository, a state directory, and a folder for temporary files of their own."""
    for name in ("state", "policies", "tmp"):
        (place / name).mkdir()
    variables = {"TMPDIR": str(place / "tmp")}
    paddock = Paddock(state=place / "state", folder=place, variables=variables)
    repository = make_repository(place / "repository")
    return Ground(paddock=paddock, repository=repository, client=client, policies=place / "policies")


def warm_up(ground: Ground) -> None:
    """What is opened once for the life of a process does not count."""
    for number, kind in enumerate(("success", "network")):
        play(Turn(number=-1 - number, dice=Random(0), ground=ground), kind)  # noqa: S311 - dice


def one(asked: Soak, ground: Ground, number: int) -> str:
    """One run; why it was wrong, else nothing."""
    dice = Random(f"{asked.seed}:{number}")  # noqa: S311 - a soak is repeated by its seed
    kind = dice.choice(KINDS)
    try:
        told = play(Turn(number=number, dice=dice, ground=ground), kind)
    except Exception as error:  # noqa: BLE001 - whatever it was, the others go on
        told = f"{type(error).__name__}: {error}"
        asked.say(f"{number:4} {kind:<12} WRONG {told}")
        return f"run {number} ({kind}): {told}"
    asked.say(f"{number:4} {kind:<12} {told}")
    return ""


def settle(ground: Ground) -> Iterator[str]:
    """What a user does after a machine had a bad day: recover, then prune."""
    done = ground.paddock("recover")
    if "Traceback" in done.err:
        yield f"recover: {done.err}"
    for folder in runs_directory(ground.paddock.state).iterdir():
        os.utime(folder, (0, 0))  # prune keeps what is younger than ten minutes
    done = ground.paddock("prune")
    if done.code or "kept" in done.out:
        yield f"prune: {done.out}{done.err}"
    again = ground.paddock("recover")
    if again.out.strip() != "nothing to recover":
        yield f"recover, again: {again.out}{again.err}"


def census(ground: Ground) -> Iterator[str]:
    """What is left; then the runs themselves are forgotten, and nothing of them may stay."""
    state = ground.paddock.state
    yield from of_engine(ground.client, state)
    yield from of_machine(state, ground.paddock.folder / "tmp")
    yield from of_runs(state)
    yield from of_repository(ground.repository)
    with Ledger(state / LEDGER_NAME) as ledger:
        yield from (f"{row.id} is still running" for row in ledger.list() if row.state == RUNNING)
    done = ground.paddock("prune", "--older-than", "1ms", "--caches")
    yield from (f"not forgotten: {folder.name}" for folder in runs_directory(state).iterdir())
    if "could not" in done.out:
        yield f"prune: {done.out}"


def grown(before: list[str], after: list[str]) -> list[str]:
    """What of this process there is more of than before."""
    return [f"of this process: {each}" for each in (Counter(after) - Counter(before)).elements()]


def seed_of_now() -> int:
    """Another one each time."""
    return int.from_bytes(os.urandom(4))


def in_a_folder_of_its_own(asked: Soak, client: APIClient) -> list[str]:
    """Carry it out, and remove the folder when nothing was wrong."""
    place = Path(tempfile.mkdtemp(prefix="paddock-soak-"))
    place.chmod(0o755)
    wrong = soak(asked, place, client)
    if wrong:
        asked.say(f"everything is kept in {place}")
    else:
        shutil.rmtree(place)
    return wrong
