"""Counts the tokens of one answer of a model, while its bytes are passed on. Pure; memory is bounded; hostile input.

What the answer itself tells is taken from there. Where it tells nothing, or was cut off before it did, tokens are
taken from the size of what was sent and of the text that came, so that nobody works for nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote_to_bytes

from runner.egress.usage_reports import MOST_TOKENS, Counts, told_by
from runner.model.usage import UNKNOWN_MODEL, Spent

MAX_DOCUMENT = 4 * 1024 * 1024
"""Bytes of one document, or of one event of a stream; more than that is not read."""
MAX_HELD = 64 * 1024 * 1024
"""Bytes of unfinished documents, over all connections of a run."""
BYTES_PER_TOKEN = 4
"""Of text as people and programs write it, roughly, whatever the model."""

_GENERATES = re.compile(
    rb".*/(?:messages|messages/batches|responses|completions)/*"
    rb"|.*:(?:generateContent|streamGenerateContent|batchGenerateContent)"
)
"""Paths at which a model is set to work."""
_KEPT_RESPONSE = re.compile(rb".*/responses/[^/]+/*")
"""Where a response that was made in the background is fetched, and where it tells what it has used."""
_MODEL_IN_PATH = re.compile(rb"/models/([A-Za-z0-9._-]{1,100}):")


class Room:
    """How many bytes of unfinished documents there may be."""

    def __init__(self, size: int = MAX_HELD) -> None:
        self._left = size

    def take(self, count: int) -> bool:
        """Whether there is room for so many more."""
        if count > self._left:
            return False
        self._left -= count
        return True

    def give_back(self, count: int) -> None:
        """So many are held no more."""
        self._left += count


@dataclass(slots=True)
class Asked:
    """One request, as far as it matters for what its answer costs."""

    method: str
    target: str = ""
    size: int = 0
    """Bytes of its body that have gone out."""
    whole: bool = True
    """Whether all of it has gone out."""

    @property
    def path(self) -> bytes:
        """The path as a server may read it: no query, no escapes."""
        return unquote_to_bytes(self.target.partition("?")[0])

    @property
    def generates(self) -> bool:
        """Whether it sets a model to work."""
        return self.method == "POST" and bool(_GENERATES.fullmatch(self.path))

    @property
    def model(self) -> str:
        """The model that its path names, which is how Gemini is asked; empty where there is none."""
        match = _MODEL_IN_PATH.search(self.path)
        return match[1].decode() if match else ""

    def unanswered(self) -> Spent | None:
        """What it cost when nobody waited for the answer; `None` for what costs nothing."""
        if not (self.generates and self.whole):
            return None
        return Spent(model=self.model or UNKNOWN_MODEL, input=self.size // BYTES_PER_TOKEN, estimated=True)


class Form(Enum):
    """How an answer is written."""

    EVENTS = "events"
    DOCUMENT = "document"
    OTHER = "other"


def form_of(asked: Asked, status: int, content_type: bytes) -> Form | None:
    """How the answer to a request is to be read; `None` for one that costs nothing, whatever it says."""
    if not 200 <= status < 300:
        return None
    kind = content_type.partition(b";")[0].strip().lower()
    if asked.method == "POST" or (asked.method == "GET" and _KEPT_RESPONSE.fullmatch(asked.path)):
        if kind == b"text/event-stream":
            return Form.EVENTS
        if kind == b"application/json" or kind.endswith(b"+json"):
            return Form.DOCUMENT
    return Form.OTHER if asked.generates else None


class AnswerReader:
    """Reads one answer's body; `spent` may be asked for at any time."""

    def __init__(self, asked: Asked, form: Form, room: Room) -> None:
        self._asked = asked
        self._form = form
        self._room = room
        self._generates = asked.generates
        self._held = bytearray()
        self._event: list[bytes] = []
        self._event_size = 0
        self._too_long = False
        self._model = ""
        self._counts = Counts()
        self._untold = 0
        """Bytes of text that no report of tokens covers."""
        self._failed = False

    @property
    def tokens(self) -> int:
        """All kinds together, as far as they are known."""
        return self._counts.sent + self._counts.output + self._untold // BYTES_PER_TOKEN

    def feed(self, data: bytes) -> None:
        """The next bytes of the body, without what is around chunks."""
        if self._form is Form.EVENTS:
            self._feed_events(data)
        elif self._form is Form.OTHER or self._too_long or not self._hold(data):
            self._skip(data)

    def end(self) -> None:
        """No more comes: it has ended, or was cut off. May be said twice."""
        rest = bytes(self._held)
        self._drop(len(rest))
        if self._form is Form.EVENTS:
            self._line(rest.rstrip(b"\r"))  # servers do not end their last line in every case
            self._end_event()
        elif rest:
            self._read(rest)

    def spent(self, *, over: bool) -> Spent | None:
        """What the answer has cost so far; `None` while that is nothing.

        What was sent is guessed only when the answer is `over`: before that, the answer may still tell it.
        """
        counts, text = self._counts, self._untold // BYTES_PER_TOKEN
        told = counts.sent + counts.output > 0
        guess = self._generates or (self._form is Form.EVENTS and self._model != "")
        if not told and (not guess or (self._failed and not self._untold)):
            return None
        sent = self._asked.size // BYTES_PER_TOKEN if guess and over and not counts.sent else 0
        text = text if guess else 0
        return Spent(
            model=self._model or self._asked.model or UNKNOWN_MODEL,
            input=counts.input + sent,
            cached=counts.cached,
            cache_write=counts.cache_write,
            cache_write_hour=counts.cache_write_hour,
            output=min(counts.output + text, MOST_TOKENS),
            estimated=bool(sent or text),
        )

    def _feed_events(self, data: bytes) -> None:
        """Whole lines are read, and what follows the last of them waits."""
        end = data.rfind(b"\n") + 1
        if end:
            first = data.find(b"\n") + 1
            if self._too_long or not self._hold(data[:first]):
                self._skip(data[:first])
            else:
                line = bytes(self._held)
                self._drop(len(line))
                self._line(line.rstrip(b"\r\n"))
            self._too_long = False
            for line in data[first:end].split(b"\n")[:-1]:
                if len(line) < MAX_DOCUMENT:
                    self._line(line.rstrip(b"\r"))
                else:
                    self._untold += len(line) + 1
            data = data[end:]
        if data and (self._too_long or not self._hold(data)):
            self._skip(data)

    def _hold(self, data: bytes) -> bool:
        if len(self._held) + len(data) > MAX_DOCUMENT or not self._room.take(len(data)):
            return False
        self._held += data
        return True

    def _drop(self, count: int) -> None:
        self._held.clear()
        self._room.give_back(count)

    def _skip(self, data: bytes) -> None:
        """What cannot be read is text, all of it."""
        self._untold += len(self._held) + len(data)
        self._drop(len(self._held))
        self._too_long = True

    def _line(self, line: bytes) -> None:
        """One line of a stream of events (HTML standard, 9.2.6); an empty one ends an event."""
        if not line:
            self._end_event()
        elif line.startswith(b"data:"):
            if self._event_size + len(line) > MAX_DOCUMENT:
                self._untold += len(line)
                return
            self._event_size += len(line)
            self._event.append(line[5:])

    def _end_event(self) -> None:
        data, self._event, self._event_size = b"\n".join(self._event).strip(), [], 0
        if data and data != b"[DONE]":
            self._read(data)

    def _read(self, data: bytes) -> None:
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            self._untold += len(data)
            return
        for document in found if isinstance(found, list) else [found]:
            self._note(document)

    def _note(self, document: object) -> None:
        told = told_by(document)
        self._model = self._model or told.model
        self._failed = self._failed or told.failed
        self._untold += told.text
        if told.counts:
            self._counts.rise_to(told.counts)
            if told.counts.output:  # it covers all the text that has come
                self._untold = 0
