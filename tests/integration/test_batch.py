"""Batches with a real engine: killed, gone on with, stopped, tried again; every task is done exactly once."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from docker import APIClient

from tests.integration.cli import Paddock, branches, finish, under_way, until
from tests.unit.repo.sources import make_repository
from tests.unit.report.pages import Page

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

MARKED = (
    'echo began >> "/seen/$TASK"; sleep {seconds}; echo x > "$TASK"; git add .; git commit -qm "$TASK"; '
    'echo done >> "/seen/$TASK"'
)


@dataclass
class Shop:
    """Three repositories, and a folder in which every agent leaves a mark: what Paddock itself cannot make up."""

    paddock: Paddock
    folder: Path

    def __post_init__(self) -> None:
        for name in ("a", "b", "c"):
            make_repository(self.folder / name)
        self.seen.mkdir()
        self.seen.chmod(0o777)
        mount = f'[[mounts]]\nsource = "{self.seen}"\ntarget = "/seen"\nmode = "rw"\n'
        (self.folder / "marks.toml").write_text(f'[limits]\ncpus = 0.5\nmemory = "256MiB"\n{mount}')

    @property
    def seen(self) -> Path:
        return self.folder / "seen"

    def task(self, repo: str, number: int, *, seconds: float = 1, more: str = "", end: str = "") -> str:
        """One task that leaves its marks, then what `end` says."""
        name = f"{repo}{number}"
        script = MARKED.format(seconds=seconds) + (f"; {end}" if end else "")
        env = f'env = {{ TASK = "{name}" }}\n'
        return f'[[tasks]]\nname = "{name}"\nrepo = "{repo}"\n{env}{more}command = ["sh", "-c", {json.dumps(script)}]\n'

    def file(self, *tasks: str, more: str = "") -> Path:
        """A batch file."""
        path = self.folder / "tasks.toml"
        path.write_text(f'[defaults]\npolicy = "marks.toml"\n[machine]\ncpus = 4.0\n{more}\n' + "".join(tasks))
        return path

    def marks(self) -> dict[str, list[str]]:
        """What each agent left."""
        return {path.name: path.read_text().split() for path in sorted(self.seen.iterdir())}

    def status(self) -> dict[str, Any]:
        """The newest batch."""
        document: dict[str, Any] = json.loads(self.paddock.good("batch", "status", "last", "--json"))
        return document

    def outcomes(self) -> dict[str, str]:
        """Of each task."""
        return {task["name"]: task["state"] for task in self.status()["tasks"]}


@pytest.fixture
def shop(paddock: Paddock, tmp_path: Path) -> Shop:
    return Shop(paddock, tmp_path)


def assert_each_done_once(shop: Shop, client: APIClient) -> None:
    """Every agent began once and ended once, has one run that is not cancelled, and one branch; nothing is left."""
    status = shop.status()
    names = {task["name"] for task in status["tasks"]}
    assert shop.marks() == {name: ["began", "done"] for name in sorted(names)}
    found = [branch for repo in ("a", "b", "c") for branch in branches(shop.folder / repo)]
    assert sorted(found) == sorted(task["branch"] for task in status["tasks"])
    rows = json.loads(shop.paddock.good("ps", "--all", "--json"))
    assert {row["state"] for row in rows} <= {"completed", "agent-failed", "cancelled"}
    assert not client.containers(all=True, filters={"label": f"paddock.state={shop.paddock.state}"})


def test_a_batch_that_is_killed_in_the_middle_is_gone_on_with_and_every_task_is_done_exactly_once(
    shop: Shop, docker_client: APIClient
) -> None:
    tasks = [shop.task(repo, number, seconds=number) for number in (1, 3) for repo in ("a", "b")]
    file = shop.file(*tasks, shop.task("c", 1), shop.task("c", 2, end="exit 7"))
    process = shop.paddock.popen("batch", "run", file, "--jobs", "3")
    with under_way(process):
        until(lambda: any("done" in marks for marks in shop.marks().values()) and len(shop.marks()) > 2)
        process.kill()
        process.communicate()
    assert shop.status()["state"] == "interrupted"
    done = shop.paddock("batch", "resume", "last")
    assert done.code == 18, done.err
    assert shop.outcomes() == {name: "completed" for name in ("a1", "b1", "a3", "b3", "c1")} | {"c2": "agent-failed"}
    assert_each_done_once(shop, docker_client)
    assert shop.paddock("batch", "resume", "last").code == 30, "there is nothing left to go on with"


def test_a_batch_that_is_killed_again_and_again_does_every_task_exactly_once(
    shop: Shop, docker_client: APIClient
) -> None:
    file = shop.file(*(shop.task(repo, number, seconds=0.5) for repo in ("a", "b", "c") for number in range(3)))
    argv: tuple[str | Path, ...] = ("batch", "run", file)
    for seconds in (1.5, 2.0, 2.6, 3.1):
        process = shop.paddock.popen(*argv, "--jobs", "4")
        with under_way(process):
            until(lambda: shop.paddock("batch", "status", "last").code == 0)
            time.sleep(seconds)
            process.kill()
            process.communicate()
        argv = ("batch", "resume", "last")
        if shop.status()["state"] == "ended":
            break
    if shop.status()["state"] != "ended":
        shop.paddock.good(*argv)
    assert set(shop.outcomes().values()) == {"completed"}
    assert_each_done_once(shop, docker_client)


def test_ctrl_c_lets_what_runs_end_and_begins_nothing_new_and_twice_stops_it(shop: Shop) -> None:
    file = shop.file(shop.task("a", 1, seconds=3), shop.task("b", 1), shop.task("c", 1, seconds=60))
    process = shop.paddock.popen("batch", "run", file, "--jobs", "1")
    with under_way(process):
        until(lambda: "a1" in shop.marks())
        process.send_signal(signal.SIGINT)
        assert finish(process).code == 130
    assert shop.outcomes() == {"a1": "completed", "b1": "queued", "c1": "queued"}
    process = shop.paddock.popen("batch", "resume", "last", "--jobs", "3")
    with under_way(process):
        until(lambda: "c1" in shop.marks() and shop.outcomes()["b1"] == "completed")
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
        done = finish(process)
    assert shop.outcomes() == {"a1": "completed", "b1": "completed", "c1": "cancelled"}
    assert done.code == 18, "nothing is left to go on with, and one task did not succeed"
    assert shop.marks()["a1"] == ["began", "done"]


def test_one_run_is_stopped_by_its_own_id_and_the_batch_goes_on(shop: Shop) -> None:
    process = shop.paddock.popen(
        "batch", "run", shop.file(shop.task("a", 1, seconds=60), shop.task("b", 1)), "--jobs", "1"
    )
    with under_way(process):
        until(lambda: "a1" in shop.marks())
        run = until(lambda: shop.status()["tasks"][0]["run"])
        assert "cancelled" in shop.paddock.good("stop", run)
        assert finish(process).code == 18
    assert shop.outcomes() == {"a1": "cancelled", "b1": "completed"}
    assert shop.paddock.good("batch", "logs", "last", "b1") == ""
    shown = shop.paddock.good("batch", "logs", "last")
    assert "a1: cancelled" in shown
    assert "b1: completed" in shown


def test_what_failed_is_made_anew_when_asked_and_what_needed_it_follows(shop: Shop) -> None:
    script = json.dumps("test -e /seen/open && echo x > x && git add x && git commit -qm x")
    tasks = (
        f'[[tasks]]\nname = "door"\nrepo = "a"\ncommand = ["sh", "-c", {script}]\n',
        shop.task("a", 1, more='needs = ["door"]\n', end="test -e x"),
    )
    assert shop.paddock("batch", "run", shop.file(*tasks)).code == 18
    assert shop.outcomes() == {"door": "agent-failed", "a1": "skipped"}
    (shop.seen / "open").touch()
    shop.paddock.good("batch", "retry", "last")
    assert shop.outcomes() == {"door": "completed", "a1": "completed"}
    assert [task["attempts"][0]["tries"] for task in shop.status()["tasks"]] == [2, 1]


def test_the_same_file_again_is_refused_while_it_is_not_done_and_a_changed_one_is_a_new_batch(shop: Shop) -> None:
    file = shop.file(shop.task("a", 1, seconds=2), shop.task("b", 1))
    process = shop.paddock.popen("batch", "run", file, "--jobs", "1")
    with under_way(process):
        until(lambda: "a1" in shop.marks())
        process.send_signal(signal.SIGINT)
        process.communicate()
    first = shop.status()["id"]
    again = shop.paddock("batch", "run", file)
    assert (again.code, first in again.err) == (30, True)
    shop.file(shop.task("c", 1, seconds=0))
    changed = shop.paddock("batch", "run", file)
    assert changed.code == 0
    assert f"has changed since {first}" in changed.err
    assert f"{first} goes on as it was" in shop.paddock("batch", "resume", first).err
    assert set(shop.marks()) == {"a1", "b1", "c1"}


def test_a_url_is_cloned_once_for_all_its_tasks(shop: Shop) -> None:
    url = f"file://{shop.folder}/a"
    tasks = [shop.task("a", number, seconds=0).replace('repo = "a"', f'repo = "{url}"') for number in (1, 2, 3)]
    document = json.loads(shop.paddock.good("batch", "run", shop.file(*tasks), "--json"))
    assert [task["ok"] for task in document["tasks"]] == [True] * 3
    clones = [path.name for path in (shop.paddock.state / "clones").iterdir() if path.suffix == ".git"]
    assert len(clones) == 1
    assert branches(shop.folder / "a") == []


def test_a_plan_starts_nothing_and_shows_every_task(shop: Shop, docker_client: APIClient) -> None:
    file = shop.file(shop.task("a", 1), shop.task("b", 1, more='needs = ["a1"]\n'))
    shown = shop.paddock.good("batch", "plan", file)
    assert "a1" in shown
    assert "2 tasks, 2 runs, 2 repositories" in shown
    assert not (shop.paddock.state / "runs").exists()
    refused = shop.paddock("batch", "plan", shop.file(shop.task("gone", 1)))
    assert refused.code == 30
    assert f"{file}:6: gone1:" in refused.err


HOSTILE = "</script><img src=x onerror=alert(1)>]]>"


def test_the_report_of_agents_that_write_markup_has_their_words_as_text_and_nothing_else(shop: Shop) -> None:
    write = f"echo '{HOSTILE}' > '=1+1 <b>'; git add .; git commit -qm '{HOSTILE}'; printf '\\033[2J{HOSTILE}'"
    file = shop.file(
        shop.task("a", 1, seconds=0, more=f"check = \"echo '{HOSTILE}'; test $TASK = a1\"\n", end=write),
        shop.task("b", 1, seconds=0, more=f"check = \"echo '{HOSTILE}'; exit 1\"\n", end=write),
    )
    shop.paddock("batch", "run", file)
    assert shop.outcomes() == {"a1": "completed", "b1": "check-failed"}
    forms = {form: shop.paddock.good("batch", "report", "last", "--format", form) for form in ("md", "csv", "junit")}
    shop.paddock.good("batch", "report", "last", "--output", shop.folder / "r.html")
    page = Page((shop.folder / "r.html").read_text())
    page.hold()
    assert HOSTILE in page.text("li"), "as a commit's subject"
    assert f"+{HOSTILE}" in page.text("span"), "in a diff"
    assert HOSTILE in page.text("pre"), "as what the check printed"
    assert [form for form, text in forms.items() if "\x1b" in text or "a1" not in text] == []
    root = ElementTree.fromstring(forms["junit"])  # noqa: S314 - our own
    assert (root.get("failures"), len(root.findall("testsuite"))) == ("2", 2)
