"""Who is told of a batch: of its end, of failures in bunches, without secrets, and never for long."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.batch.beginning import add_batch
from runner.batch.carry import Audience, events_file
from runner.batch.check import check_batch
from runner.batch.notifying import Notifier, notifier_of
from runner.library.batching import carry_on
from runner.model.batch import BatchOptions
from runner.model.batch_result import BatchResult
from runner.model.notification import Notification
from runner.model.notify_settings import NotifySettings
from runner.model.settings import SecretSource
from runner.store.batches import Batches
from tests.unit.batch.test_carry import Place
from tests.unit.notify.test_programs import program
from tests.unit.notify.test_webhook import serving

TASKS = "".join(f'[[tasks]]\nname = "{name}"\nrepo = "REPO"\ncommand = ["{word}"]\n' for name, word in (
    ("good", "nothing"), ("bad", "fails"), ("worse", "fails"), ("last", "nothing"),
))  # fmt: skip
SECRET = "a-secret-value"


class Told:
    """A command that keeps what it is told, and a batch that it is told of."""

    def __init__(self, folder: Path) -> None:
        self.place = Place(folder)
        self.kept = folder / "kept"
        self.argv = (str(program(folder / "tell", f'#!/bin/sh\ncat >> "{self.kept}"\necho >> "{self.kept}"\n')),)
        self.place.host = replace(self.place.host, variable={"KEY": SECRET}.get)

    def carry(self, notifier: Notifier, text: str = TASKS) -> BatchResult:
        """All of it, one task after the other."""
        place = self.place
        batch = place.batch(text)
        with Batches(place.host.ledger) as batches:
            demands = check_batch(batch, place.host, place.folder / "templates")
            identifier = add_batch(batch, demands, BatchOptions(jobs=1), batches, place.host.clock)
        return carry_on(identifier, place.host, place.stops, Audience(tell=place.told.append), notifier)

    def messages(self) -> list[Notification]:
        """What came, in its order."""
        return [Notification.model_validate_json(line) for line in self.kept.read_text().splitlines() if line]

    def notices(self) -> list[str]:
        """What was said to whoever watches."""
        return [event.text for event in self.place.told if event.kind == "notice"]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


def settings(**details: Any) -> NotifySettings:
    return NotifySettings.model_validate(details)


def test_the_end_is_told_once_with_what_failed(told: Told) -> None:
    result = told.carry(notifier_of(settings(command=told.argv)))
    (message,) = told.messages()
    assert (message.event, message.batch, message.state) == ("end", result.id, "ended")
    assert (message.total, message.succeeded, message.failed) == (4, 2, 2)
    assert [(each.task, each.outcome) for each in message.failures] == [
        ("bad", "agent-failed"),
        ("worse", "agent-failed"),
    ]
    assert message.title == f"Paddock: {result.id} ended"
    assert message.text.startswith("2 of 4 tasks succeeded, 2 failed\nbad: agent-failed")
    assert told.notices() == []


def test_failures_are_told_as_they_come_and_those_that_follow_soon_go_together(told: Told) -> None:
    told.carry(notifier_of(settings(command=told.argv, on=["failure"]), spacing=600))
    first, rest = told.messages()
    assert ([each.task for each in first.failures], first.state) == (["bad"], "running")
    assert [each.task for each in rest.failures] == ["worse"], "what was held back is told at the end"
    assert first.title.startswith("Paddock: a task of ")


def test_nobody_is_told_where_nothing_is_settled(told: Told) -> None:
    for nobody in (None, settings(), settings(on=[], command=told.argv)):
        told.carry(notifier_of(nobody), TASKS[: TASKS.index("[[tasks]]", 5)])
    assert not told.kept.exists()


def test_a_failure_to_tell_is_told_and_kept_and_the_batch_ends_as_it_would(told: Told) -> None:
    webhook = {"url_secret": "NONE"}
    result = told.carry(notifier_of(settings(command=["false"], webhook=webhook)))
    assert (result.state, result.exit_code) == ("ended", 18)
    assert sorted(told.notices()) == [
        "You could not be notified: false ended with 1",
        "You could not be notified: the webhook: the variable NONE is not set",
    ]
    lines = events_file(told.place.host.settings.state_dir, result.id).read_text()
    assert lines.count("You could not be notified") == 2


def test_whoever_hangs_holds_the_batch_up_for_no_longer_than_allowed(told: Told) -> None:
    began = time.monotonic()
    told.carry(notifier_of(settings(command=["sleep", "60"], on=["failure", "end"]), patience=0.4, spacing=0.0))
    assert time.monotonic() - began < 20
    assert set(told.notices()) == {"You could not be notified: sleep took longer than 0.4 s and was killed"}


def test_no_message_holds_a_secret_or_a_control_code_of_an_agents(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = f"\x1b[31m{SECRET}\u202e\r\n--icon=x " + "x" * 10_000
    monkeypatch.setattr("runner.batch.worker.settled_of", _reason(hostile))
    with serving(200) as server:
        webhook = {"url": server.url, "header": "X-Key", "secret": "KEY"}
        told.carry(notifier_of(settings(webhook=webhook, command=told.argv)))
    ((_, headers, body),) = server.seen
    assert headers["X-Key"] == SECRET
    assert (SECRET.encode() in body, len(body) < 20_000) == (False, True)
    message = Notification.model_validate_json(body)
    assert message == told.messages()[0]
    assert all(line.isprintable() for line in message.text.splitlines())
    assert message.failures[0].reason.startswith("\\x1b[31m[secret]\\u202e")
    assert len(message.text) <= 1000
    assert json.loads(body)["failures"][0]["task"] == "good"


def _reason(text: str) -> Any:
    from runner.batch.settled import Settled

    return lambda result, **_: Settled("agent-failed", ok=False, fault="agent", run=result.id, reason=text)


def test_a_secret_may_be_the_url_and_comes_from_where_the_settings_say(told: Told) -> None:
    with serving(500) as server:
        host = told.place.host
        source = {"HOOK": SecretSource(env="OTHER")}
        told.place.host = replace(
            host, settings=host.settings.model_copy(update={"secrets": source}), variable={"OTHER": server.url}.get
        )
        told.carry(notifier_of(settings(webhook={"url_secret": "HOOK"}), patience=0.5), TASKS)
    assert server.seen
    (notice,) = told.notices()
    assert "the webhook at 127.0.0.1" in notice
    assert "/hook" not in notice
