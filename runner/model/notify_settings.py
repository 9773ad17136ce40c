"""`[notify]` of the user's settings: who is told when a batch is over, or when a task of it fails."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from runner.model.base import Record

NotifyEvent = Literal["end", "failure"]

_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_OURS = frozenset({"content-type", "content-length", "host", "connection", "transfer-encoding", "user-agent"})


def url_fault(url: str) -> str:
    """Why nothing can be posted to a URL, in words that do not repeat it: it may be a secret. Empty if it can."""
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > 2048:
        return "is not a URL: it holds characters that none can have"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in {"https", "http"} or not host:
        return "is not a URL like https://example.com/hook"
    if parts.scheme == "http" and host not in _LOOPBACK:
        return "is not encrypted; write https://"
    if parts.username is not None or parts.password is not None:
        return "holds credentials; name them in header and secret"
    return ""


def _url(url: str) -> str:
    if url and (fault := url_fault(url)):
        raise ValueError(f"the URL {fault}")
    return url


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name) or name.lower() in _OURS:
        raise ValueError("this is no name of a header that can be chosen")
    return name


class Webhook(Record):
    """Where a JSON document is posted to."""

    url: Annotated[str, AfterValidator(_url)] = ""
    url_secret: str = ""
    """The secret that the URL is, where whoever knows it may write."""
    header: Annotated[str, AfterValidator(_header)] = "Authorization"
    secret: str = ""
    """The secret that the header holds; empty: no such header is sent."""

    @model_validator(mode="after")
    def _one_url(self) -> Self:
        if bool(self.url) == bool(self.url_secret):
            raise ValueError("names one of url and url_secret")
        return self


class NotifySettings(Record):
    """Who is told, and of what."""

    on: tuple[NotifyEvent, ...] = ("end",)
    desktop: bool = Field(default=False, strict=True)
    webhook: Webhook | None = None
    command: tuple[Annotated[str, Field(min_length=1)], ...] = ()

    @property
    def tells(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self.on) and (self.desktop or self.webhook is not None or bool(self.command))
