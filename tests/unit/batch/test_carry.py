"""A batch from its file to its end, on the fake engine: real runs, real threads, a real ledger."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tenacity.wait import wait_none

from runner.batch.assembly import assemble
from runner.batch.beginning import add_batch, take_over
from runner.batch.carry import Audience, Stops, carry_batch, events_file
from runner.batch.check import Demand, Room, build_images, check_batch, room_of
from runner.batch.conductor import Rules
from runner.batch.settled import WAITS
from runner.errors import RefusedError
from runner.model.batch import Batch, BatchOptions
from runner.model.batch_events import BatchEvent
from runner.run.host import Host
from runner.sandbox.fake import FakeBox
from runner.store.batch_files import read_batch
from runner.store.batches import AttemptRow, Batches
from runner.store.ledger import Ledger
from tests.unit.run.fake_host import FakeHost, collect_here, git


def commits(box: FakeBox) -> int:
    workspace = box.path("/workspace")
    (workspace / "new.txt").write_text("new\n", encoding="utf-8")
    git(workspace, "add", "new.txt")
    git(workspace, "commit", "--quiet", "--message", "add new.txt")
    return 0


class Place:
    """A host, a batch file beside its repository, and what came of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fake = FakeHost(folder)
        self.fake.engine.programs |= {"commits": commits, "nothing": lambda _: 0, "fails": lambda _: 3}
        self.host: Host = replace(self.fake.host(), show=lambda *_: None)
        self.told: list[BatchEvent] = []
        self.stops = Stops()

    def batch(self, text: str) -> Batch:
        """The batch of a file."""
        file = self.folder / "tasks.toml"
        file.write_text(text.replace("REPO", str(self.fake.repository)), encoding="utf-8")
        return assemble(read_batch(file), self.host.settings, self.host.home, self.folder / "templates")

    def carry(self, text: str, *, jobs: int = 4) -> str:
        """Begin a batch and carry it to its end."""
        batch = self.batch(text)
        with Batches(self.host.ledger) as batches:
            demands = check_batch(batch, self.host, self.folder / "templates")
            identifier = add_batch(batch, demands, BatchOptions(), batches, self.host.clock)
        self.go_on(identifier, jobs=jobs)
        return identifier

    def go_on(self, identifier: str, *, jobs: int = 4) -> None:
        """Carry it on, as a process that owns it."""
        rules = Rules(room=Room(cpus=99, memory=2**40, jobs=jobs, providers={}))
        with Batches(self.host.ledger) as batches:
            audience = Audience(tell=self.told.append)
            carry_batch(identifier, batches, rules, self.host, self.folder / "templates", self.stops, audience)

    def rows(self, identifier: str) -> dict[str, AttemptRow]:
        """The last attempt of each task."""
        with Batches(self.host.ledger) as batches:
            names = {row.number: row.name for row in batches.tasks(identifier)}
            return {names[row.task]: row for row in batches.attempts(identifier)}

    def state(self, identifier: str) -> tuple[str, str]:
        """Of the batch itself."""
        with Batches(self.host.ledger) as batches:
            row = batches.find(identifier)
            return row.state, row.why


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


THREE = """
[defaults]
repo_policy = true
[[tasks]]
name = "works"
repo = "REPO"
command = ["commits"]
[[tasks]]
name = "fails"
repo = "REPO"
command = ["fails"]
[[tasks]]
name = "after"
repo = "REPO"
command = ["nothing"]
needs = ["works"]
[[tasks]]
name = "never"
repo = "REPO"
command = ["commits"]
needs = ["fails"]
"""


def test_a_batch_is_carried_to_its_end_and_one_failure_stops_nothing(place: Place) -> None:
    identifier = place.carry(THREE)
    rows = place.rows(identifier)
    assert {name: row.outcome or row.state for name, row in rows.items()} == {
        "works": "completed",
        "fails": "agent-failed",
        "after": "no-changes",
        "never": "skipped",
    }
    assert place.state(identifier) == ("ended", "")
    assert rows["works"].branch in place.fake.branches()
    assert place.fake.engine.boxes == {}


def test_a_task_begins_at_the_branch_of_what_it_needs_and_reads_what_that_left(place: Place) -> None:
    seen: dict[str, object] = {}

    def looks(box: FakeBox) -> int:
        seen["context"] = sorted(path.name for path in box.path("/context").iterdir())
        seen["log"] = git(box.path("/workspace"), "log", "--format=%s")
        return 0

    place.fake.engine.programs["looks"] = looks
    place.carry(THREE.replace('["nothing"]', '["looks"]'))
    assert seen == {"context": ["works.changes.bundle", "works.diff.patch"], "log": "add new.txt\nfirst"}


def test_every_run_of_a_batch_is_known_to_the_ledger_by_its_task(place: Place) -> None:
    identifier = place.carry(THREE)
    rows = place.rows(identifier)
    with Ledger(place.host.ledger) as ledger:
        known = {row.batch: row.id for row in ledger.list()}
    assert known == {f"{identifier}/{row.task}/1/1": row.run for row in rows.values() if row.run}
    assert len(known) == 3


def test_what_happened_is_kept_in_a_file(place: Place) -> None:
    identifier = place.carry(THREE)
    kept = events_file(place.host.settings.state_dir, identifier).read_bytes().splitlines()
    assert [BatchEvent.model_validate_json(line) for line in kept] == place.told
    assert [event.kind for event in place.told if event.task == "never"] == ["skipped"]


def test_no_more_run_at_one_time_than_there_are_jobs(place: Place) -> None:
    at_work, most, lock = [0], [0], threading.Lock()

    def counts(_: FakeBox) -> int:
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        threading.Event().wait(0.1)
        with lock:
            at_work[0] -= 1
        return 0

    place.fake.engine.programs["counts"] = counts
    place.carry("".join(f'[[tasks]]\nname = "t{n}"\nrepo = "REPO"\ncommand = ["counts"]\n' for n in range(6)), jobs=2)
    assert most == [2]


def stubborn(begun: threading.Event) -> object:
    def waits(box: FakeBox) -> int:
        begun.set()
        (box.path("/workspace") / "half.txt").write_text("half\n", encoding="utf-8")
        while not box.received:
            threading.Event().wait(0.02)
        return 143

    return waits


WAITING = """
[[tasks]]
name = "one"
repo = "REPO"
command = ["waits"]
[[tasks]]
name = "two"
repo = "REPO"
command = ["commits"]
"""


def carried(place: Place, text: str) -> tuple[threading.Thread, list[str]]:
    """A batch under way in another thread."""
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(place.carry(text, jobs=1)))
    thread.start()
    return thread, found


def test_a_second_request_to_stop_ends_what_runs_and_collects_it_and_the_rest_can_be_gone_on_with(place: Place) -> None:
    begun = threading.Event()
    place.fake.engine.programs["waits"] = stubborn(begun)  # type: ignore[assignment]
    thread, found = carried(place, WAITING)
    assert begun.wait(20)
    place.stops.ask()
    place.stops.ask()
    thread.join(30)
    (identifier,) = found
    rows = place.rows(identifier)
    assert (rows["one"].outcome, rows["one"].commits, rows["two"].state) == ("cancelled", 1, "queued")
    assert place.state(identifier) == ("stopped", "Stopped")
    place.stops.times = 0
    place.go_on(identifier)
    assert place.rows(identifier)["two"].outcome == "completed"
    assert place.rows(identifier)["one"].tries == 1
    assert place.state(identifier) == ("ended", "")


def test_one_run_of_a_batch_can_be_stopped_and_the_others_go_on(place: Place) -> None:
    begun = threading.Event()
    place.fake.engine.programs["waits"] = stubborn(begun)  # type: ignore[assignment]
    thread, found = carried(place, WAITING)
    assert begun.wait(20)
    with Batches(place.host.ledger) as batches:
        batches.ask_attempt_stop(batches.find("last").id, 1, 1, 1)
    thread.join(30)
    rows = place.rows(found[0])
    assert (rows["one"].outcome, rows["two"].outcome) == ("cancelled", "completed")


def test_a_bug_in_one_task_is_told_and_the_others_go_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    create = place.fake.engine.create

    def breaks(spec, secrets):  # type: ignore[no-untyped-def]
        if spec.argv == ("fails",):
            raise ZeroDivisionError("odd")
        return create(spec, secrets)

    monkeypatch.setattr(place.fake.engine, "create", breaks)
    rows = place.rows(place.carry(THREE))
    assert (rows["fails"].outcome, rows["works"].outcome) == ("engine-failed", "completed")
    assert "bug in Paddock: ZeroDivisionError" in rows["fails"].reason


def test_work_that_the_engine_kept_from_coming_out_is_collected_later_and_its_agent_is_not_run_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[str] = []
    ends = iter([137])  # of the collector, as by `docker kill`

    def works(box: FakeBox) -> int:
        began.append(box.id)
        return commits(box)

    monkeypatch.setitem(WAITS, "engine", wait_none())
    place.fake.engine.programs |= {"works": works, "collector": lambda box: next(ends, 0) or collect_here(box)}
    identifier = place.carry('[[tasks]]\nname = "one"\nrepo = "REPO"\ncommand = ["works"]\n')
    row = place.rows(identifier)["one"]
    assert (row.outcome, row.commits, row.tries, row.failures, len(began)) == ("completed", 1, 1, 1, 1)
    assert [branch for branch in place.fake.branches() if branch != "main"] == [row.branch]


def test_a_batch_that_somebody_carries_out_is_not_taken_from_them(place: Place) -> None:
    identifier = place.carry(THREE)
    with Batches(place.host.ledger) as batches:
        row = batches.find(identifier)
        take_over(row, batches)  # it is over, so anybody may go on with it
        with pytest.raises(RefusedError, match="is being carried out by process"):
            take_over(batches.find(identifier), batches)


# --- looked at before anything starts


def faults(place: Place, text: str) -> list[str]:
    batch = place.batch(text)
    with pytest.raises(RefusedError) as error:
        check_batch(batch, place.host, place.folder / "templates")
    return [line.replace(f"{place.folder}/", "") for line in error.value.message.splitlines()]


def test_everything_that_would_keep_a_task_from_its_start_is_told_with_its_place(place: Place) -> None:
    (place.folder / "large.toml").write_text('[limits]\nmemory = "9TiB"\n', encoding="utf-8")
    told = faults(
        place,
        """[[tasks]]
repo = "gone"
command = ["x"]
[[tasks]]
repo = "REPO"
name = "policy"
command = ["x"]
policy = "ofline"
[[tasks]]
repo = "REPO"
name = "agent"
agent = "clod"
prompt = "x"
[[tasks]]
repo = "REPO"
name = "key"
agent = "claude"
prompt = "x"
[[tasks]]
repo = "REPO"
name = "silent"
agent = "claude"
[[tasks]]
repo = "REPO"
name = "large"
command = ["x"]
policy = "large.toml"
[[tasks]]
repo = "REPO"
name = "image"
command = ["x"]
image = "claude+cobol"
[[tasks]]
repo = "REPO"
name = "base"
command = ["x"]
base = "nowhere"
""",
    )
    assert [line.partition(": ")[0] for line in told] == [f"tasks.toml:{n}" for n in (1, 4, 9, 14, 19, 23, 28, 33)]
    words = ["gone", "ofline", "clod", "ANTHROPIC_API_KEY", "needs a prompt", "limits.memory", "cobol", "nowhere"]
    assert [word for word, line in zip(words, told, strict=True) if word not in line] == []
    assert place.fake.engine.boxes == {}


def test_nothing_may_stand_where_a_task_reads_what_it_needs(place: Place) -> None:
    (place.folder / "data").mkdir()
    mount = f'[[mounts]]\nsource = "{place.folder}/data"\ntarget = "/context/mine"\n'
    (place.folder / "mounts.toml").write_text(mount, encoding="utf-8")
    task = '[[tasks]]\nrepo = "REPO"\nname = "{}"\ncommand = ["nothing"]\npolicy = "mounts.toml"\n'
    first, second = task.format("one"), task.format("two") + 'needs = ["one"]\n'
    (fault,) = faults(place, first + second)
    assert fault.startswith("tasks.toml:6: two: ")
    assert "/context" in fault


def test_a_task_takes_up_what_its_policy_grants(place: Place) -> None:
    (place.folder / "small.toml").write_text('[limits]\ncpus = 0.5\nmemory = "256MiB"\n', encoding="utf-8")
    batch = place.batch('[[tasks]]\nrepo = "REPO"\ncommand = ["x"]\npolicy = "small.toml"\n')
    assert check_batch(batch, place.host, place.folder) == [Demand(0.5, 256 * 2**20)]


def test_more_memory_than_the_machine_has_is_never_handed_out(place: Place) -> None:
    task = '[[tasks]]\nrepo = "REPO"\ncommand = ["nothing"]\n'
    assert "machine.memory" in faults(place, task + '[machine]\nmemory = "900TiB"\n')[0]
    batch = place.batch(task + '[machine]\nmemory = "5GiB"\ncpus = 64.0\n')
    build_images(batch, place.host)
    room = room_of(batch.bounds, place.host.engine.facts(), jobs=3)
    assert (room.cpus, room.memory, room.jobs) == (64.0, 5 * 2**30, 3)
