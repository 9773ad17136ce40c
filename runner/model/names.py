"""Rules for the small names and texts that a policy may write; each has its own sentence."""

from __future__ import annotations

import re

from runner.model.wording import quoted

_CACHE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_HEADER = re.compile(r"[a-z0-9!#$&*+.^_|~-]{1,64}", re.ASCII)
_SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
# Headers that frame the message or name its receiver; a value injected there would change where it goes.
_FRAMING_HEADERS = frozenset(
    """
    accept-encoding connection content-length content-type expect forwarded host http2-settings if-range keep-alive
    range te trailer transfer-encoding upgrade via x-real-ip x-rewrite-url
    """.split()  # noqa: SIM905 - a list of 30 quoted words is harder to read
)


# What speaks for a proxy, or to one, is taken out of every request.
_PROXY_PREFIXES = ("proxy-", "x-forwarded-", "x-original-")


def check_header(text: str) -> str:
    """An HTTP header's name in small letters; raises ValueError, also for one that frames the message."""
    if not _HEADER.fullmatch(text.lower()):
        raise ValueError(f"{quoted(text)} is not the name of an HTTP header")
    if text.lower() in _FRAMING_HEADERS or text.lower().startswith(_PROXY_PREFIXES):
        raise ValueError(f"{quoted(text)} decides how a request is sent and cannot carry a secret")
    return text.lower()


def check_secret_name(text: str) -> str:
    """The name under which the host's settings know a secret; raises ValueError."""
    if not _SECRET_NAME.fullmatch(text):
        # The text is not repeated: it may be the secret itself, put here by mistake.
        raise ValueError('this is not the name of a secret, like "API_KEY"; the value itself never stands in a policy')
    return text


def check_cache_name(text: str) -> str:
    """The name of a cache; raises ValueError."""
    if not _CACHE_NAME.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not a cache's name; use small letters, digits and hyphens, at most 40")
    return text


def check_description(text: str) -> str:
    """Text for a person, line breaks allowed; raises ValueError for control characters."""
    if any((ord(character) < 0x20 and character != "\n") or 0x7F <= ord(character) < 0xA0 for character in text):
        raise ValueError("the description contains a control character")
    return text
