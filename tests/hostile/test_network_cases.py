"""Every attack on the network below `cases/`, twice: in a container that is the whole world, and in a real run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pytest
from docker import APIClient

from runner.egress.own_addresses import own_addresses
from runner.model.destinations import parse_destination
from runner.sandbox.images import ImageStore
from tests.conftest import ENGINE_ADDRESS, connect, engine_api
from tests.hostile.case import WORLDS, Case, load_cases
from tests.hostile.key_stage import HANDED, injected_hosts, spellings_of_key
from tests.hostile.network_stage import Seen, run_open_world, run_world
from tests.hostile.real_run import changed_files, command, leftovers, real_host
from tests.hostile.stage import Template, listening, make_template, set_stage

pytestmark = pytest.mark.docker

SOCKET = (ENGINE_ADDRESS or "unix:///var/run/docker.sock").removeprefix("unix://")
CASES = [case for case in load_cases() if case.file.network]
NAMES = sorted({case.file.network.world for case in CASES if case.file.network})
FOUND_WHERE_HANDED = ("spec.json", "task.json", "the engine")
"""Where a variable that an agent is handed can be read if its name tells of no secret: so a search would find it."""

each = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
each_world = pytest.mark.parametrize("world", NAMES)


@dataclass(kw_only=True)
class World:
    """Cases under one policy: they share a container without Paddock, and a sandbox."""

    name: str
    place: Path
    template: Template
    base: str
    known: dict[str, str]

    @property
    def cases(self) -> list[Case]:
        """Its attacks."""
        return [case for case in CASES if case.file.network and case.file.network.world == self.name]

    @property
    def state(self) -> Path:
        """The state directory of its run."""
        return self.place / "state"

    @cached_property
    def printed_openly(self) -> dict[str, list[str]]:
        """What each attack prints where everything is open."""
        return run_open_world(self.cases, self.base, {**self.known, "LEG": "control"}, SOCKET)

    @cached_property
    def seen(self) -> Seen:
        """What became of the attacks in a real run."""
        stage = set_stage(self.template, self.place)
        host = real_host(self.state, self.place, SOCKET)
        return run_world(self.cases, stage, host, {**self.known, "LEG": "policy"})


@dataclass(kw_only=True)
class Worlds:
    """What all attacks of a worker share."""

    place: Path
    client: APIClient
    template: Template
    base: str
    known: dict[str, str]
    heard: dict[str, bytes]
    _made: dict[str, World] = field(default_factory=dict)

    def of(self, name: str) -> World:
        """The world of that name; what ran there once is not run again."""
        if name not in self._made:
            place = self.place / name
            place.mkdir()
            self._made[name] = World(name=name, place=place, template=self.template, base=self.base, known=self.known)
        return self._made[name]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """Repositories, the base image, and listeners of the host that nobody may reach."""
    place = tmp_path_factory.mktemp("network")
    client = connect()
    base = ImageStore(engine_api(), lambda _: None, state_dir=place / "images").base().name
    addresses = sorted(str(one) for one in own_addresses() if one.version == 4 and not one.is_loopback)
    with listening() as (ports, heard):
        yield Worlds(
            place=place,
            client=client,
            template=make_template(place / "template"),
            base=base,
            known={**ports, "HOST_ADDRESSES": json.dumps(addresses)},
            heard=heard,
        )
    client.close()


@each
def test_an_attack_on_the_network_succeeds_where_everything_is_open(case: Case, worlds: Worlds) -> None:
    assert case.file.network
    printed = worlds.of(case.file.network.world).printed_openly[case.name]

    assert case.file.control.prints, "a control leg that shows nothing"
    assert [line for line in case.file.control.prints if line not in printed] == [], printed


@each
def test_the_gateway_and_the_kernel_answer_an_attack_as_they_should(case: Case, worlds: Worlds) -> None:
    expected = case.file.network
    assert expected
    seen = worlds.of(expected.world).seen

    assert tuple(seen.printed.get(case.name, ())) == case.file.policy.prints
    assert [line for line in expected.audit if line not in seen.audit] == [], sorted(seen.audit)
    assert [place for place in expected.dialled if place not in seen.dialled] == [], sorted(seen.dialled)
    assert [name for name in expected.resolved if name not in seen.resolved] == [], sorted(seen.resolved)
    assert seen.trial.result.outcome is case.file.policy.outcome


@each_world
def test_of_all_attacks_of_a_sandbox_nothing_else_got_out(world: str, worlds: Worlds) -> None:
    seen = worlds.of(world).seen
    expected = [case.file.network for case in worlds.of(world).cases if case.file.network]

    assert sorted(seen.audit) == sorted({line for case in expected for line in case.audit})
    assert sorted(seen.dialled) == sorted({place for case in expected for place in case.dialled})
    assert sorted(seen.resolved) == sorted({name for case in expected for name in case.resolved})
    most = [case.hears_at_most for case in expected if case.hears_at_most is not None]
    assert sum(map(len, seen.heard.values())) <= min([*most, 10_000])
    assert all(b"stolen" not in heard for heard in worlds.heard.values())


@each_world
def test_attacks_on_the_network_leave_nothing_and_change_nothing(world: str, worlds: Worlds) -> None:
    seen = worlds.of(world).seen

    assert seen.trial.gates() == {}
    assert changed_files(seen.trial.before, seen.trial.user) == []
    assert leftovers(seen.trial, worlds.client, keeps_workspace=False, network=True) == []


@pytest.mark.parametrize("world", [name for name in NAMES if injected_hosts(name)])
def test_a_key_that_is_injected_is_in_no_file_of_the_run_and_in_no_record_of_the_engine(
    world: str, worlds: Worlds
) -> None:
    seen = worlds.of(world).seen
    files = [path for path in worlds.of(world).state.rglob("*") if path.is_file()]
    places = {path.name: path.read_bytes() for path in files} | {"the engine": seen.engine.encode()}
    found = [name for name, text in places.items() if any(form in text for form in spellings_of_key())]

    assert seen.engine, "nobody asked the engine"
    assert sorted(found) == list(FOUND_WHERE_HANDED if world in HANDED else ())


@each_world
def test_what_an_attacker_asked_for_is_shown_and_suggested_safely(
    world: str, worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = worlds.of(world).seen.trial.result.id
    policy = WORLDS / f"{world}.toml"
    before = policy.read_bytes()
    monkeypatch.setenv("PADDOCK_STATE_DIR", str(worlds.of(world).state))
    monkeypatch.setenv("PADDOCK_ENGINE", f"unix://{SOCKET}")

    shown = [command("network", run), command("network", "--all", run), command("network", "--json", run)]
    suggested = command("policy", "suggest", run)

    assert [text for text in (*shown, suggested) if not text.isascii() or "\x1b" in text or "\r" in text] == []
    entries = [line.split('"')[1] for line in suggested.splitlines() if line.strip().startswith('"')]
    assert [entry for entry in entries if parse_destination(entry).kind != "name"] == []
    assert policy.read_bytes() == before
