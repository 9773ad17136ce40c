"""Gives requests for one host the credential that the sandbox does not hold, and takes it out of what comes back."""

from __future__ import annotations

import re
from collections.abc import Iterable

from runner.egress.budget import UsageCounter
from runner.egress.credential import Injected
from runner.egress.http_body import Body, body_of
from runner.egress.http_guard import HttpGuard, State
from runner.egress.http_head import Head, HeadError
from runner.egress.inject_answer import Answers
from runner.egress.usage import Asked

CREDENTIALS = re.compile(
    rb"cookie2?|dpop|token|secret|password|.*authorization|(.*-)?auth|(.*-)?authentication|x-amz-.*|x-goog-.*"
    rb"|x-jfrog-art-api|x-functions-key"
    rb"|.*(api|auth|access|private|subscription|session|security)-?(key|token).*"
    rb"|.*-(token|secret|signature|password|credentials?)",
    re.IGNORECASE,
)
"""Headers that carry credentials, by their names: of what a sandbox sends none reaches an injected host."""
_REPLACED = frozenset(b"host connection keep-alive accept-encoding te trailer range if-range".split())
"""Headers that are ours to say. An answer is neither compressed nor a part: a credential in it could not be seen."""
_PLAIN_NAME = re.compile(rb"[A-Za-z0-9-]+")
"""Servers take other signs in a name for a hyphen (`X_Api_Key`, CGI), so that a header could pass for another."""


class _CountedBody:
    """A request's body, whose size is noted with the request."""

    def __init__(self, body: Body, asked: Asked) -> None:
        self._body = body
        self._asked = asked
        asked.whole = body.ended

    @property
    def ended(self) -> bool:
        return self._body.ended

    def take(self, data: bytes) -> int:
        taken = self._body.take(data)
        self._asked.size += taken
        self._asked.whole = self._body.ended
        return taken


class InjectingGuard(HttpGuard):
    """An `HttpGuard` whose requests leave with the credentials of `host` and with no others.

    Its `answers` are what comes back.
    """

    def __init__(
        self, host: str, port: int, credentials: Iterable[Injected], usage: UsageCounter | None = None
    ) -> None:
        super().__init__(host, port)
        credentials = tuple(credentials)
        self._added = tuple((each.header.encode(), each.value.encode()) for each in credentials)
        self._ours = _REPLACED | {header for header, _ in self._added}
        self.answers = Answers((form for each in credentials for form in each.hidden), usage)

    @property
    def cut_off(self) -> bool:
        """Whether a request has begun and not ended."""
        return self.within_head or self._state is State.BODY

    def _accept(self, head: Head) -> bytes:
        self._check_host(head)
        if head.asks_for_websocket:
            raise HeadError("a websocket to a host whose requests are given a credential")
        asked = self.answers.asked(head.method, head.target)
        self._follow(_CountedBody(body_of(head.body, trailers=False), asked))
        kept = [(name, value) for name, value in head.headers if self._is_harmless(name)]
        ours = [(b"host", self._host.encode()), (b"accept-encoding", b"identity"), *self._added]
        if b"close" in {word.strip() for word in b",".join(head.values("connection")).lower().split(b",")}:
            ours.append((b"connection", b"close"))
        return head.model_copy(update={"headers": (*ours, *kept)}).passed_on()

    def _is_harmless(self, name: bytes) -> bool:
        small = name.lower()
        return bool(_PLAIN_NAME.fullmatch(small)) and small not in self._ours and not CREDENTIALS.fullmatch(small)
