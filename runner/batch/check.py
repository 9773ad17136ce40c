"""Checks every task of a batch before anything starts: policies, repositories, agents, keys, images, the machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from runner.errors import PaddockError
from runner.model.batch import Batch, Bounds, Item, Work
from runner.model.policy import Limits
from runner.model.quantities import format_size
from runner.model.task import Task
from runner.plan import check_machine
from runner.repo.clone import clone_source, reach_remote
from runner.repo.urls import is_url, parse_url
from runner.run.context import find_context, refuse_collisions
from runner.run.decision import Decision, decide
from runner.run.host import Host
from runner.run.model_api import require_key
from runner.run.places import resolve_mounts
from runner.run.prepare import find_source, machine_of, with_own_policy
from runner.run.repo_image import OWN, choose_image, trusted_offer, with_agent
from runner.run.rounds import Loop, foresee_review
from runner.run.rounds import Work as Rounds
from runner.sandbox.engine import EngineFacts
from runner.sandbox.image_names import ImageParts
from runner.settings import git_environment
from runner.shipped import shipped
from runner.store.batch_files import refuse

LOOKING = 8
"""Tasks that are looked at side by side: most of it is waiting for git."""


@dataclass(frozen=True)
class Demand:
    """What one run of a task takes up while it is under way."""

    cpus: float
    memory: int
    provider: str = ""


@dataclass(frozen=True)
class Room:
    """What may be taken up at one time."""

    cpus: float
    memory: int
    jobs: int
    providers: Mapping[str, int]


def clone_all(wanted: Mapping[str, str], host: Host) -> Host:
    """The host, with every URL cloned or brought up to date, once; each comes with the words for who wants it.

    Raises `RefusedError` with all that cannot be fetched.
    """
    with ThreadPoolExecutor(max_workers=LOOKING) as threads:
        made = {url: threads.submit(_clone, url, host) for url in wanted}
        clones: dict[str, Path] = {}
        faults = []
        for url, waiting in made.items():
            try:
                clones[url] = waiting.result()
            except PaddockError as error:
                faults.append(f"{wanted[url]}: {error.message}")
    refuse(faults)
    return replace(host, clones=clones)


def urls_in(batch: Batch) -> dict[str, str]:
    """Every URL of a batch, with the first task that wants it."""
    wanted = [(parse_url(url).url, item) for item in batch.items for url in urls_of(item.work.task)]
    return {url: f"{item.place}: {item.name}" for url, item in reversed(wanted)}


def _clone(url: str, host: Host) -> Path:
    return clone_source(url, host.settings.state_dir, environment=git_environment())


def urls_of(task: Task) -> Iterator[str]:
    """The repositories of a task that are not on this machine."""
    return (place for place in (task.repo, *task.beside) if is_url(place))


def check_batch(batch: Batch, host: Host, templates: Path) -> list[Demand]:
    """What each task takes up. Raises `RefusedError` with everything that would keep one from its start.

    Raises `EngineError` when the engine does not say what it has. URLs that were cloned are looked into; of others it
    is only asked whether they are there.
    """
    facts = host.engine.facts()
    room = room_of(batch.bounds, facts)
    if batch.bounds.memory is not None and batch.bounds.memory > facts.memory:
        has = format_size(facts.memory)
        refuse([f"{batch.file}:1: machine.memory: {format_size(batch.bounds.memory)}, but the machine has {has}"])
    with ThreadPoolExecutor(max_workers=LOOKING) as threads:
        alike = {kind_of(item): item for item in reversed(batch.items)}
        looked = {kind: threads.submit(_look, item, host, facts, templates) for kind, item in alike.items()}
        demands, faults = [], []
        for item in batch.items:
            demand, fault = looked[kind_of(item)].result()
            fault = fault or too_large(demand, room)
            faults += [f"{item.place}: {item.name}: {fault}"] if fault else []
            demands.append(demand)
    refuse(faults)
    return demands


def kind_of(item: Item) -> str:
    """Tasks that differ in their words alone are looked at once."""
    task = foreseen(item).task
    words = {"prompt": "x" if task.prompt.strip() else "", "title": ""}
    return item.work.model_copy(update={"task": task.model_copy(update=words)}).model_dump_json()


def foreseen(item: Item) -> Work:
    """The work as it will be: what it needs will be read at /context, where nothing else may stand."""
    earlier = {"needed": ""} if item.needs else {}
    return item.work.model_copy(update={"task": item.work.task.model_copy(update={"earlier": earlier})})


def _look(item: Item, host: Host, facts: EngineFacts, templates: Path) -> tuple[Demand, str]:
    try:
        return look(foreseen(item), host, facts, templates), ""
    except PaddockError as error:
        hint = f" ({error.hint.removesuffix('.')})" if error.hint else ""
        return Demand(0, 0), " ".join(f"{error.message.removesuffix('.')}{hint}".split())


def look(work: Work, host: Host, facts: EngineFacts, templates: Path) -> Demand:
    """What a task takes up. Raises whatever would keep it from its start."""
    task = work.task
    decision = decide(task, host)
    require_key(decision.agent, decision.api, task, host)
    if work.review:
        foresee_review(Rounds(task=task, loop=Loop(review=work.review, templates=templates), host=host))
    decision = look_at_repository(decision, host)
    refuse_collisions(task, decision.loaded.policy)
    check_machine(decision.loaded.policy, machine_of(facts))
    known_image(with_agent(task.image, decision.agent.image), host)
    return demand_of(decision)


def look_at_repository(decision: Decision, host: Host) -> Decision:
    """The decision within the policy that the repository brings, where it is at hand. Raises `RefusedError`."""
    task = decision.task
    for url in urls_of(task):
        if parse_url(url).url not in host.clones:
            reach_remote(url, environment=git_environment())
    if is_url(task.repo) and parse_url(task.repo).url not in host.clones:
        find_context(task, None, host)
        return decision
    source = find_source(task, host)
    decision = with_own_policy(decision, source, host)
    find_context(task, source, host)
    resolve_mounts(decision.loaded, source, host)
    if task.image == OWN:
        trusted_offer(task, source, host)
    return decision


def known_image(name: str, host: Host) -> None:
    """Raises `ImageError` for an image that cannot be had. A shipped one is not built; any other may be pulled."""
    if name and name.partition("+")[0] != OWN and ImageParts(shipped("images")).steps(name) is None:
        host.engine.image(name)


def demand_of(decision: Decision) -> Demand:
    """What the policy lets a run use up, and whose model it uses."""
    limits: Limits = decision.loaded.policy.limits
    return Demand(limits.cpus, limits.memory, decision.api.api.provider if decision.api else "")


def room_of(bounds: Bounds, facts: EngineFacts, *, jobs: int = 0) -> Room:
    """What may be taken up: the machine, unless the file says something else."""
    return Room(
        cpus=bounds.cpus or float(facts.cpus),
        memory=min(bounds.memory or facts.memory, facts.memory),
        jobs=jobs,
        providers=bounds.providers,
    )


def too_large(demand: Demand, room: Room) -> str:
    """Why a task could never begin; empty if it can."""
    if demand.cpus > room.cpus:
        return f"limits.cpus = {demand.cpus:g} of its policy is more than machine.cpus = {room.cpus:g}"
    if demand.memory > room.memory:
        return f"limits.memory = {format_size(demand.memory)} of its policy is more than {format_size(room.memory)}"
    return ""


def build_images(batch: Batch, host: Host) -> None:
    """Make every image that the batch needs, one after the other. Raises `RefusedError`, `EngineError`."""
    base = host.engine.image("")
    made = set()
    for item in batch.items:
        task = item.work.task
        kind = (task.agent, task.image, task.repo if task.image == OWN else "")
        if kind not in made:
            choose_image(task, decide(task, host).agent.image, base, find_source(task, host), host)
            made.add(kind)
