"""What a repository's URL says, and what of it is a secret; text only."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from runner.errors import RepositoryError
from runner.escape import escape_text

SCHEMES = ("https", "http", "ssh", "git", "file")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*::")
# As git has it: a colon before the first slash. A Windows drive is none of ours.
_SCP = re.compile(r"(?:[A-Za-z0-9._~+-]+@)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?!//).+")
_NAME = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteUrl:
    """A URL that may be written anywhere, and apart from it what may be written nowhere."""

    url: str
    """Without user and password, but for ssh, where the user is a part of the address and no secret."""
    credentials: str = ""
    """`user:password`, decoded; empty if the URL had none."""
    secrets: tuple[str, ...] = ()
    """Every form in which the credentials could turn up in a message."""

    @property
    def name(self) -> str:
        """The repository's own name as a slug."""
        last = re.split(r"[/:]", self.url.rstrip("/"))[-1].removesuffix(".git").lower()
        return _NAME.sub("-", last).strip("-")[:40] or "repository"

    def mask(self, text: str) -> str:
        """`text` without any form of the credentials."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text

    def authorization(self) -> str:
        """The HTTP header that the credentials make; empty if there are none."""
        if not self.credentials:
            return ""
        return "Authorization: Basic " + base64.b64encode(self.credentials.encode()).decode("ascii")


def is_url(text: str) -> bool:
    """Whether `text` names a remote repository rather than a path: `scheme://`, `host:path`, or a remote helper's."""
    return bool(
        _SCHEME.match(text) or _HELPER.match(text) or ("/" not in text.partition(":")[0] and _SCP.fullmatch(text))
    )


def parse_url(text: str) -> RemoteUrl:
    """Takes the credentials out of `text`; raises RepositoryError, which never repeats them, for what we do not fetch.

    Remote helpers (`ext::`) run programs. `?` and `#` mean nothing to git, and are where other tools put tokens.
    """
    if not text.isprintable() or " " in text or text.startswith("-"):
        raise _refused("has spaces or control characters in it, or begins with a dash")
    if _HELPER.match(text):
        raise _refused("asks for a remote helper, which is a program", "use a plain https or ssh URL")
    scheme = _SCHEME.match(text)
    if scheme is None:
        return _scp(text)
    if scheme[1] not in SCHEMES:
        raise _refused(f"has the scheme {escape_text(scheme[1])}", f"these are fetched: {', '.join(SCHEMES)}")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise _refused("has no valid host and port") from error
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise _refused("has a ? or # in it, which git does not understand")
    if host.startswith("-") or (not host) != (scheme[1] == "file") or not parts.path.strip("/"):
        raise _refused("has no valid host or no path")
    return _without_credentials(parts)


def _without_credentials(parts: SplitResult) -> RemoteUrl:
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at:
        return RemoteUrl(url=parts.geturl())
    user, colon, password = userinfo.partition(":")
    if parts.scheme == "ssh" and not colon and re.fullmatch(r"[A-Za-z0-9._~+][A-Za-z0-9._~+-]*", user):
        return RemoteUrl(url=parts.geturl())
    if parts.scheme not in {"http", "https"}:
        raise _refused(f"has a password in it, which {parts.scheme} does not take", "use a key, or https")
    pair = f"{unquote(user)}:{unquote(password)}"
    if not pair.isprintable():
        raise _refused("has control characters in its user or password")
    encoded = base64.b64encode(pair.encode()).decode("ascii")
    forms = {userinfo, user, password, pair, *pair.split(":", 1), encoded}
    return RemoteUrl(
        url=parts._replace(netloc=host).geturl(),
        credentials=pair,
        secrets=tuple(sorted((form for form in forms if len(form) > 2), key=len, reverse=True)),
    )


def _scp(text: str) -> RemoteUrl:
    found = _SCP.fullmatch(text)
    if found is None or found[1].startswith("-"):
        raise _refused("is neither scheme://host/path nor host:path")
    return RemoteUrl(url=text)


def _refused(reason: str, hint: str = "") -> RepositoryError:
    # The URL itself is not repeated: whatever it is, it may hold a password.
    return RepositoryError(f"the repository's URL {reason}", hint=hint)
