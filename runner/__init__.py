"""Paddock: coding agents, unattended, in containers that can be trusted.

As a library: `from runner import Policy, Task, batch, run`. What it gives is loaded when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.errors import PaddockError as PaddockError
    from runner.library.batches import RunningBatch as RunningBatch
    from runner.library.batches import batch as batch
    from runner.library.batches import resume as resume
    from runner.library.runs import Running as Running
    from runner.library.runs import run as run
    from runner.model.batch_result import BatchResult as BatchResult
    from runner.model.policy import Limits as Limits
    from runner.model.policy import Policy as Policy
    from runner.model.result import Outcome as Outcome
    from runner.model.result import RunResult as RunResult
    from runner.model.task import Task as Task

__version__ = "0.1.0"

_LENT = {
    "run": "runner.library.runs",
    "Running": "runner.library.runs",
    "batch": "runner.library.batches",
    "resume": "runner.library.batches",
    "RunningBatch": "runner.library.batches",
    "BatchResult": "runner.model.batch_result",
    "Policy": "runner.model.policy",
    "Limits": "runner.model.policy",
    "Task": "runner.model.task",
    "RunResult": "runner.model.result",
    "Outcome": "runner.model.result",
    "PaddockError": "runner.errors",
}
"""What the library offers, and the module that it stands in."""


def __getattr__(name: str) -> Any:
    if name not in _LENT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LENT[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LENT})


class CallablePackage(ModuleType):
    """A package that has the name of a function of the library's, and does what that does when it is called.

    Python sets a package's name in its parent as soon as a module of it is loaded: `from runner import run` gives the
    function or the package, whichever was first.
    """

    def __call__(self, *args: Any, **options: Any) -> Any:
        """See the function of that name below `runner.library`."""
        name = self.__name__.rpartition(".")[2]
        return getattr(import_module(_LENT[name]), name)(*args, **options)
