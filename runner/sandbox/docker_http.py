"""HTTP/1.1 with the engine over its Unix socket: one request on a connection of its own, and what comes back.

A request fails with an `ApiError` when the engine refuses it, and with an `OSError` when there is no proper answer:
a `TimeoutError` after `timeout` seconds of silence, a `ConnectionError` for an engine that hangs up or talks nonsense.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

MAX_REFUSAL = 64 * 1024
"""Bytes of a refusal that are read: its reason is short."""
UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
"""Headers of a request after which the connection is no longer HTTP, but the program's."""

# What an engine says besides status 404 when it is an image that it lacks: others' containers and files are 404 too.
_NO_IMAGE = (
    "no such image",
    "not found: does not exist or no pull access",
    "repository does not exist",
    "was found but does not match the specified platform",
)


class ApiError(Exception):
    """The engine refused a request."""

    def __init__(self, status_code: int, explanation: str) -> None:
        super().__init__(f"status {status_code} {explanation}".strip())
        self.status_code = status_code
        self.explanation = explanation


class NotFoundError(ApiError):
    """There is no such thing."""


class ImageNotFoundError(NotFoundError):
    """There is no such image."""


def refusal(status: int, explanation: str) -> ApiError:
    """The error for a status and a reason."""
    if status != http.client.NOT_FOUND:
        return ApiError(status, explanation)
    said = explanation.casefold()
    return (ImageNotFoundError if any(words in said for words in _NO_IMAGE) else NotFoundError)(status, explanation)


class Request(NamedTuple):
    """One request; `target` is a path and a query, quoted."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None = None


def send(place: str, request: Request, timeout: float) -> Answer:
    """The answer of the engine whose socket is at `place`; its body may still be to come. Raises as the module says."""
    connection = _UnixConnection(place, timeout)
    try:
        with _nonsense_told():
            connection.request(request.method, request.target, request.body, dict(request.headers))
            wire = connection.sock
            answer = Answer(wire, connection.getresponse())
    except BaseException:
        connection.close()
        raise
    answer.check()
    return answer


class Answer:
    """What the engine answers: a document, a stream, or the connection itself. `close` it."""

    def __init__(self, wire: socket.socket, response: http.client.HTTPResponse) -> None:
        self._wire = wire
        self._response = response
        # The first bytes of a connection that was taken over may have come along with the headers: they stand in here.
        self._file = response.fp
        self.closed = False

    @property
    def status(self) -> int:
        """Of the answer, as in HTTP."""
        return self._response.status

    def header(self, name: str) -> str:
        """A header of the answer; empty where it has none."""
        return self._response.headers.get(name) or ""

    def check(self) -> None:
        """Raise the `ApiError` of a refusal, and close."""
        status = self._response.status
        if status < http.client.MULTIPLE_CHOICES or status == http.client.NOT_MODIFIED:
            return
        with contextlib.closing(self):
            said = self.read(MAX_REFUSAL)
        raise refusal(status, _explanation(said) or self._response.reason)

    def document(self) -> Any:
        """The whole answer, which is JSON."""
        return _parsed(self.read())

    def documents(self) -> list[Any]:
        """The whole answer, which is JSON in every line."""
        return [_parsed(line) for line in self.read().splitlines() if line.strip()]

    def read(self, size: int | None = None) -> bytes:
        """Exactly so many bytes of the answer, but for its end; all of it when nothing is said."""
        with _nonsense_told():
            return self._response.read(size)

    def wait_for_ever(self) -> None:
        """From now on silence is no error: a silent program is not a broken connection."""
        self._wire.settimeout(None)

    def raw(self, size: int) -> bytes:
        """What came on a connection that was taken over, up to `size`; nothing once it has ended or was hung up."""
        try:
            return self._file.read1(size)
        except (OSError, ValueError):  # ValueError: closed meanwhile
            return b""

    def write(self, data: bytes) -> None:
        """Send on a connection that was taken over; waits as long as nobody reads. Raises `OSError` after its end."""
        self._wire.sendall(data)

    def end_input(self) -> None:
        """Send no more."""
        with contextlib.suppress(OSError):
            self._wire.shutdown(socket.SHUT_WR)

    def hang_up(self) -> None:
        """Let whoever reads or writes go, from any thread."""
        with contextlib.suppress(OSError):
            self._wire.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it, from any thread; once is enough."""
        self.closed = True
        self.hang_up()  # first: a file that is being read cannot be closed
        self._response.close()
        self._file.close()
        self._wire.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, place: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._place = place

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._place)


def _parsed(said: bytes) -> Any:
    try:
        return json.loads(said)
    except ValueError as error:
        raise ConnectionError("The engine's answer is not JSON.") from error


def _explanation(said: bytes) -> str:
    text = said.decode("utf-8", "replace").strip()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return str(document.get("message") or text) if isinstance(document, dict) else text


@contextlib.contextmanager
def _nonsense_told() -> Iterator[None]:
    """What http.client cannot make sense of, and an answer that was cut off, is a connection that failed."""
    try:
        yield
    except ConnectionError:  # an end before the answer is both
        raise
    except http.client.HTTPException as error:
        raise ConnectionError(f"The engine's answer cannot be read: {type(error).__name__}") from error
