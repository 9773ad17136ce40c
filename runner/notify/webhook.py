"""Posts a JSON document to a URL of the user's: over TLS that is verified, to that host alone, a few times at most."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from runner.model.notification import Notification

TRIES = 3
PAUSES = (1.0, 2.0)
"""Seconds between two tries."""
AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """Where to, and with what."""

    url: str = field(repr=False)
    """Checked by `url_fault`; it may be a secret."""
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    authorities: Path | None = None
    """A PEM file of authorities that are trusted beside the system's."""

    @property
    def shown(self) -> str:
        """The host: whoever knows more of the URL may be able to write there."""
        return f"the webhook at {urlsplit(self.url).hostname}"


def tell_webhook(receiver: Receiver, message: Notification, seconds: float) -> str:
    """Post it; what went wrong, or nothing. After that many seconds a server is left, whatever it does."""
    post = _Post(receiver, message.model_dump_json().encode(), time.monotonic() + seconds)
    thread = threading.Thread(target=post.carry_out, name="webhook", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        post.given_up.set()
        return f"{receiver.shown} took longer than {seconds:g} s"
    return post.trouble


@dataclass
class _Post:
    """One message on its way."""

    receiver: Receiver
    body: bytes
    until: float
    trouble: str = ""
    given_up: threading.Event = field(default_factory=threading.Event)

    def carry_out(self) -> None:
        """Try until it was taken, is refused, or has failed often enough."""
        for number in range(TRIES):
            if number and self.given_up.wait(PAUSES[number - 1]):
                return
            self.trouble, again = self._try()
            if not again or self.given_up.is_set() or time.monotonic() >= self.until:
                return

    def _try(self) -> tuple[str, bool]:
        """What went wrong, and whether it may go right the next time."""
        shown = self.receiver.shown
        try:
            connection = self._connection()
            try:
                status = self._answer(connection)
            finally:
                connection.close()
        except ssl.SSLCertVerificationError:
            return f"{shown} has a certificate that is not trusted", False
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", "") or type(error).__name__
            return f"{shown} cannot be reached: {why}", True
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return "", False
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return f"{shown} answers {status}, and redirects are not followed", False
        return f"{shown} answers {status}", status in AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.receiver.url)
        left = max(0.1, self.until - time.monotonic())
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=left)
        context = ssl.create_default_context()
        if self.receiver.authorities is not None:
            context.load_verify_locations(cafile=self.receiver.authorities.expanduser())
        return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=left, context=context)

    def _answer(self, connection: http.client.HTTPConnection) -> int:
        """The status alone: nothing of what the server says is read."""
        parts = urlsplit(self.receiver.url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Content-Type": "application/json", "User-Agent": "paddock", "Connection": "close"}
        connection.request("POST", path, body=self.body, headers={**headers, **self.receiver.headers})
        return connection.getresponse().status
