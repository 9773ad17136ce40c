"""Opens pull requests for the branches of a batch: each is pushed, and asked for once."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from runner.batch.after import Deed, Place, Push, push_to, refuse_unknown, remote_of
from runner.batch.picking import Pick, last_name
from runner.batch.prompts import filled
from runner.clock import timestamp
from runner.errors import RefusedError, UsageError
from runner.model.result import RunResult
from runner.model.task import Task
from runner.repo.forges import FORGES, Forge, ForgeName, Project, Wanted, forge_of, project_of
from runner.repo.pushing import Remote, Standing, rewritten, standing_of
from runner.report.forge_text import BODY, LONGEST_BODY, TITLE, body_words, one_title, title_of, title_words
from runner.store.afterwards import Afterwards, RequestRow

TITLE_VARIABLES = frozenset({"title", "name", "repo", "agent", "batch", "run", "branch", "check", "cost"})
BODY_VARIABLES = TITLE_VARIABLES | {"prompt", "answer", "commits", "findings"}


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What pull requests say."""

    title: str = TITLE
    body: str = BODY
    base: str = ""
    """The branch to merge into; empty: that which the task began at, or the remote's default branch."""
    draft: bool = False
    forge: str = ""
    """Which one it is, where the host does not tell."""

    @property
    def chosen(self) -> ForgeName | None:
        """The same, as one that is known."""
        return next((name for name in FORGES if name == self.forge), None)

    def check(self) -> None:
        """Raises `UsageError` for variables that stand for nothing, and for a forge that is not known."""
        if self.forge and self.chosen is None:
            raise UsageError(f"--forge {self.forge!r} is not known.", hint=f"There is {', '.join(FORGES)}.")
        refuse_unknown("--title", self.title, TITLE_VARIABLES)
        refuse_unknown("--body-file", self.body, BODY_VARIABLES)


def offer_pick(  # noqa: PLR0913, PLR0917 - what, where, how, and what is known
    pick: Pick, push: Push, offer: Offer, place: Place, task: Task, notes: Afterwards, *, dry_run: bool = False
) -> Deed:
    """Push one branch and open a request for it, unless there is one. Raises `PaddockError`. A dry run contacts nobody.

    The forge is asked before: whoever was killed between opening one and writing that down opens no second one.
    """
    number, attempt = pick.task.number, pick.attempt
    if known := notes.request_of(place.batch, number, attempt.attempt, attempt.run):
        return Deed("opened before", known.url)
    result = place.result(attempt.run)
    remote = remote_of(pick, result, push, place)
    forge, project = forge_for(remote, offer, place)
    name = push.name(pick, place.batch)
    if dry_run:
        return Deed(f"to be pushed as {name}, and offered to {project.host}/{project.path}")
    standing = standing_of(remote, {name, *filter(None, (offer.base, task.base))})
    base = base_of(offer, task, standing)
    wanted = wanted_of(pick, result, task, offer, place).model_copy(update={"branch": name, "base": base})
    push_to(remote, name, result, standing)
    found = [each for each in forge.find(project, name) if each.state == "open" or each.head == result.head]
    request = min(found, key=lambda each: each.state != "open") if found else forge.open(project, wanted)
    row = RequestRow(place.batch, number, attempt.attempt, attempt.run, name, request.url, timestamp(place.clock.now()))
    notes.note_request(row)
    return Deed(f"{request.state} already" if found else "opened", request.url)


def forge_for(remote: Remote, offer: Offer, place: Place) -> tuple[Forge, Project]:
    """Where a request is opened. Raises `RefusedError`."""
    found = project_of(remote.address.url, offer.chosen) or project_of(rewritten(remote), offer.chosen)
    if found is None:
        hint = "" if offer.forge else "say which it is, as in --forge gitlab"
        raise RefusedError(f"{remote.shown} is no project of a forge that is known", hint=hint)
    name, project = found
    return forge_of(name, place.forges), project


def base_of(offer: Offer, task: Task, standing: Standing) -> str:
    """The branch to merge into. Raises `RefusedError` when the remote has none such."""
    if offer.base and offer.base not in standing.branches:
        raise RefusedError(f"the remote has no branch {offer.base}", hint="push it first, or leave out --base")
    base = offer.base or (task.base if task.base in standing.branches else standing.default)
    if not base:
        raise RefusedError("the remote has no default branch", hint="say which one to merge into with --base")
    return base


def wanted_of(pick: Pick, result: RunResult, task: Task, offer: Offer, place: Place) -> Wanted:
    """What a request says. Raises `UsageError` when no forge takes as much."""
    prompt = task.title or task.prompt or shlex.join(task.argv)
    asked = task.title or task.prompt
    facts = {
        "title": title_of(asked, pick.task.name),
        "name": pick.task.name,
        "repo": last_name(pick.task.repo),
        "agent": " ".join(filter(None, (task.agent, task.model))),
        "batch": place.batch,
        "run": pick.attempt.run,
        "branch": pick.attempt.branch,
        "check": pick.attempt.check or "none",
        "cost": f"{pick.attempt.cost_usd:.2f} USD",
    }
    body = filled(offer.body, body_words(result, prompt, facts))
    if len(body) > LONGEST_BODY:
        raise UsageError(f"The text is longer than {LONGEST_BODY} characters.", hint="Shorten the file of --body-file.")
    return Wanted(
        branch="", base="", title=one_title(filled(offer.title, title_words(facts))), body=body, draft=offer.draft
    )
