"""Tells the user's desktop, webhook and command of a batch. What fails there is told, and holds no batch up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from queue import Empty, SimpleQueue

from runner.batch.carry import Audience, Recorder, events_file
from runner.batch.conductor import Conductor
from runner.batch.fitting import Key
from runner.batch.live import Live
from runner.batch.standing import TaskState, task_states
from runner.clock import timestamp
from runner.escape import escape_text
from runner.model.batch_events import BatchEvent
from runner.model.notification import FailedTask, Notification
from runner.model.notify_settings import NotifyEvent, NotifySettings, Webhook, url_fault
from runner.model.settings import SecretSource
from runner.notify.desktop import tell_desktop
from runner.notify.programs import tell_program
from runner.notify.webhook import Receiver, tell_webhook
from runner.redact import Redactor
from runner.run.host import Host
from runner.store.batches import RUNNING, Batches
from runner.store.secret_sources import NoSecretError, Secret, load_secret

PATIENCE = 15.0
"""Seconds that all that is told at one time may take."""
SPACING = 30.0
"""Seconds from one failure that is told to the next: those between go into one message."""
MOST_FAILURES = 20
MOST_REASON = 500
MOST_TEXT = 1000

Channel = Callable[[Notification, float], str]
"""Tells somebody within so many seconds; what went wrong, or nothing."""
Notifier = Callable[[str, Batches, Host, Audience], AbstractContextManager[Audience]]
"""A scope around a batch's work; who hears of it in the scope hears what could not be told, too."""


@contextmanager
def not_notified(_batch: str, _batches: Batches, _host: Host, audience: Audience) -> Iterator[Audience]:
    """Nobody is told."""
    yield audience


def notifier_of(settings: NotifySettings | None, *, patience: float = PATIENCE, spacing: float = SPACING) -> Notifier:
    """Who is told of a batch, by `[notify]`."""
    if settings is None or not settings.tells:
        return not_notified
    return partial(_notified, settings, patience, spacing)


@contextmanager
def _notified(  # noqa: PLR0913, PLR0917 - the settings, and what every notifier takes
    notify: NotifySettings,
    patience: float,
    spacing: float,
    batch: str,
    batches: Batches,
    host: Host,
    audience: Audience,
) -> Iterator[Audience]:
    """The batch's own audience, and those that `[notify]` names."""
    heralds = Heralds(patience)
    recorder = Recorder(events_file(host.settings.state_dir, batch), audience.tell)
    watch = Watch(batch, batches, host, notify, heralds, spacing=spacing, tell=recorder)
    heralds.channels, watch.secrets = channels_of(notify, host, heralds.troubles)

    def tell(event: BatchEvent) -> None:
        audience.tell(event)
        watch.heard(event)

    def look(conductor: Conductor, lives: Mapping[Key, Live]) -> None:
        watch.turn()
        audience.look(conductor, lives)

    yield Audience(tell=tell, look=look)
    watch.end()


class Heralds:
    """Those that carry messages to the user, each in a thread of its own."""

    def __init__(self, patience: float) -> None:
        self.channels: Sequence[Channel] = ()
        self.troubles: SimpleQueue[str] = SimpleQueue()
        """What went wrong, in words."""
        self._patience = patience
        self._threads: list[threading.Thread] = []

    @property
    def busy(self) -> bool:
        """Whether a message is still under way."""
        return any(thread.is_alive() for thread in self._threads)

    def send(self, message: Notification) -> None:
        """Begin to tell everybody."""
        self._threads = [
            threading.Thread(target=self._tell, args=(channel, message), name="notify", daemon=True)
            for channel in self.channels
        ]
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Until everybody was told, or could not be: each channel bounds itself."""
        for thread in self._threads:
            thread.join(self._patience + 1)

    def _tell(self, channel: Channel, message: Notification) -> None:
        if trouble := channel(message, self._patience):
            self.troubles.put(trouble)


class Watch:
    """Hears what happens in a batch, in the batch's own thread, and makes messages of it."""

    def __init__(  # noqa: PLR0913 - what it hears of, and whom it tells
        self,
        batch: str,
        batches: Batches,
        host: Host,
        notify: NotifySettings,
        heralds: Heralds,
        *,
        spacing: float,
        tell: Callable[[BatchEvent], None],
    ) -> None:
        self._batch, self._batches, self._host, self._on, self._heralds = batch, batches, host, notify.on, heralds
        self._spacing, self._tell = spacing, tell
        self._tasks = {row.name: row for row in batches.tasks(batch)} if "failure" in notify.on else {}
        self._new: list[FailedTask] = []
        self._not_before = host.clock.monotonic()
        self.secrets: Sequence[str] = ()
        """Values that no message may hold."""

    def heard(self, event: BatchEvent) -> None:
        """Something happened: a task that failed for good is told, with others that fail soon after."""
        if event.kind != "ended" or "failure" not in self._on:
            return
        task = self._tasks[event.task]
        state = TaskState(task, self._batches.attempts(self._batch, task.number))
        if state.failed:
            self._new.append(self._failed(state))
            self.turn()

    def turn(self) -> None:
        """Tell what is to be told by now; say what could not be."""
        self._say_troubles()
        if self._new and not self._heralds.busy and self._host.clock.monotonic() >= self._not_before:
            self._send_failures()

    def end(self) -> None:
        """The batch is over, or was stopped. Returns when everybody was told, or could not be."""
        self._heralds.wait()
        if "end" in self._on:
            states = task_states(self._batch, self._batches)
            failures = [self._failed(each) for each in states if each.failed]
            self._heralds.send(self._message("end", states, failures, "{batch} {state}"))
        elif self._new:
            self._send_failures()
        self._heralds.wait()
        self._say_troubles()

    def _send_failures(self) -> None:
        failures, self._new = self._new, []
        self._not_before = self._host.clock.monotonic() + self._spacing
        which = "a task" if len(failures) == 1 else f"{len(failures)} tasks"
        states = task_states(self._batch, self._batches)
        self._heralds.send(self._message("failure", states, failures, which + " of {batch} failed"))

    def _message(
        self, event: NotifyEvent, states: Sequence[TaskState], failures: Sequence[FailedTask], title: str
    ) -> Notification:
        row = self._batches.find(self._batch)
        state = RUNNING if event == "failure" else row.state
        good, failed = sum(each.ok for each in states), sum(each.failed for each in states)
        cost = sum(each.cost_usd for each in states)
        lines = [f"{good} of {len(states)} tasks succeeded, {failed} failed" + (f", {cost:.2f} USD" if cost else "")]
        lines += [f"why it was stopped: {row.why}"] if row.why else []
        lines += [": ".join(filter(None, (each.task, each.outcome, each.reason))) for each in failures]
        return Notification(
            event=event,
            batch=row.id,
            file=escape_text(row.file),
            state=state,
            title="Paddock: " + title.format(batch=row.id, state=state),
            text=self._shown("\n".join(lines), MOST_TEXT),
            total=len(states),
            succeeded=good,
            failed=failed,
            cost_usd=cost,
            failures=tuple(failures[:MOST_FAILURES]),
        )

    def _failed(self, state: TaskState) -> FailedTask:
        best, reason = state.best, self._shown(state.best.reason, MOST_REASON)
        return FailedTask(task=state.task.name, outcome=state.word, reason=reason, run=best.run, branch=best.branch)

    def _shown(self, text: str, most: int) -> str:
        """A text that an agent may have had a word in: secrets masked, harmless, and not longer than that."""
        redactor = Redactor(self.secrets)
        masked = redactor.feed(text.encode("utf-8", "backslashreplace")) + redactor.flush()
        plain = escape_text(masked.decode(), newline=True)
        return plain if len(plain) <= most else plain[: most - 3] + "..."

    def _say_troubles(self) -> None:
        while True:
            try:
                trouble = self._heralds.troubles.get_nowait()
            except Empty:
                return
            at = timestamp(self._host.clock.now())
            self._tell(BatchEvent(at=at, kind="notice", text=f"You could not be notified: {trouble}"))


def channels_of(notify: NotifySettings, host: Host, troubles: SimpleQueue[str]) -> tuple[list[Channel], list[str]]:
    """Whom to tell, and the secrets that this takes. One that has none is left out, which is a trouble."""
    channels: list[Channel] = [tell_desktop] if notify.desktop else []
    secrets: list[str] = []
    if notify.command:
        program, *more = notify.command
        argv = (str(host.home / program[2:]) if program.startswith("~/") else program, *more)
        channels.append(lambda message, seconds: tell_program(argv, message.model_dump_json().encode(), seconds))
    if notify.webhook is not None:
        try:
            receiver, secrets = receiver_of(notify.webhook, host)
            channels.append(partial(tell_webhook, receiver))
        except NoSecretError as error:
            troubles.put(f"the webhook: {error}")
    return channels, secrets


def receiver_of(webhook: Webhook, host: Host) -> tuple[Receiver, list[str]]:
    """The webhook with its secrets, and their values. Raises `NoSecretError`."""

    def value(name: str) -> Secret:
        return load_secret(host.settings.secrets.get(name, SecretSource(env=name)), host.variable)

    url = value(webhook.url_secret) if webhook.url_secret else webhook.url
    if fault := url_fault(url):
        raise NoSecretError(f"the URL {fault}")
    headers = {webhook.header: value(webhook.secret)} if webhook.secret else {}
    secrets = [*headers.values(), *([url] if webhook.url_secret else [])]
    return Receiver(url=url, headers={**headers}, authorities=host.settings.extra_ca), secrets
