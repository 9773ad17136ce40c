"""Docker's errors -> ours, in one table, at the one door."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from runner.errors import ContainerGoneError, EngineError, EngineUnavailableError, ImageError
from runner.escape import escape_text
from runner.sandbox.docker_http import ApiError, ImageNotFoundError, NotFoundError

START_HINT = (
    "Start it with `sudo systemctl start docker` (or `sudo dockerd &`), then try again; `paddock doctor` tells more."
)
GROUP_HINT = "Join its group with `sudo usermod -aG docker $USER`, log in again, then try again."


@contextlib.contextmanager
def translated(what: str, address: str = "") -> Iterator[None]:
    """Raise our exception for every one that an `EngineApi` raises, or the SDK inside of `sdk`.

    `what` completes the sentence "Docker could not ..."; `address` is the engine's.
    """
    try:
        yield
    except ImageNotFoundError as error:
        raise ImageError(f"There is no such image: {_explain(error)}") from error
    except NotFoundError as error:
        raise ContainerGoneError(f"Docker could not {what}: {_explain(error)}") from error
    except ApiError as error:
        raise EngineError(f"Docker could not {what}: {_explain(error)}") from error
    except OSError as error:
        raise _unavailable(error, address) from error


def _explain(error: ApiError) -> str:
    return escape_text(error.explanation or str(error))[:1000]


def _unavailable(error: OSError, address: str) -> EngineError:
    place = f" at {address}" if address else ""
    if any(isinstance(cause, PermissionError) for cause in _causes(error)):
        return EngineUnavailableError(
            f"The Docker engine's socket{place} may not be opened by this user.", hint=GROUP_HINT
        )
    if isinstance(error, TimeoutError):
        return EngineError(
            "The Docker engine did not answer in time.", hint="Look at the load of the machine, then try again."
        )
    return EngineUnavailableError(f"No Docker engine answers{place}.", hint=START_HINT)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it wraps: the SDK's requests and urllib3 keep the first cause in `args` as well."""
    seen: list[BaseException] = [error]
    while seen:
        current = seen.pop()
        yield current
        seen += [
            cause
            for cause in (current.__cause__, current.__context__, *current.args)
            if isinstance(cause, BaseException)
        ]
