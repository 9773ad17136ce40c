"""Opens pull requests at GitHub and merge requests at GitLab, through the programs `gh` and `glab` of the user's.

They know the user's credentials; Paddock never sees any. It asks them for one thing alone, `api`: that works in any
folder and reads its words from standard input, while `pr create` and `mr create` look for a repository around them.
Each is started in `/`, with a deadline, by an argv list that has no word of an agent's.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import quote, urlsplit

from runner.bounded_program import ask
from runner.errors import EngineError, RefusedError
from runner.escape import escape_text
from runner.model.base import Record

SECONDS = 120.0
MOST_SAID = 16 * 1024 * 1024

ForgeName = Literal["github", "gitlab"]


class ForgeError(EngineError):
    """A forge, or its program, did not do what it was asked for; it may be asked again."""


class Wanted(Record):
    """A request that is to be open."""

    branch: str
    """The branch that it offers, without `refs/heads/`."""
    base: str
    title: str
    body: str
    draft: bool = False


class Request(Record):
    """A request that is there."""

    url: str
    state: Literal["open", "merged", "closed"]
    head: str
    """The commit that its branch is, or was, at."""


@dataclass(frozen=True, slots=True)
class Project:
    """A repository at a forge."""

    host: str
    path: str
    """`owner/name`; GitLab's groups may be nested."""


class Forge(Protocol):
    """What is done at a forge."""

    def find(self, project: Project, branch: str) -> Sequence[Request]:
        """Every request for that very branch of the project, newest first. Raises `ForgeError`."""

    def open(self, project: Project, wanted: Wanted) -> Request:
        """Open one. Raises `ForgeError`."""


@dataclass(frozen=True, slots=True)
class Program:
    """One of the programs, found on the user's PATH."""

    path: str
    environment: Mapping[str, str]

    def api(self, host: str, method: str, place: str, words: Mapping[str, object] | None = None) -> Any:
        """What the forge answers, as JSON. Raises `ForgeError` with what it said."""
        argv = [self.path, "api", f"--hostname={host}", f"--method={method}", place]
        if words is not None:
            argv += ["--header=Content-Type: application/json", "--input=-"]
        said = b"" if words is None else json.dumps(words).encode()
        try:
            code, out, err = ask(argv, said, seconds=SECONDS, environment=self.environment)
        except TimeoutError:
            raise ForgeError(f"{self.path} took longer than {SECONDS:g} s") from None
        except OSError as error:
            raise ForgeError(f"{self.path} cannot be started: {error.strerror}") from error
        out = out[:MOST_SAID]
        if code != 0:
            raise ForgeError(f"{host} did not do it: {_reason(out, err, code)}")
        try:
            return json.loads(out)
        except (ValueError, RecursionError) as error:
            raise ForgeError(f"{host} gave an answer that is no JSON") from error


class GitHub:
    """https://docs.github.com/en/rest/pulls/pulls."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def find(self, project: Project, branch: str) -> Sequence[Request]:
        """See `Forge.find`."""
        head = quote(f"{project.path.split('/')[0]}:{branch}", safe="")
        place = f"repos/{project.path}/pulls?state=all&sort=created&direction=desc&per_page=50&head={head}"
        return [self._request(each) for each in _objects(self._program.api(project.host, "GET", place))]

    def open(self, project: Project, wanted: Wanted) -> Request:
        """See `Forge.open`."""
        words = {"title": wanted.title, "body": wanted.body, "head": wanted.branch, "base": wanted.base}
        made = self._program.api(project.host, "POST", f"repos/{project.path}/pulls", {**words, "draft": wanted.draft})
        return _made(self._request(made))

    @staticmethod
    def _request(each: Any) -> Request:
        state: Literal["open", "merged", "closed"] = "open" if _text(each, "state") == "open" else "closed"
        if isinstance(each, dict) and each.get("merged_at"):
            state = "merged"
        return Request(url=_text(each, "html_url"), state=state, head=_text(each, "head", "sha"))


class GitLab:
    """https://docs.gitlab.com/api/merge_requests/."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def find(self, project: Project, branch: str) -> Sequence[Request]:
        """See `Forge.find`."""
        asked = f"state=all&order_by=created_at&per_page=50&source_branch={quote(branch, safe='')}"
        found = _objects(self._program.api(project.host, "GET", f"{self._place(project)}?{asked}"))
        return [self._request(each) for each in found if each.get("source_project_id") == each.get("target_project_id")]

    def open(self, project: Project, wanted: Wanted) -> Request:
        """See `Forge.open`."""
        words = {"source_branch": wanted.branch, "target_branch": wanted.base, "description": wanted.body}
        title = f"Draft: {wanted.title}" if wanted.draft else wanted.title
        made = self._program.api(project.host, "POST", self._place(project), {**words, "title": title})
        return _made(self._request(made))

    @staticmethod
    def _place(project: Project) -> str:
        return f"projects/{quote(project.path, safe='')}/merge_requests"

    @staticmethod
    def _request(each: Any) -> Request:
        states: dict[str, Literal["open", "merged"]] = {"opened": "open", "locked": "open", "merged": "merged"}
        state = states.get(_text(each, "state"), "closed")
        return Request(url=_text(each, "web_url"), state=state, head=_text(each, "sha"))


FORGES: dict[ForgeName, tuple[type[GitHub | GitLab], str, str]] = {
    "github": (GitHub, "gh", "GitHub's command line program; then `gh auth login`"),
    "gitlab": (GitLab, "glab", "GitLab's command line program; then `glab auth login`"),
}
"""Each with its program, and what to install."""

_HOSTS: dict[str, tuple[ForgeName, str]] = {
    "github.com": ("github", "github.com"),
    "ssh.github.com": ("github", "github.com"),
    "gitlab.com": ("gitlab", "gitlab.com"),
    "altssh.gitlab.com": ("gitlab", "gitlab.com"),
}


_PART = re.compile(r"(?!\.+\Z)[A-Za-z0-9._-]{1,100}", re.ASCII)


def forge_of(name: ForgeName, environment: Mapping[str, str]) -> Forge:
    """The forge, through its program. Raises `RefusedError` when that is not installed."""
    kind, program, install = FORGES[name]
    path = shutil.which(program, path=environment.get("PATH", ""))
    if path is None:
        raise RefusedError(
            f"{program} is not installed, by which requests are opened.",
            hint=f"Install {install}. `paddock batch push` does without.",
        )
    return kind(Program(path, environment))


def project_of(url: str, chosen: ForgeName | None) -> tuple[ForgeName, Project] | None:
    """Which forge's project a URL is; `chosen` says it for hosts that are not known. `None` where that is not clear."""
    if "://" in url:
        parts = urlsplit(url)
        host, path = parts.hostname or "", parts.path
    else:
        host, _, path = url.rpartition("@")[2].partition(":")
    path = path.strip("/").removesuffix(".git")
    known = _HOSTS.get(host.lower())
    name = chosen or (known[0] if known else None)
    if not host or name is None or path.count("/") < 1 or (name == "github" and path.count("/") > 1):
        return None
    if not all(_PART.fullmatch(part) for part in path.split("/")):
        return None
    return name, Project(known[1] if known else host, path)


def _objects(answer: Any) -> list[dict[str, Any]]:
    return [each for each in answer if isinstance(each, dict)] if isinstance(answer, list) else []


def _made(request: Request) -> Request:
    if not request.url:
        raise ForgeError("the forge gave an answer that names no request")
    return request


def _text(answer: Any, *keys: str) -> str:
    for key in keys:
        answer = answer.get(key) if isinstance(answer, dict) else None
    return escape_text(answer[:2000]) if isinstance(answer, str) else ""


def _reason(out: bytes, err: bytes, code: int) -> str:
    """What the forge had to say of it: gh and glab print its answer, and their own sentence on stderr."""
    with suppress(ValueError, RecursionError):
        answer = json.loads(out)
        errors = answer.get("errors") if isinstance(answer, dict) else None
        several = answer.get("message") if isinstance(answer, dict) else None
        several = several if isinstance(several, list) else []
        said = [_text(answer, "message"), *map(_text, several), *(_text(each, "message") for each in _objects(errors))]
        if any(said):
            return "; ".join(filter(None, said))[:500]
    lines = [line for line in err.decode("utf-8", "replace").splitlines() if line.strip()]
    return escape_text(" | ".join(lines[:3])[:500]) if lines else f"it ended with {code}"
