"""Which environment variables are taken for secrets, by their names alone."""

from __future__ import annotations

import re

_HARMLESS = re.compile(r"(?i)TOKENIZER|MAX_([A-Z]+_)*TOKENS|KEY(?=BOARD|MAP|WORD)|AUTHOR(?!IZ)")
"""Ordinary words that hold one of the telling ones."""

_TELLING = re.compile(
    r"(?i)KEY|TOKEN|SECRET|PASSW(OR)?D|PASSPHRASE|PASSCODE|PASS(?![A-Z])|(?<=_)PWD|CREDENTIAL|CREDS|AUTH|COOKIE|DSN|JWT"
    r"|SESSION|PRIVATE|BEARER|(?<![A-Z])PAT(?![A-Z])"
)


def is_secret_name(name: str) -> bool:
    """Whether a variable of that name holds a secret; when in doubt, yes."""
    return _TELLING.search(_HARMLESS.sub("", name)) is not None
