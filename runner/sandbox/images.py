"""Images: the shipped ones built by content on first use, one on the other; any other by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import ImageError
from runner.escape import escape_text
from runner.model.base import Record
from runner.model.spec import ImageRef
from runner.sandbox.build_context import ContextFile, content_digest, read_context
from runner.sandbox.debian_base import DebianBase, Progress, is_present, pull
from runner.sandbox.docker_api import EngineApi
from runner.sandbox.docker_http import ImageNotFoundError
from runner.sandbox.docker_sdk import sdk
from runner.sandbox.image_errors import image_door
from runner.sandbox.image_names import BASE, DOWNLOADERS, ImageParts, Step
from runner.sandbox.locks import sole
from runner.shipped import shipped

if TYPE_CHECKING:
    from runner.sandbox.outdated import Freshness

IMAGE_LABEL = "paddock.image"
BASE_LABEL = "paddock.base"
BASE_ID_LABEL = "paddock.base.id"
SHARED = {"wrap": ("base/find-registries",)}
"""Files of other images' folders, by the image that is built with them too."""
HOST_ROOTS = Path("/usr/local/share/ca-certificates")

# https://github.com/distribution/reference: a name that opens with "-" or holds a space never reaches the engine.
_NAME = re.compile(
    r"[a-z0-9][a-z0-9._:/-]{0,254}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
_ID = re.compile(r"(sha256:)?[0-9a-f]{12,64}", re.ASCII)


class ImageSummary(Record):
    """One image of ours, as `paddock image list` shows it."""

    tag: str
    id: str
    bytes: int
    created: str
    """RFC 3339, UTC."""


def host_roots() -> tuple[Path, ...]:
    """The certificates that this host trusts beyond the usual ones, sorted."""
    return tuple(sorted(HOST_ROOTS.glob("*.crt")))


def readable_roots(progress: Progress) -> tuple[Path, ...]:
    """Those of `host_roots` that this user can read; `progress` is told which are left out of the images."""
    readable = []
    for root in host_roots():
        try:
            with root.open("rb"):
                readable.append(root)
        except OSError as error:
            progress(f"{escape_text(str(root))} is left out of the image: {error.strerror}")
    return tuple(readable)


def content_tag(folder: Path, base: str, extra_roots: Sequence[Path]) -> str:
    """`paddock/FOLDER:<12 hex>`: changes with any file's name, mode or bytes, with the base and with the roots."""
    return f"paddock/{folder.name}:{content_digest(build_files(folder, extra_roots), base)}"


def build_files(folder: Path, extra_roots: Sequence[Path]) -> tuple[ContextFile, ...]:
    """All that a shipped image is built from: its folder, the roots, and what it shares with another one."""
    shared = [folder.parent / name for name in SHARED.get(folder.name, ())]
    return read_context(folder, extra_roots, shared)


class ImageStore:
    """Images of one engine. `state_dir` holds the locks by which concurrent builders wait for each other."""

    def __init__(
        self,
        client: EngineApi,
        progress: Progress,
        *,
        state_dir: Path,
        extra_roots: Sequence[Path] | None = None,
    ) -> None:
        self._client = client
        self._progress = progress
        self._state_dir = state_dir
        self._parts = ImageParts(shipped("images"))
        self._extra_roots = readable_roots(progress) if extra_roots is None else tuple(extra_roots)

    def base(self) -> ImageRef:
        """The shipped base image, built on first use. Raises `ImageError`, `EngineUnavailableError`."""
        folder = self._folder(BASE)
        tags = (content_tag(folder, debian, self._extra_roots) for debian in self._debian().names())
        return next(filter(None, map(self._find, tags)), None) or self._build_base(keep=True)

    def resolve(self, name: str) -> ImageRef:
        """An image by name: a shipped one is built if it is missing, any other pulled; "" is the base image.

        Raises `ImageError`.
        """
        steps = self._parts.steps(name or BASE)
        if steps is not None:
            return self._climb(steps, self.base())
        if not (_NAME.fullmatch(name) or _ID.fullmatch(name)):
            raise ImageError(
                f"{escape_text(name)!r} does not name an image.", hint="Write it as in `docker pull`: debian:bookworm."
            )
        found = self._find(name)
        if found is not None:
            return found
        self._progress(f"Pulling {name}")
        try:
            pull(self._client, name)
        except ImageError as error:
            raise ImageError(
                f"The image {name} is not on this machine and cannot be had: {error.message}",
                hint="Check the name, `docker build` or `docker load` it, or name no image to use Paddock's own.",
            ) from error
        return self._inspect(name)

    def ships(self, name: str) -> bool:
        """Whether `resolve` would give an image that we build."""
        return self._parts.has(name)

    def onto(self, image: ImageRef, name: str) -> ImageRef:
        """`image`, with the parts of a shipped name added to it. Raises `ImageError`.

        The native agents go on any image with glibc; what is installed with a package manager needs that image's to
        be Debian's. The wrapped one is what to give: stacks look for their registries with python3.
        """
        return self._climb(self._steps(name), image)

    def build(self, name: str) -> ImageRef:
        """Build a shipped image now, also when it is there; unchanged steps come from the engine's cache."""
        steps = self._steps(name)
        if not steps:
            return self._build_base(keep=False)
        return self._add(steps[-1], self._climb(steps[:-1], self.base()), keep=False)

    def wrap(self, name: str) -> ImageRef:
        """An image made from `name` that has python3, built when it is missing. Raises `ImageError`."""
        image, folder = self.resolve(name), self._folder("wrap")
        tag = content_tag(folder, image.id, self._extra_roots)
        with self._sole_builder("wrap"):
            if not is_present(self._client, tag):
                self._progress(f"Building {tag} from {image.name}")
                try:
                    self._send("wrap", build_files(folder, self._extra_roots), tag, image)
                except ImageError as error:
                    raise _no_python(image.name, error) from error
        return self._inspect(tag)

    def names(self) -> tuple[str, ...]:
        """Every shipped image that is not made of several, in the order in which one can stand on the other."""
        return self._parts.names

    def freshness(self) -> tuple[Freshness, ...]:
        """The pinned packages beside the newest ones, as the registries tell them. Raises `ImageError`."""
        from runner.sandbox.outdated import freshness

        return freshness(self._client, self.resolve(DOWNLOADERS["npm"]), self._parts.pins)

    def list(self) -> tuple[ImageSummary, ...]:
        """The images that Paddock built or made here, newest first; leftovers without a tag are listed by id."""
        with image_door("list images"):
            found = self._client.images({"label": [IMAGE_LABEL]})
        summaries = [_summary(image, tag) for image in found for tag in image.get("RepoTags") or [""]]
        return tuple(sorted(summaries, key=lambda image: (image.created, image.tag), reverse=True))

    def remove(self, tag: str) -> None:
        """Remove one image of ours. Raises `ImageError` when it is not ours, not there, or in use."""
        if tag not in {name for image in self.list() for name in (image.tag, image.id) if name}:
            raise ImageError(
                f"{escape_text(tag)} is not an image of Paddock's.", hint="`paddock image list` shows those that are."
            )
        with (
            image_door(f"remove {tag}", hint="Remove the runs that use it first: `paddock ps -a`."),
            sdk(self._client) as client,
        ):
            client.remove_image(tag)

    def _climb(self, steps: Sequence[Step], image: ImageRef) -> ImageRef:
        for step in steps:
            image = self._add(step, image, keep=True)
        return image

    def _add(self, step: Step, below: ImageRef, *, keep: bool) -> ImageRef:
        """One step of a chain, on `below`."""
        tag = self._parts.tag(step, below.id)
        if keep and (found := self._find(tag)):
            return found
        with self._sole_builder(step.title):
            if not (keep and is_present(self._client, tag)):
                tools = {"TOOLS": self.resolve(step.tools).name} if step.tools else {}
                self._progress(f"Building {tag} from {below.name}")
                self._send(step.part, step.files, tag, below, tools)
        return self._inspect(tag)

    def _build_base(self, *, keep: bool) -> ImageRef:
        folder = self._folder(BASE)
        with self._sole_builder(BASE):
            debian = self._inspect(self._debian().obtain())
            tag = content_tag(folder, debian.name, self._extra_roots)
            if not (keep and is_present(self._client, tag)):
                self._progress(f"Building {tag} from {debian.name}")
                self._send(BASE, build_files(folder, self._extra_roots), tag, debian)
        return self._inspect(tag)

    def _send(
        self,
        name: str,
        files: Sequence[ContextFile],
        tag: str,
        below: ImageRef,
        tools: Mapping[str, str] | None = None,
    ) -> None:
        from runner.sandbox.image_build import Recipe, build  # most runs find their image

        labels = {IMAGE_LABEL: name, BASE_LABEL: below.name, BASE_ID_LABEL: below.id}
        build(self._client, self._progress, Recipe(tag, files, {"BASE": below.name, **(tools or {})}, labels))

    def _inspect(self, name: str) -> ImageRef:
        found = self._find(name)
        if found is None:
            raise ImageError(f"The image {name} was there a moment ago and is gone.", hint="Try again.")
        return found

    def _find(self, name: str) -> ImageRef | None:
        with image_door(f"inspect {name}"):
            try:
                return ImageRef(name=name, id=self._client.inspect_image(name)["Id"])
            except ImageNotFoundError:
                return None

    def _debian(self) -> DebianBase:
        return DebianBase(
            self._client,
            self._progress,
            script=self._folder(BASE) / "make-debian",
            scratch=self._state_dir / "scratch",
            extra_roots=self._extra_roots,
        )

    def _folder(self, name: str) -> Path:
        return shipped("images") / name

    def _steps(self, name: str) -> tuple[Step, ...]:
        steps = self._parts.steps(name)
        if steps is None:
            raise ImageError(f"There is no shipped image {escape_text(name)!r}.", hint=self._parts.advice())
        return steps

    def _sole_builder(self, name: str) -> AbstractContextManager[None]:
        """Hold the machine's lock on building `name`; says so when somebody else has it."""
        waiting = f"Waiting for another build of the image {name}"
        return sole(self._state_dir, f"image-{name}", lambda: self._progress(waiting))


def _no_python(name: str, error: ImageError) -> ImageError:
    advice = f"Add python3 (3.9 or newer) in a Dockerfile of your own that begins with: FROM {name}"
    return ImageError(f"python3 could not be added to {name}. {error.message}", hint=f"{error.hint}\n{advice}".strip())


def _summary(image: dict[str, object], tag: str) -> ImageSummary:
    created = datetime.fromtimestamp(float(str(image["Created"])), UTC)
    return ImageSummary(
        tag="" if tag == "<none>:<none>" else tag,
        id=str(image["Id"]),
        bytes=int(str(image["Size"])),
        created=created.isoformat(timespec="seconds"),
    )
