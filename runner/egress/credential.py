"""A credential that the gateway adds for one host: what it is, and in which forms it must not be seen."""

from __future__ import annotations

import base64
import contextlib
import re
from dataclasses import dataclass, field

from runner.egress.spellings import spellings
from runner.redact import MIN_LENGTH

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9-]* \S")


@dataclass(frozen=True, kw_only=True)
class Injected:
    """One credential for one host; its value is in no `repr`."""

    host: str
    header: str
    value: str = field(repr=False)
    """The whole value of the header."""
    secret: str = field(repr=False)

    @property
    def hidden(self) -> tuple[str, ...]:
        """What must not be seen of it in any answer or log: the secret and its parts, in every usual spelling."""
        return tuple(dict.fromkeys(form for part in _parts(self.secret) for form in spellings(part)))


def injected(host: str, header: str, secret: str) -> Injected:
    """What the header says: the secret; in `authorization` as a bearer token, unless the secret names its scheme."""
    bearer = header == "authorization" and not _SCHEME.match(secret)
    return Injected(host=host, header=header, value=f"Bearer {secret}" if bearer else secret, secret=secret)


def _parts(secret: str) -> list[str]:
    """The secret, without its scheme too where it names one, and what HTTP Basic packs into one word."""
    if not _SCHEME.match(secret):
        return [secret]
    scheme, _, word = secret.partition(" ")
    parts = [secret, word.strip()]
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):
            pair = base64.b64decode(word, validate=True).decode()
            parts += [pair, pair.partition(":")[2]]
    return [part for part in parts if len(part) >= MIN_LENGTH]
