"""`paddock trust`: what a repository brings is shown, and then trusted by its digest."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import typer

from runner.cli.console import Console
from runner.cli.running import host_of
from runner.cli.terminal import answer, say, table
from runner.clock import timestamp
from runner.errors import RefusedError, UsageError
from runner.escape import escape_text
from runner.model.offer import Offer
from runner.model.policy_file import digest_of
from runner.model.task import Task
from runner.repo.offered import read_offer
from runner.repo.own_policy import PLACE, OwnPolicy, read_own_policy
from runner.report.offer import offer_lines
from runner.report.own_policy import policy_lines
from runner.run.cancellation import Cancellation
from runner.run.groups import refuse_unknown_groups
from runner.run.host import Host
from runner.run.prepare import find_source
from runner.run.repo_image import offer_notices, repository_of
from runner.settings import load_settings, trust_file
from runner.store.policy_bounds import load_of_commit
from runner.store.trust import Trusted, What, add_trust, is_trusted, read_trust, revoke_trust, text_of_last


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
        trust_offers(Task(repo=repo, base=base), host, yes=yes)


def trust_offers(task: Task, host: Host, *, yes: bool) -> None:
    """Show the image and the policy that the repository brings, one after the other; each is trusted by itself.

    What is then trusted is what was shown, not what is there by then. Raises `RefusedError`.
    """
    source = find_source(task, host)
    offer = read_offer(source, effective_uid=host.user.uid)
    own = read_own_policy(source, effective_uid=host.user.uid)
    if offer is None and own is None:
        raise RefusedError(
            f"{source.shown} offers no image and brings no policy in {source.base_sha[:12]}.",
            hint=f"Commit a .paddock/Dockerfile, a devcontainer.json with an image or a build, or {PLACE}.",
        )
    asking = Asking(host, repository_of(task, source), source.shown, yes=yes)
    if offer is not None:
        trust_image(offer, asking)
    if own is not None:
        trust_policy(own, asking)


@dataclass(frozen=True)
class Asking:
    """Who asks, and about which repository."""

    host: Host
    repository: str
    shown: str
    yes: bool

    def trust(self, found: Trusted, question: str, use: str) -> None:
        """Ask, and remember a yes. Raises `RefusedError` for a no, and where nobody can be asked."""
        file = trust_file()
        if is_trusted(file, repository=self.repository, what=found.what, digest=found.digest):
            say("This is trusted already.")
            return
        if not (self.yes or asked(f"{question} {self.shown}?")):
            raise RefusedError("Nothing was trusted." if found.what == "image" else "The policy was not trusted.")
        add_trust(file, found)
        say(f"Trusted for {escape_text(self.repository)}. {use}")

    def found(self, what: What, digest: str, origin: str, text: str = "") -> Trusted:
        """What is looked at, as it would be remembered."""
        at = timestamp(self.host.clock.now())
        return Trusted(repository=self.repository, what=what, digest=digest, origin=origin, at=at, text=text)


def trust_image(offer: Offer, asking: Asking) -> None:
    """Show and trust an image."""
    for line in offer_lines(offer):
        answer(line)
    for notice in offer_notices(offer):
        say(escape_text(notice))
    found = asking.found("image", offer.digest, offer.origin)
    asking.trust(found, "Build and use this for", "Use it with --image repo.")


def trust_policy(own: OwnPolicy, asking: Asking) -> None:
    """Show and trust a policy that can be used. Raises `PolicyError` for one that cannot."""
    loaded = load_of_commit(PLACE, own.data, own.commit, home=asking.host.home)
    refuse_unknown_groups(loaded.policy.network, PLACE)
    text, digest = own.data.decode(), digest_of(own.data)
    before = text_of_last(trust_file(), repository=asking.repository)
    for line in policy_lines(PLACE, text, digest, before=before):
        answer(line)
    found = asking.found("policy", digest, PLACE, text)
    asking.trust(found, "Let this policy be chosen for", "Choose it with --policy repo; until then it only tightens.")


def asked(question: str) -> bool:
    """Whether a person says yes. Raises `RefusedError` where nobody can be asked."""
    if not sys.stdin.isatty():
        raise RefusedError(
            "Nothing was trusted: there is no terminal to ask on.", hint="Read it, then give --yes to trust it."
        )
    return typer.confirm(question, default=False, err=True)


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
