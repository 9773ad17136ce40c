"""What a run and a batch have in common for whoever starts one: a scope, an iterator of what happens, and a result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType
from typing import Generic, Self, TypeVar

from runner.errors import UsageError

ResultT = TypeVar("ResultT")
HappeningT = TypeVar("HappeningT")


class Scope(ABC, Generic[ResultT, HappeningT]):
    """Work in a thread of its own. Nothing happens before the scope is entered; when it is left, the work is over.

    What is waited for in one go needs no scope: see `wait`.
    """

    noun: str
    """What it is, for messages."""

    def __init__(self) -> None:
        self.id = ""
        """Its id, as soon as there is one."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"paddock-{self.noun}")
        self._future: Future[ResultT] | None = None
        self._happenings: SimpleQueue[HappeningT | None] = SimpleQueue()

    @abstractmethod
    def _carry_out(self) -> ResultT:
        """The work, in its own thread."""

    @abstractmethod
    def _end(self, *, now: bool) -> None:
        """Ask it to end: stopped and collected; with `now`, killed and collected."""

    def __enter__(self) -> Self:
        """Begin. Once only."""
        if self._future is not None:
            raise UsageError(f"This {self.noun} has begun already.", hint=f"Make another one: {self.noun}(...).")
        self._future = self._thread.submit(self._carry_out)
        self._future.add_done_callback(lambda _: self._happenings.put(None))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the end; an exception ends the work first. Raises what kept it from starting."""
        if kind is not None:
            self._end(now=False)
        self._over()
        if kind is None:
            self.result  # noqa: B018 - raises what nobody may have asked for

    def __iter__(self) -> Iterator[HappeningT]:
        """What happens, from the beginning to the end; each once, whoever asks. Texts are hostile."""
        while (happening := self._happenings.get()) is not None:
            yield happening
        self._happenings.put(None)  # for whoever asks again

    @property
    def result(self) -> ResultT:
        """How it ended; waits for that. Raises a `PaddockError` when nothing was started."""
        if self._future is None:
            raise UsageError(
                f"This {self.noun} has not begun.", hint=f"Enter its scope: `with {self.noun}(...) as running:`."
            )
        self._over()
        return self._future.result()

    def wait(self) -> ResultT:
        """Carry it out, and give its result. Raises a `PaddockError` when nothing was started."""
        with self:
            pass
        return self.result

    def _over(self) -> None:
        """Wait. A second interruption ends the work without grace; it is collected all the same."""
        try:
            self._thread.shutdown(wait=True)
        except KeyboardInterrupt:
            self._end(now=True)
            self._thread.shutdown(wait=True)
            raise
