"""Follows an agent's event stream as it comes: kept as activity and transcript, shown to whoever watches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter, ValidationError

from runner.agents.base import Reader
from runner.errors import StoreError
from runner.model.activity import Activity, Answered, Progress, Reported, Said, SessionNamed
from runner.model.task import Task
from runner.redact import Redactor
from runner.report.transcript import transcript_head, transcript_of
from runner.store.files import write_whole
from runner.store.runs import RunPaths

MOST_LINE = 8 * 1024 * 1024
"""Bytes of one line; of a longer one nothing is read."""
MOST_KEPT = 64 * 1024 * 1024
"""Bytes of each file; what an agent tells beyond that is shown and not kept."""

MOST_MODELS = 100
MOST_WORDS = 200
"""Pieces of what it said last."""
COUNTS = ("input", "cached", "cache_write", "output")

ACTIVITIES: TypeAdapter[Activity] = TypeAdapter(Activity)

Watch = Callable[[Activity | Progress], None]


def begin_transcript(paths: RunPaths, task: Task, secrets: Iterable[str]) -> None:
    """Write the head of the transcript; a secret that stands in the prompt is masked. Raises `StoreError`."""
    masking = Redactor(secrets)
    prompt = (masking.feed(task.prompt.encode()) + masking.flush()).decode("utf-8", "replace")
    head = transcript_head(run=paths.id, agent=task.agent, model=task.model, prompt=prompt)
    write_whole(paths.transcript, head)


class Follower:
    """Reads standard output, line by line. Never fails: an agent's words decide nothing, and stop nothing."""

    def __init__(self, reader: Reader, *, activity: Path, transcript: Path, watch: Watch) -> None:
        self._reader = reader
        self._places = (activity, transcript)
        self._files: list[BinaryIO] = []
        self._watch: Watch | None = watch
        self._line = bytearray()
        self._skipping = False
        self._kept = 0
        self._scope = ExitStack()
        self.answer = ""
        """The agent's last words: its answer, or for want of one what it said last."""
        self._words: deque[str] = deque(maxlen=MOST_WORDS)
        self.session = ""
        self.reported: dict[str, Reported] = {}
        """What it says that it used, by model."""

    def __enter__(self) -> Follower:
        try:
            self._files = [self._scope.enter_context(place.open("ab", buffering=0)) for place in self._places]
        except OSError as error:
            self._scope.close()
            raise StoreError(f"{error.filename} cannot be written: {error.strerror}") from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._line and not self._skipping:
            self._read(bytes(self._line))
        self._settle()
        self._scope.close()

    def recall(self, lines: Iterable[bytes]) -> None:
        """What it told an earlier Paddock, from the lines that were kept of that; nothing is kept or shown again."""
        for line in lines:
            with suppress(ValidationError):  # the last line of a process that died
                self._learn(ACTIVITIES.validate_json(line))
        self._settle()

    def feed(self, stream: int, data: bytes) -> None:
        """One piece of output, secrets masked."""
        if stream != 1:
            return
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._line += piece
            if not self._skipping and len(self._line) <= MOST_LINE:
                self._read(bytes(self._line))
            self._line.clear()
            self._skipping = False
        self._line += rest
        if len(self._line) > MOST_LINE:
            self._line.clear()
            self._skipping = True

    def _read(self, line: bytes) -> None:
        for activity in self._reader.read(line):
            self._note(activity)

    def _note(self, activity: Activity) -> None:
        self._learn(activity)
        self._keep(activity.model_dump_json() + "\n", transcript_of(activity))
        try:
            if self._watch is not None:
                self._watch(activity)
        except (OSError, ValueError):
            self._watch = None  # whoever watched has gone; the run goes on

    def _settle(self) -> None:
        self.answer = self.answer or "\n".join(self._words).strip()

    def _learn(self, activity: Activity) -> None:
        match activity:
            case Answered(text=text):
                self.answer = text
            case SessionNamed(id=session):
                self.session = session
            case Reported():
                self._add(activity)
            case Said(text=text):
                self._words.append(text)
            case _:
                self._words.clear()

    def _keep(self, *texts: str) -> None:
        for file, text in zip(self._files, texts, strict=True):
            data = text.encode("utf-8", "backslashreplace")
            self._kept += len(data)
            if self._kept <= MOST_KEPT:
                try:
                    file.write(data)
                except OSError:
                    self._kept = MOST_KEPT  # the disk is full; agent.log says so

    def _add(self, more: Reported) -> None:
        known = self.reported.get(more.model)
        if known is not None:
            counts = {name: getattr(known, name) + getattr(more, name) for name in COUNTS}
            costs = [each.cost_usd for each in (known, more) if each.cost_usd is not None]
            more = more.model_copy(update={**counts, "cost_usd": sum(costs) if costs else None})
        if known is not None or len(self.reported) < MOST_MODELS:
            self.reported[more.model] = more
