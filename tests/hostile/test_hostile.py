"""Every attack below `cases/`, twice: where nothing stops it, and in a real run."""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from runner.errors import RefusedError
from runner.model.result import EXIT_CODES, Outcome
from runner.sandbox.images import ImageStore
from tests.conftest import ENGINE_ADDRESS, connect, engine_api
from tests.hostile.bounds import with_bounds
from tests.hostile.case import INSIDE, Case, load_cases
from tests.hostile.open_setup import build_image, run_openly, sort_lines, type_naively
from tests.hostile.real_run import (
    LOOKING,
    Attempt,
    Trial,
    changed_files,
    command,
    leftovers,
    look_at,
    on_a_terminal,
    processes_that_name,
    real_host,
    try_it,
    with_secret,
)
from tests.hostile.stage import PRIVATE_TEXT, Stage, Template, host_process, listening, make_template, set_stage
from tests.unit.repo.sources import git

pytestmark = pytest.mark.docker

SOCKET = (ENGINE_ADDRESS or "unix:///var/run/docker.sock").removeprefix("unix://")
CASES = [case for case in load_cases() if case.file.network is None]
BATCH = [case for case in CASES if case.file.batch]
REFUSALS = [case for case in CASES if case.file.policy.refused]
EXAMINATIONS = [case for case in CASES if case.file.policy.doctor]
SINGLE = [case for case in CASES if case not in BATCH + REFUSALS + EXAMINATIONS]


def each(cases: list[Case]) -> pytest.MarkDecorator:
    """One item for each case, under its name."""
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@dataclass(kw_only=True)
class Arena:
    """What all attacks of a worker share."""

    place: Path
    template: Template
    client: APIClient
    base: str
    outside: dict[str, str]
    heard: dict[str, bytes]
    images: dict[str, str] = field(default_factory=dict)
    printed: dict[tuple[str, ...], dict[str, list[str]]] = field(default_factory=dict)
    batch: Trial | None = None

    def stage(self) -> Stage:
        """A fresh copy of everything that there is to reach."""
        place = self.place / uuid.uuid4().hex[:8]
        place.mkdir()
        return set_stage(self.template, place)

    def home(self) -> Path:
        """An empty home directory."""
        home = self.place / "home"
        home.mkdir(exist_ok=True)
        return home

    def image_of(self, case: Case) -> str:
        """The attacker's image, built once; the empty name where the case has none."""
        if case.dockerfile and case.dockerfile not in self.images:
            self.images[case.dockerfile] = build_image(self.client, case.dockerfile, self.base)
        return self.images.get(case.dockerfile, "")

    def knowledge(self, leg: str, stage: Stage) -> dict[str, str]:
        """What an attacker in a container knows."""
        return {**self.outside, **stage.environment(), "LEG": leg}


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Repositories, listeners, a process of the host, and the base image."""
    place = tmp_path_factory.mktemp("hostile")
    client = connect()
    base = ImageStore(engine_api(), lambda _: None, state_dir=place / "images").base().name
    with listening() as (ports, heard), host_process(place.name) as process:
        arena = Arena(
            place=place,
            template=make_template(place / "template"),
            client=client,
            base=base,
            outside={**ports, **process},
            heard=heard,
        )
        yield arena
    for image in arena.images.values():
        client.remove_image(image, force=True)
    client.close()


# --- where nothing stops it ---------------------------------------------------------------------------------------


@each(CASES)
def test_the_attack_succeeds_in_an_open_setup(case: Case, arena: Arena) -> None:
    control = case.file.control
    if control.naive is not None:
        stage = arena.stage()
        output, hung = type_naively(case, stage, arena.home())
        assert [name for name in control.fires if name not in stage.fired()] == [], output
        assert [text for text in control.shows if text not in output] == [], output
        assert hung == control.hangs, output
    elif control.docker is not None:
        printed = print_openly(case, arena)
        assert [line for line in control.prints if line not in printed] == [], printed
    else:
        stage = arena.stage()
        trial = run_case(case, arena, stage, case.control_policy)  # its secret, if any, as it should be
        assert trial.result.outcome is Outcome.NO_CHANGES, trial.result
        assert [line for line in control.prints if line not in trial.log()] == []
    for listener in control.reaches:
        assert b"control" in wait_for(arena.heard, listener)
    assert control.fires or control.shows or control.hangs or control.prints, "a control leg that shows nothing"


def wait_for(heard: dict[str, bytes], listener: str) -> bytes:
    """What a listener has heard once something has come, at most a second later."""
    end = time.monotonic() + 1
    while not heard[listener] and time.monotonic() < end:
        time.sleep(0.01)
    return heard[listener]


def print_openly(case: Case, arena: Arena) -> list[str]:
    """What the attack prints in its open container, which cases with the same options share."""
    options = case.file.control.docker or ()
    image = arena.image_of(case)
    group = [case]
    if case.file.batch and not image:
        group = [other for other in BATCH if other.file.control.docker == options and not other.dockerfile]
    key = (image, *options, *(member.name for member in group))
    if key not in arena.printed:
        stage = arena.stage()
        arena.printed[key] = run_openly(
            group,
            [option.replace("{place}", str(stage.place)) for option in options],
            image or arena.base,
            arena.knowledge("control", stage),
            SOCKET,
        )
    return arena.printed[key][case.name]


# --- in a real run ------------------------------------------------------------------------------------------------


def run_case(case: Case, arena: Arena, stage: Stage, policy: str, *, bounded: bool = False) -> Trial:
    """The attack as the agent of a real run; `bounded` by what its repository brings, and by its ceiling."""
    host = real_host(stage.place / "state", arena.home(), SOCKET)
    if bounded:
        host = with_bounds(case, stage, host)
    if case.secret:
        host = with_secret(host, stage.place)
    attempt = Attempt(
        argv=case.argv, policy=policy, environment=arena.knowledge("policy", stage), image=arena.image_of(case)
    )
    return try_it(host, stage.user, attempt)


@each(SINGLE)
def test_a_run_survives_the_attack(case: Case, arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    stage, expected = arena.stage(), case.file.policy
    begin = time.monotonic()

    trial = run_case(case, arena, stage, case.policy_file, bounded=True)

    assert time.monotonic() - begin < expected.within
    assert_answer(case, trial)
    assert_nothing_reached(case, arena, stage, trial)
    monkeypatch.setenv("PADDOCK_STATE_DIR", str(stage.place / "state"))
    monkeypatch.setenv("PADDOCK_ENGINE", f"unix://{SOCKET}")
    if expected.terminal:
        assert_no_escape_reaches_a_terminal(stage, trial, arena.home())
    assert_every_command_is_safe(stage, trial)


def assert_answer(case: Case, trial: Trial) -> None:
    """Outcome, evidence and gates, to the letter."""
    expected, result = case.file.policy, trial.result
    assert [line for line in expected.prints if line not in trial.log()] == [], trial.log()
    assert (result.outcome, result.exit_code) == (expected.outcome, EXIT_CODES[expected.outcome]), result
    assert result.agent_exit_code == expected.agent_exit_code
    assert trial.gates() == expected.gates, trial.details()
    assert [text for text in expected.details if text not in trial.details()] == [], trial.details()
    assert [line for line in expected.diff if line not in trial.diff()] == [], trial.diff()
    if expected.subjects is not None:
        assert tuple(commit.subject for commit in result.commits) == expected.subjects
    if expected.artifacts != "any":
        assert tuple(sorted(each.name for each in result.artifacts)) == tuple(sorted(expected.artifacts))
    assert [text for text in expected.notices if not any(text in each for each in result.notices)] == [], result.notices
    arrived = tuple(branch.inside for branch in result.branches if branch.ref)
    assert arrived == expected.branches
    heads = {branch.ref: branch.head for branch in result.branches if branch.ref}
    listed = git(trial.user, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/paddock/")
    assert dict(line.split() for line in listed.splitlines()) == heads


def assert_nothing_reached(case: Case, arena: Arena, stage: Stage, trial: Trial) -> None:
    """Promises 1, 6 and 8, and no private text anywhere."""
    assert stage.fired() == []
    assert not any("canary-fired" in line for line in trial.diff()), "a canary fired inside"
    assert changed_files(trial.before, trial.user) == []
    assert (stage.private / "secret.txt").read_text() == f"{PRIVATE_TEXT}\n"
    assert leftovers(trial, arena.client, keeps_workspace=case.file.policy.keeps_workspace) == []
    top = [path for path in trial.paths.directory.iterdir() if path != trial.paths.workspace]
    kept = [path for each in top for path in (each, *each.rglob("*")) if path.is_file()]
    assert [path.name for path in kept if PRIVATE_TEXT.encode() in path.read_bytes()] == []
    private = stage.environment()["PRIVATE_COMMIT"]
    listed = git(trial.user, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    assert private not in listed
    assert all(b"policy" not in heard for heard in arena.heard.values())


def assert_every_command_is_safe(stage: Stage, trial: Trial) -> None:
    """Looking, merging and clearing away start nothing of the agent's, and only merging changes the repository."""
    printed = look_at(trial.result.id) | {"prune": command("prune")}
    assert "\x1b" not in printed["show"] + printed["show --json"] + printed["ps -a"]
    assert trial.result.outcome.value in printed["show"]
    assert "Everything is as the record says." in printed["verify"], printed["verify"]
    assert changed_files(trial.before, trial.user) == []
    merged = command("merge", trial.result.id)
    if trial.result.branch:
        assert git(trial.user, "merge-base", "HEAD", trial.result.head) == trial.result.head, merged
    else:
        assert merged == f"{trial.result.id} has no branch to merge."
        assert changed_files(trial.before, trial.user) == []
    if "workspace" in trial.result.paths:
        assert "left work that was not collected" in command("rm", trial.result.id)
    assert command("rm", "--force", trial.result.id).strip() == f"removed {trial.result.id}"
    assert not os.path.lexists(trial.paths.directory)
    assert stage.fired() == []
    assert processes_that_name(stage.place / "state") == []


def assert_no_escape_reaches_a_terminal(stage: Stage, trial: Trial, home: Path) -> None:
    """What a person sees who looks at the run."""
    assert b"\x1b" in trial.paths.agent_log.read_bytes(), "there is nothing to escape"
    for words in LOOKING:
        seen = on_a_terminal((*words, *([trial.result.id] if words[0] != "ps" else [])), stage.place / "state", home)
        assert seen.strip(), words
        assert [byte for byte in ("\x1b", "\x07", "\x9b", "\x9d") if byte in seen] == [], (words, seen)


# --- many attacks in one run --------------------------------------------------------------------------------------


def run_batch(arena: Arena) -> Trial:
    """All attacks that only print something, in one sandbox."""
    if arena.batch is None:
        stage = arena.stage()
        host = real_host(stage.place / "state", arena.home(), SOCKET)
        attacks = (json.dumps([case.name, case.argv]) for case in BATCH if not case.dockerfile)
        argv = ("python3", "-c", (INSIDE / "driver.py").read_text(), *attacks)
        arena.batch = try_it(host, stage.user, Attempt(argv=argv, environment=arena.knowledge("policy", stage)))
        assert stage.fired() == []
    return arena.batch


@each(BATCH)
def test_a_sandbox_gives_the_attack_nothing(case: Case, arena: Arena) -> None:
    printed = sort_lines("\n".join(run_batch(arena).log()))

    assert tuple(printed.get(case.name, ())) == case.file.policy.prints
    assert all(b"policy" not in heard for heard in arena.heard.values())


def test_the_sandbox_of_many_attacks_leaves_nothing_and_changes_nothing(arena: Arena) -> None:
    trial = run_batch(arena)

    assert (trial.result.outcome, trial.gates()) == (Outcome.NO_CHANGES, {})
    assert changed_files(trial.before, trial.user) == []
    assert leftovers(trial, arena.client, keeps_workspace=False) == []


COPIES = {"archive-path", "extract-to-dir", "copy", "export", "commit"}
"""What the engine calls `docker cp` and its like: it would follow what an agent left."""


def test_a_run_asks_the_engine_for_no_copy_no_image_and_no_network(arena: Arena) -> None:
    stage = arena.stage()
    host = real_host(stage.place / "state", arena.home(), SOCKET)
    with all_events() as seen:
        trial = try_it(host, stage.user, Attempt(argv=("sh", "-c", "echo work >work.txt")))
        closed = arena.client.create_host_config(network_mode="none")
        labels = {"paddock.role": "test"}
        control = arena.client.create_container(arena.base, "true", labels=labels, host_config=closed)["Id"]
        try:
            arena.client.start(control)
            list(arena.client.get_archive(control, "/etc/hostname")[0])
        finally:
            arena.client.remove_container(control)

    assert trial.result.outcome is Outcome.COMPLETED
    assert "archive-path" in {event["Action"] for event in seen if event["Actor"]["ID"] == control}, "copies are told"
    run = trial.result.id
    ours = [event for event in seen if event["Actor"]["Attributes"].get("paddock.run") == run]
    assert {"create", "start", "die", "destroy"} <= {event["Action"] for event in ours}
    assert [event["Action"] for event in ours if event["Action"] in COPIES] == []
    containers = {event["Actor"]["ID"] for event in ours}
    joined = {event["Actor"]["Attributes"].get("container") for event in seen if event["Type"] == "network"}
    assert control in joined, "networks are told, also the one without an interface"
    assert not joined & containers


@contextmanager
def all_events() -> Iterator[list[dict[str, Any]]]:
    """Whatever the engine is asked for meanwhile; it remembers no more than 256 of its events."""
    client, seen = connect(), []
    stream = client.events(decode=True)

    def listen() -> None:
        for event in stream:
            seen.append(event)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield seen
        time.sleep(0.5)
    finally:
        stream.close()
        listener.join()
        client.close()


# --- before anything starts ---------------------------------------------------------------------------------------


@each(REFUSALS)
def test_a_run_is_refused_before_anything_starts(case: Case, arena: Arena) -> None:
    stage = arena.stage()
    state = stage.place / "state"
    host = real_host(state, arena.home(), SOCKET)
    if case.secret:
        host = with_secret(host, stage.place, case.secret)
    host = with_bounds(case, stage, host)
    begin = int(time.time())
    before = containers_made(arena.client, str(state), begin)

    with pytest.raises(RefusedError) as caught:
        try_it(host, stage.user, Attempt(argv=case.argv, policy=case.policy_file))

    assert case.file.policy.refused in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.exit_code == EXIT_CODES[case.file.policy.outcome]
    assert containers_made(arena.client, str(state), begin) == before == []
    assert not (state / "runs").exists()


def containers_made(client: APIClient, state: str, since: int) -> list[str]:
    """Names of the containers that the engine was asked to make for a state directory."""
    filters = {"type": "container", "event": "create", "label": f"paddock.state={state}"}
    events = client.events(since=since, until=int(time.time()) + 1, filters=filters, decode=True)
    return [event["Actor"]["Attributes"]["name"] for event in events]


@each(EXAMINATIONS)
def test_the_doctor_tells_the_versions(case: Case, arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PADDOCK_STATE_DIR", str(arena.place / "state"))
    monkeypatch.setenv("PADDOCK_ENGINE", f"unix://{SOCKET}")
    version = arena.client.version()
    versions = {row["Name"].casefold(): row["Version"] for row in version["Components"]}
    versions |= {"git": git(arena.template.user, "version").split()[2]}

    values = [finding["value"] for finding in json.loads(command("doctor", "--json"))]

    for component in case.file.policy.doctor:
        assert [value for value in values if versions[component] in value] != [], values
