"""Decides a run's image: the one that was named, the agent's, or the repository's own once the user trusts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import GitError, RefusedError
from runner.escape import escape_text
from runner.model.request import ImageSettings
from runner.model.spec import ImageRef
from runner.model.task import Task
from runner.repo.base_tree import offered_at
from runner.repo.source import Source
from runner.repo.urls import is_url, parse_url
from runner.run.host import Host
from runner.sandbox.engine import ImageFacts
from runner.sandbox.image_names import ImageParts
from runner.shipped import shipped

if TYPE_CHECKING:
    from runner.model.offer import Offer

BASE_IMAGE = "paddock/base"
"""The shipped image's name where its tag, a hash of its content, is not looked up."""
OWN = "repo"
"""What `--image` says for the repository's own image."""


def choose_image(
    task: Task, agent_image: str, base: ImageFacts, source: Source, host: Host
) -> tuple[ImageFacts, tuple[str, ...]]:
    """The image of a run, and what its user has to know of it: the task's, else the agent's, else `base`.

    The agent's is added to one of the repository's own.

    Raises `RefusedError` for an image of the repository's that is not trusted; `ImageError`.
    """
    if task.image == OWN:
        offer = trusted_offer(task, source, host)
        return host.engine.offered(offer, agent_image), offer_notices(offer)
    name = with_agent(task.image, agent_image)
    return (host.engine.image(name) if name else base), () if task.image else unused_notice(source, host)


def with_agent(name: str, agent_image: str) -> str:
    """Shipped stacks get the agent added that is to work in them; any other image is what it is."""
    if not name or not agent_image:
        return name or agent_image
    stacks = ImageParts(shipped("images")).stacks
    return f"{agent_image}+{name}" if all(part in stacks for part in name.split("+")) else name


def trusted_offer(task: Task, source: Source, host: Host) -> Offer:
    """What the repository offers at the base, if the user trusts exactly that. Raises `RefusedError`.

    What is compared is what is then built: the very bytes that were read here.
    """
    from runner.store.trust import is_trusted  # few runs use their repository's image

    offer = find_offer(source, host)
    if is_trusted(host.trust, repository=repository_of(task, source), what="image", digest=offer.digest):
        return offer
    raise RefusedError(
        f"The image that {source.shown} offers in {escape_text(offer.origin)} is not trusted as it stands in "
        f"{source.base_sha[:12]}.",
        hint=f"Read it and trust it: paddock trust {escape_text(shown_repo(task))}"
        + (f" --base {escape_text(task.base)}" if task.base else ""),
    )


def find_offer(source: Source, host: Host) -> Offer:
    """What the repository offers at the base. Raises `RefusedError` where it offers nothing that can be used."""
    from runner.repo.offered import read_offer  # few runs use their repository's image

    offer = read_offer(source, effective_uid=host.user.uid)
    if offer is None:
        raise RefusedError(
            f"{source.shown} offers no image in {source.base_sha[:12]}.",
            hint="Commit a .paddock/Dockerfile, or a devcontainer.json with an image or a build.",
        )
    return offer


def planned_name(task: Task, agent_image: str, source: Source, host: Host) -> str:
    """What the image will be called, found out without an engine. Raises `RefusedError` as a run would."""
    if task.image != OWN:
        return with_agent(task.image, agent_image)
    offer = trusted_offer(task, source, host)
    return offer.reference or f"paddock/repo:{offer.digest.removeprefix('sha256:')}"


def planned_image(task: Task, agent_image: str, source: Source, host: Host) -> ImageSettings:
    """The image as a plan shows it, where no tag is looked up. Raises `RefusedError` as a run would."""
    name = planned_name(task, agent_image, source, host)
    return ImageSettings(ref=ImageRef(name=name or BASE_IMAGE), shipped=ImageParts(shipped("images")).has(name))


def settings_of(image: ImageFacts) -> ImageSettings:
    """What of an image decides a sandbox."""
    variables = tuple(image.environment)
    return ImageSettings(ref=image.ref, environment=variables, volumes=image.volumes, shipped=image.shipped)


def unused_notice(source: Source, host: Host) -> tuple[str, ...]:
    """One line where the repository offers an image that nobody asked for."""
    try:
        place = offered_at(source, effective_uid=host.user.uid)
    except GitError:  # it is asked for nothing: what is wrong there is told where it matters
        return ()
    if not place:
        return ()
    return (f"The repository offers an image ({place}), which is not used: paddock trust, then --image {OWN}.",)


def offer_notices(offer: Offer) -> tuple[str, ...]:
    """What of an offer is not acted on."""
    ignored = f"{offer.origin}: not acted on: {', '.join(offer.ignored)}." if offer.ignored else ""
    left_out = f"Not in the image's build: {', '.join(offer.left_out[:5])}." if offer.left_out else ""
    return tuple(filter(None, (ignored, left_out)))


def repository_of(task: Task, source: Source) -> str:
    """By what a repository is known among those that are trusted."""
    return parse_url(task.repo).url if is_url(task.repo) else str(source.common_dir)


def shown_repo(task: Task) -> str:
    """The repository as it may be printed."""
    return parse_url(task.repo).url if is_url(task.repo) else task.repo
