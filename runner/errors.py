"""Every way in which Paddock itself can fail; an agent's failure is an `Outcome`, never one of these.

PaddockError                     exit 1    never raised itself
├── UsageError                   exit 2    the command line cannot be understood
├── RefusedError                 exit 30   policy, task or ceiling; the agent was not started
│   ├── PolicyError                        a policy file: names the file, the line and the key
│   ├── RepositoryError                    the source repository cannot be used as asked
│   └── UnenforceableError                 this engine or machine cannot hold what the policy asks
├── EngineError                  exit 40   Docker or the host failed us; safe to retry
│   ├── EngineUnavailableError             no engine answers, or its socket may not be opened
│   ├── ImageError                         an image cannot be had or built
│   ├── ContainerGoneError                 a container that should be there is not
│   ├── GitError                           a git process failed or passed its deadline
│   └── StoreError                         the state directory cannot be read or written
├── RunNotFoundError             exit 2    no run, or more than one, has that id
└── StillRunningError            exit 124  the time given for a wait is over, and a run is not
"""

from __future__ import annotations


class PaddockError(Exception):
    """What happened (`message`), what to do next (`hint`) and how the process ends (`exit_code`)."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(PaddockError):
    """The command line cannot be understood."""

    exit_code = 2


class RunNotFoundError(PaddockError):
    """No run, or more than one, answers to the id that was given."""

    exit_code = 2


class StillRunningError(PaddockError):
    """The time given for a wait is over, and a run is not; the exit code is that of timeout(1)."""

    exit_code = 124


class RefusedError(PaddockError):
    """The run was refused before the agent was started."""

    exit_code = 30


class PolicyError(RefusedError):
    """A policy file is wrong; `message` opens with `file:line: key:`."""


class RepositoryError(RefusedError):
    """The source repository cannot be used as asked."""


class UnenforceableError(RefusedError):
    """This engine or machine cannot enforce what the policy asks (promise 9)."""


class EngineError(PaddockError):
    """Docker or the host failed us; the same command may be tried again."""

    exit_code = 40


class EngineUnavailableError(EngineError):
    """No engine answers, or its socket may not be opened."""


class ImageError(EngineError):
    """An image cannot be had or built."""


class ContainerGoneError(EngineError):
    """A container that should be there is not."""


class GitError(EngineError):
    """A git process failed, said too much, or passed its deadline."""


class StoreError(EngineError):
    """The state directory cannot be read or written."""
