"""`paddock trust`: what a repository brings is shown, and then trusted by its digest."""

from __future__ import annotations

import sys

import typer

from runner.cli.console import Console
from runner.cli.running import host_of
from runner.cli.terminal import answer, say, table
from runner.clock import timestamp
from runner.errors import RefusedError, UsageError
from runner.escape import escape_text
from runner.model.task import Task
from runner.report.offer import offer_lines
from runner.run.cancellation import Cancellation
from runner.run.host import Host
from runner.run.prepare import find_source
from runner.run.repo_image import find_offer, offer_notices, repository_of
from runner.settings import load_settings, trust_file
from runner.store.trust import Trusted, add_trust, is_trusted, read_trust, revoke_trust


def trust_command(repo: str, base: str, *, yes: bool, listed: bool, revoke: bool) -> None:
    """Show and trust, list, or forget. Raises `UsageError`, `RefusedError`."""
    if listed + revoke + yes > 1:
        raise UsageError("--yes, --list and --revoke are three things.", hint="Leave all but one out.")
    if not repo and not listed:
        raise UsageError("There is no repository.", hint="As in: paddock trust .")
    host = host_of(load_settings(), Console(stdout_is_taken=False), Cancellation())
    if listed:
        list_trusted(name_of(Task(repo=repo), host) if repo else "")
    elif revoke:
        revoke_all(repo, host)
    else:
        trust_image(Task(repo=repo, base=base), host, yes=yes)


def trust_image(task: Task, host: Host, *, yes: bool) -> None:
    """Show the image that the repository offers; what is then trusted is what was shown, not what is there by then."""
    source = find_source(task, host)
    offer = find_offer(source, host)
    repository, file = repository_of(task, source), trust_file()
    for line in offer_lines(offer):
        answer(line)
    for notice in offer_notices(offer):
        say(escape_text(notice))
    if is_trusted(file, repository=repository, what="image", digest=offer.digest):
        say("This is trusted already.")
        return
    if not (yes or asked(source.shown)):
        raise RefusedError("Nothing was trusted.")
    at = timestamp(host.clock.now())
    add_trust(file, Trusted(repository=repository, what="image", digest=offer.digest, origin=offer.origin, at=at))
    say(f"Trusted for {escape_text(repository)}. Use it with --image repo.")


def asked(shown: str) -> bool:
    """Whether a person says yes. Raises `RefusedError` where nobody can be asked."""
    if not sys.stdin.isatty():
        raise RefusedError(
            "Nothing was trusted: there is no terminal to ask on.", hint="Read it, then give --yes to trust it."
        )
    return typer.confirm(f"Build and use this for {shown}?", default=False, err=True)


def list_trusted(repository: str) -> None:
    """Every decision, of one repository or of all."""
    rows = [
        (each.repository, each.what, each.origin, each.digest.removeprefix("sha256:")[:12], each.at)
        for each in read_trust(trust_file())
        if repository in {"", each.repository}
    ]
    for line in table(("REPOSITORY", "WHAT", "FROM", "DIGEST", "SINCE"), rows):
        answer(line)


def revoke_all(repo: str, host: Host) -> None:
    """Forget all of a repository, which need not be there any more."""
    known = {each.repository for each in read_trust(trust_file())}
    repository = repo if repo in known else name_of(Task(repo=repo), host)
    gone = revoke_trust(trust_file(), repository)
    if not gone:
        raise RefusedError(f"Nothing of {escape_text(repository)} was trusted.", hint="paddock trust --list")
    for each in gone:
        answer(f"no longer trusted: {each.what} {each.digest}")


def name_of(task: Task, host: Host) -> str:
    """By what the repository is known."""
    from runner.repo.source import inspect_source
    from runner.repo.urls import is_url, parse_url

    if is_url(task.repo):
        return parse_url(task.repo).url
    return repository_of(task, inspect_source(task.repo, effective_uid=host.user.uid))
