"""Finds what looks like a real credential in added lines: the forms are those of the library detect-secrets, and ours.

A search for a few letters of each form comes first, so that the library is loaded only where one may be: that takes a
quarter of a second. Of the library only expressions are used. Its `verify`, which asks the issuer over the network, is
never called, its comments that silence it (`pragma: allowlist secret`) are not read, and its guesses by entropy and by
variable names are left out: they find more that is none.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from runner.repo.added_lines import AFTER, Patch
from runner.repo.evidence import Finding

MAX_POSITIONS = 2_000_000
MAX_CANDIDATES = 20_000
"""Places that are looked at, and of these closely; a hostile patch can have any number."""
MAX_FOUND = 200

OURS: dict[str, str] = {
    "Anthropic API key": r"sk-ant-(?:api|admin|oat|ort)[0-9]{2}-[A-Za-z0-9_-]{80,120}",
    "GitHub fine-grained token": r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    "Google API key": r"AIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])",
    "Hugging Face token": r"\bhf_[A-Za-z0-9]{34}(?![A-Za-z0-9])",
}
"""Forms that the library does not have."""

HINTS: tuple[tuple[str, tuple[bytes, ...], bytes], ...] = (
    ("Anthropic API key", (b"sk-ant-",), b".{80}"),
    ("AWS access key", (b"AKIA", b"ASIA", b"ABIA", b"ACCA"), b"[0-9A-Z]{20}"),
    ("AWS access key", (b"aws", b"AWS_SECRET"), b"(?:aws(?:_secret|_session|Secret)|AWS_SECRET).{30}"),
    ("Azure storage key", (b"AccountKey=",), b".{88}"),
    ("password in a URL", (b"://",), rb"://[^\s/:@?#]{1,100}:[^\s/:@?#]{8,200}@"),
    ("GitHub token", (b"gh",), b"gh[pousr]_[A-Za-z0-9_]{36}"),
    ("GitHub fine-grained token", (b"github_pat_",), b"[A-Za-z0-9_]{93}"),
    ("GitLab token", (b"gl",), b"gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-.{20}"),
    ("GitLab token", (b"GR1348941",), b".{29}"),
    ("Google API key", (b"AIza",), b"[0-9A-Za-z_-]{39}"),
    ("Hugging Face token", (b"hf_",), b"[A-Za-z0-9_]{37}"),
    ("JSON Web Token", (b"eyJ",), rb"[\w=-]{10,}\.eyJ[\w=-]{10,}\.[\w=-]{20}"),
    ("Mailchimp key", (b"-us",), rb"-us[0-9]{1,2}(?![0-9A-Za-z-])"),
    ("npm token", (b":_authToken=",), b".{48}"),
    ("OpenAI API key", (b"T3BlbkFJ",), b"[A-Za-z0-9]{28}"),
    ("private key", (b"PRIVATE KEY-----", b"PRIVATE KEY BLOCK-----", b"PuTTY-User-Key-File-2"), b""),
    ("PyPI token", (b"pypi-Ag",), b".{80}"),
    ("SendGrid key", (b"SG.",), rb"SG\.[\w-]{22}\.[\w-]{43}"),
    ("Slack token", (b"xox",), b"xox[abopsr]-.{20}"),
    ("Slack token", (b"hooks.slack.com/services/T",), b".{40}"),
    ("Square secret", (b"sq0csp-",), b".{50}"),
    ("Stripe key", (b"sk_live_", b"rk_live_"), b"[0-9A-Za-z_]{32}"),
    ("Telegram bot token", (b":AA",), rb":[\w-]{35}(?![\w-])"),
    ("Twilio key", (b"AC", b"SK"), rb"[A-Z]{2}[0-9a-f]{32}(?![0-9A-Za-z])"),
)
"""What it may be, the letters that are searched for, and what has to stand from there on for a closer look."""

_MADE_UP = re.compile(
    r"example|sample|placeholder|change.?me|dummy|fake|redacted|your|xxxx|\*\*\*|test|mock|canary|insert|replace|todo"
    r"|secret_?key|john.?doe|1234567890",
    re.IGNORECASE,
)
_ROWS = re.compile(r"0000|1111|1234|abcd", re.IGNORECASE)
_BODY = re.compile(rb"[\s\"'+]*[A-Za-z0-9+/]{40,}={0,2}(?:\\n)?[\"'+,;\s\\]*\Z")
_BODY_IN_LINE = re.compile(r"(?:\\n|\s)([A-Za-z0-9+/]{40,})")
_URL = re.compile(r"://[^\s/:@?#]{1,100}:([^\s/:@?#]+)@([^\s/:?#\"'`,;)]+)")
_NOBODYS_HOST = re.compile(r"localhost|127\.|0\.0\.0\.0|\[|host\b|.*example|.*\.(?:test|invalid)\b|[^.]*\Z")


@dataclass(frozen=True, slots=True)
class Search:
    """What was found, and whether there was more than is looked at."""

    found: tuple[Finding, ...]
    complete: bool


def find_secrets(patch: Patch) -> Search:
    """What looks like a credential in the added lines of a patch, each value once for each file and never itself."""
    found: dict[tuple[bytes, str, str], Finding] = {}
    looked = 0
    for number, (kind, position, form) in enumerate(_candidates(patch)):
        if number >= MAX_POSITIONS or looked >= MAX_CANDIDATES or len(found) >= MAX_FOUND:
            return Search(tuple(found.values()), complete=False)
        if not form.match(patch.text, position, position + AFTER):
            continue
        looked += 1
        value = _value(kind, patch, position)
        if value and (place := patch.place(position)):
            finding = Finding(kind=kind, path=place.path, line=place.line, commit=place.commit)
            found.setdefault((place.path, kind, value), finding)
    return Search(tuple(found.values()), complete=True)


def _candidates(patch: Patch) -> Iterator[tuple[str, int, re.Pattern[bytes]]]:
    """Places at which the letters of a credential's form stand, and what has to stand there."""
    for kind, needles, shape in HINTS:
        form = re.compile(shape)
        for needle in needles:
            yield from ((kind, at, form) for at in patch.positions(needle))


def _value(kind: str, patch: Patch, position: int) -> str:
    """The credential at a position; nothing when there is none, or one that somebody made up."""
    around, offset = patch.around(position)
    text = around.decode("latin-1")  # a character for each byte
    values = _matches(kind, text, offset)
    if kind == "private key":
        return _key_body(patch, position, text[offset:]) if values else ""
    if kind == "password in a URL":
        return _password(text, offset) if values else ""
    return next((value for value in values if not is_made_up(value)), "")


def _key_body(patch: Patch, position: int, text: str) -> str:
    """The first line of what makes a private key one: the line that begins it stands in many programs."""
    same_line = _BODY_IN_LINE.search(text.partition("-----")[2])
    lines = (each.decode("latin-1") for each in patch.next_added(position, 8) if _BODY.match(each))
    body = same_line[1] if same_line else next(lines, "").strip()
    return "" if is_made_up(body) else body


def _password(text: str, offset: int) -> str:
    """The password of a URL that leads somewhere, if it is more than a word."""
    match = _URL.match(text, offset)
    if not match or _NOBODYS_HOST.match(match[2].lower()):
        return ""
    password = match[1]
    mixed = re.search(r"[0-9]", password) and re.search(r"[A-Za-z]", password)
    written = not re.search(r"[{}<>$%\[\]()]", password)
    return password if mixed and written and not is_made_up(password) else ""


def is_made_up(value: str) -> bool:
    """Whether a value is an example: it says so, is a row of letters, or has few different ones."""
    if _MADE_UP.search(value) or _ROWS.search(value):
        return True
    tail = re.split(r"[_.:-]", value)[-1] if len(value) > 20 else value
    tail = tail if len(tail) >= 16 else value
    steps = sum(abs(ord(one) - ord(other)) <= 1 for one, other in pairwise(tail))
    return len(set(tail)) < min(8, len(tail) * 0.6) or steps > len(tail) / 2


def _matches(kind: str, text: str, offset: int) -> list[str]:
    """What the expressions of a form find around a place of a text."""
    found = (match for form in _forms(kind) for match in form.finditer(text) if match.start() <= offset < match.end())
    return [value for match in found if (value := _whole(kind, match))]


def _whole(kind: str, match: re.Match[str]) -> str:
    """What an expression found, without the variable that it was given to; groups stand for parts of others."""
    value = str(match[match.lastindex or 0] if kind == "AWS access key" else match[0])
    return value if kind != "JSON Web Token" or _is_token(value) else ""


def _is_token(value: str) -> bool:
    """Whether a JSON Web Token can be read, and says nothing that only examples say."""
    try:
        head, said = (urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in value.split(".")[:2])
    except ValueError:
        return False
    return head[:1] == said[:1] == b"{" and not _MADE_UP.search(said.decode("utf-8", "replace"))


@cache
def _forms(kind: str) -> tuple[re.Pattern[str], ...]:
    return (re.compile(OURS[kind]),) if kind in OURS else library()[kind]


@cache
def library() -> dict[str, tuple[re.Pattern[str], ...]]:
    """What we call a form -> the library's expressions for it."""
    from detect_secrets.plugins.aws import AWSKeyDetector
    from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
    from detect_secrets.plugins.basic_auth import BasicAuthDetector
    from detect_secrets.plugins.github_token import GitHubTokenDetector
    from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
    from detect_secrets.plugins.jwt import JwtTokenDetector
    from detect_secrets.plugins.mailchimp import MailchimpDetector
    from detect_secrets.plugins.npm import NpmDetector
    from detect_secrets.plugins.openai import OpenAIDetector
    from detect_secrets.plugins.private_key import PrivateKeyDetector
    from detect_secrets.plugins.pypi_token import PypiTokenDetector
    from detect_secrets.plugins.sendgrid import SendGridDetector
    from detect_secrets.plugins.slack import SlackDetector
    from detect_secrets.plugins.square_oauth import SquareOAuthDetector
    from detect_secrets.plugins.stripe import StripeDetector
    from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector
    from detect_secrets.plugins.twilio import TwilioKeyDetector

    detectors: dict[str, Any] = {
        "AWS access key": AWSKeyDetector,
        "Azure storage key": AzureStorageKeyDetector,
        "password in a URL": BasicAuthDetector,
        "GitHub token": GitHubTokenDetector,
        "GitLab token": GitLabTokenDetector,
        "JSON Web Token": JwtTokenDetector,
        "Mailchimp key": MailchimpDetector,
        "npm token": NpmDetector,
        "OpenAI API key": OpenAIDetector,
        "private key": PrivateKeyDetector,
        "PyPI token": PypiTokenDetector,
        "SendGrid key": SendGridDetector,
        "Slack token": SlackDetector,
        "Square secret": SquareOAuthDetector,
        "Stripe key": StripeDetector,
        "Telegram bot token": TelegramBotTokenDetector,
        "Twilio key": TwilioKeyDetector,
    }
    return {kind: tuple(detector.denylist) for kind, detector in detectors.items()}
