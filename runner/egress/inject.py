"""Gives requests for one host the credential that the sandbox does not hold, and takes it out of what comes back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from runner.egress.http_body import body_of
from runner.egress.http_guard import HttpGuard
from runner.egress.http_head import Head, HeadError

CREDENTIALS = re.compile(
    rb"authorization|cookie|.*(api|auth|access|private|subscription|session|security)[-_]?(key|token).*"
    rb"|.*-(token|secret|signature|credential|credentials)|x-amz-.*|x-goog-.*|dpop",
    re.IGNORECASE,
)
"""Headers that carry credentials, by their names: of what a sandbox sends none reaches an injected host."""
_REPLACED = frozenset({b"accept-encoding", b"te", b"trailer"})
"""An answer must not be compressed, or a credential that it repeats could not be seen; a request has no trailers."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9-]* \S")


@dataclass(frozen=True, kw_only=True)
class Injected:
    """One credential for one host; its value is in no `repr`."""

    host: str
    header: str
    value: str = field(repr=False)
    """The whole value of the header."""
    secret: str = field(repr=False)
    """The part that is masked in answers."""


def injected(host: str, header: str, secret: str) -> Injected:
    """What the header says: the secret; in `authorization` as a bearer token, unless the secret names its scheme."""
    bearer = header == "authorization" and not _SCHEME.match(secret)
    return Injected(host=host, header=header, value=f"Bearer {secret}" if bearer else secret, secret=secret)


class InjectingGuard(HttpGuard):
    """An `HttpGuard` whose requests leave with the credentials of `host` and with no others."""

    def __init__(self, host: str, port: int, credentials: Iterable[Injected]) -> None:
        super().__init__(host, port)
        self._added = tuple((each.header.encode(), each.value.encode()) for each in credentials)

    def _accept(self, head: Head) -> bytes:
        self._check_host(head)
        if head.asks_for_websocket:
            raise HeadError("a websocket to a host whose requests are given a credential")
        self._follow(body_of(head.body, trailers=False))
        kept = [(name, value) for name, value in head.headers if not self._is_ours(name)]
        ours = [(b"accept-encoding", b"identity"), *self._added]
        return head.model_copy(update={"headers": (*kept, *ours)}).passed_on()

    def _is_ours(self, name: bytes) -> bool:
        small = name.lower()
        return (
            small in _REPLACED
            or CREDENTIALS.fullmatch(small) is not None
            or any(small == header for header, _ in self._added)
        )
