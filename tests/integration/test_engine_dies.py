"""The engine restarts, is killed or goes down with the machine while an agent works: told honestly, nothing lost."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli import WORK, Paddock, branches, finish, outside_of_paddock, show, under_way, until
from tests.integration.private_engine import PrivateEngine, private_engine
from tests.unit.repo.sources import git

pytestmark = [pytest.mark.docker, pytest.mark.timeout(240)]  # the first test waits for the image, too

HELD = f"{WORK}; echo ready; i=0; while [ ! -e go ]; do i=$((i+1)); echo $i; sleep 0.05; done; rm go; echo bye"
"""Works, counts aloud, and goes on until a file appears in its workspace."""
LAST = "paddock: uncommitted work"
DEATHS = [signal.SIGTERM, signal.SIGKILL]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    """One engine for all of these tests; it runs before each."""
    engine = private_engine(tmp_path_factory.mktemp("images"))
    yield engine
    engine.close()


@pytest.fixture
def paddock(paddock: Paddock, engine: PrivateEngine) -> Iterator[Paddock]:
    """The command, on that engine; nothing of its runs is left there."""
    paddock.variables["PADDOCK_ENGINE"] = engine.address
    yield paddock
    left = engine.containers()
    for name in left:
        engine.ask(lambda client, name=name: client.remove_container(name, force=True) is None)  # type: ignore[misc]
    assert left == []


def restart(engine: PrivateEngine, *flags: str) -> None:
    """Stop it as it should be stopped, and start it."""
    engine.stop()
    engine.start(*flags)


def let_go(paddock: Paddock) -> None:
    """Let the agent come to its end."""
    (paddock.only_run() / "workspace/go").touch()


def assert_collected(document: dict[str, Any], repository: Path, before: dict[str, str]) -> None:
    assert branches(repository) == [document["branch"]]
    assert show(repository, document["branch"], "committed") == "committed"
    assert show(repository, document["branch"], "left") == "left"
    assert git(repository, "log", "-1", "--format=%s", document["branch"]) == LAST
    assert outside_of_paddock(repository) == before
    assert document["leaks"] == []
    assert "workspace" not in document["paths"]


@pytest.mark.parametrize("death", DEATHS)
def test_an_engine_that_restarts_ends_the_agent_and_its_work_is_collected(
    death: signal.Signals, paddock: Paddock, engine: PrivateEngine, repository: Path
) -> None:
    before = outside_of_paddock(repository)
    with under_way(paddock.started("run", repository, "--json", "--", "sh", "-c", HELD)) as process:
        engine.stop(death)
        engine.start()
        document = finish(process).document

    assert (document["outcome"], document["exit_code"]) == ("engine-failed", 40), document
    assert "engine" in document["reason"]
    assert document["agent_exit_code"] == 143
    assert_collected(document, repository, before)


@pytest.mark.parametrize("death", DEATHS)
def test_an_agent_that_outlives_its_engine_is_heard_on_when_there_is_one_again(
    death: signal.Signals, paddock: Paddock, engine: PrivateEngine, repository: Path
) -> None:
    restart(engine, "--live-restore")
    before = outside_of_paddock(repository)
    with under_way(paddock.started("run", repository, "--json", "--", "sh", "-c", HELD)) as process:
        engine.stop(death)
        engine.start("--live-restore")
        let_go(paddock)
        document = finish(process).document

    assert (document["outcome"], document["reason"]) == ("completed", "")
    first, *counted, last = Path(document["paths"]["log"]).read_text().split()
    assert (first, last) == ("ready", "bye")
    assert counted == [str(number) for number in range(1, len(counted) + 1)], "nothing is missing, nothing doubled"
    assert_collected(document, repository, before)


def test_an_agent_that_ends_while_there_is_no_engine_has_ended_well(
    paddock: Paddock, engine: PrivateEngine, repository: Path
) -> None:
    restart(engine, "--live-restore")
    before = outside_of_paddock(repository)
    with under_way(paddock.started("run", repository, "--json", "--", "sh", "-c", HELD)) as process:
        engine.stop(signal.SIGKILL)
        let_go(paddock)
        engine.start("--live-restore")
        document = finish(process).document

    assert (document["outcome"], document["agent_exit_code"]) == ("completed", 0)
    assert_collected(document, repository, before)


def test_an_engine_that_stays_away_is_not_waited_for_for_ever_and_nothing_is_lost(
    paddock: Paddock, engine: PrivateEngine, repository: Path
) -> None:
    restart(engine)
    before = outside_of_paddock(repository)
    paddock.module = "tests.integration.impatient_paddock"
    with under_way(paddock.started("run", repository, "--json", "--", "sh", "-c", HELD)) as process:
        engine.stop(signal.SIGKILL)
        lost = finish(process).document
    assert (lost["outcome"], lost["agent_exit_code"], branches(repository)) == ("engine-failed", None, [])
    assert lost["leaks"] == ["containers of this run could not be listed: No Docker engine answers."]
    assert (Path(lost["paths"]["workspace"]) / "committed").exists()

    assert paddock("recover").code == 40, "there is still no engine"
    engine.start()
    assert paddock.good("recover").startswith(f"{lost['id']}: engine-failed")
    document = json.loads(paddock.good("show", "last", "--json"))
    assert_collected(document, repository, before)


def test_what_goes_down_with_the_machine_is_recovered_when_that_is_up_again(
    paddock: Paddock, engine: PrivateEngine, repository: Path
) -> None:
    restart(engine)
    before = outside_of_paddock(repository)
    with under_way(paddock.started("run", repository, "--", "sh", "-c", HELD)) as process:
        process.kill()
        engine.power_off()
        process.wait()
    engine.start()

    run = paddock.only_run().name
    assert f"{run}  orphaned" in paddock.good("ps")
    assert paddock.good("recover").startswith(f"{run}: engine-failed")
    assert paddock.good("recover") == "nothing to recover\n"
    document = json.loads(paddock.good("show", run, "--json"))
    assert_collected(document, repository, before)


def test_a_run_that_begins_while_the_engine_restarts_leaves_nothing(
    paddock: Paddock, engine: PrivateEngine, repository: Path
) -> None:
    restart(engine)
    before = outside_of_paddock(repository)
    with under_way(paddock.popen("run", repository, "--json", "--", "sh", "-c", "sleep 30")) as process:
        events = paddock.only_run() / "events.jsonl"
        until(lambda: events.exists() and '"sandbox"' in events.read_text())
        engine.stop(signal.SIGKILL)
        engine.start()
        document = finish(process).document

    assert (document["outcome"], document["branch"], document["leaks"]) == ("engine-failed", "", [])
    assert outside_of_paddock(repository) == before
