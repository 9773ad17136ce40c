"""Images: the shipped ones built by content on first use, any other by name."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from docker import APIClient
from docker.errors import ImageNotFound

from runner.errors import ImageError
from runner.escape import escape_text
from runner.model.base import Record
from runner.model.spec import ImageRef
from runner.sandbox.build_context import ContextFile, content_digest, context_archive, read_context
from runner.sandbox.debian_base import DebianBase, Progress, is_present, pull
from runner.sandbox.image_errors import checked, image_door
from runner.sandbox.locks import sole
from runner.shipped import shipped

IMAGE_LABEL = "paddock.image"
BASE_LABEL = "paddock.base"
BASE_ID_LABEL = "paddock.base.id"
SHARED = {"wrap": ("base/find-registries",)}
"""Files of other images' folders, by the image that is built with them too."""
HOST_ROOTS = Path("/usr/local/share/ca-certificates")
STEP_WIDTH = 100
BUILD_SILENCE_SECONDS = 600
"""The longest that one step of a build may say nothing."""

# https://github.com/distribution/reference: a name that opens with "-" or holds a space never reaches the engine.
_NAME = re.compile(
    r"[a-z0-9][a-z0-9._:/-]{0,254}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
_ASIDE = re.compile(r"\s*--->|Removing intermediate container")
"""What the engine itself says between the lines of a build."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
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
        client: APIClient,
        progress: Progress,
        *,
        state_dir: Path,
        extra_roots: Sequence[Path] | None = None,
    ) -> None:
        self._client = client
        self._progress = progress
        self._state_dir = state_dir
        self._extra_roots = readable_roots(progress) if extra_roots is None else tuple(extra_roots)

    def base(self) -> ImageRef:
        """The shipped base image, built on first use. Raises `ImageError`, `EngineUnavailableError`."""
        folder = self._folder("base")
        tags = (content_tag(folder, debian, self._extra_roots) for debian in self._debian().names())
        return next(filter(None, map(self._find, tags)), None) or self._build("base", keep=True)

    def resolve(self, name: str) -> ImageRef:
        """An image by name, pulled if it is missing; the empty name is the base image. Raises `ImageError`."""
        if not name:
            return self.base()
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

    def build(self, name: str) -> ImageRef:
        """Build a shipped image now, also when it is there; unchanged steps come from the engine's cache."""
        return self._build(name, keep=False)

    def wrap(self, name: str) -> ImageRef:
        """An image made from `name` that has python3, built when it is missing. Raises `ImageError`."""
        image, folder = self.resolve(name), self._folder("wrap")
        tag = content_tag(folder, image.id, self._extra_roots)
        with self._sole_builder("wrap"):
            if not is_present(self._client, tag):
                self._progress(f"Building {tag} from {image.name}")
                try:
                    self._send(folder, tag, image.name)
                except ImageError as error:
                    raise _no_python(image.name, error) from error
        return self._inspect(tag)

    def list(self) -> tuple[ImageSummary, ...]:
        """The images that Paddock built or made here, newest first; leftovers without a tag are listed by id."""
        with image_door("list images"):
            found = self._client.images(filters={"label": IMAGE_LABEL})
        summaries = [_summary(image, tag) for image in found for tag in image.get("RepoTags") or [""]]
        return tuple(sorted(summaries, key=lambda image: (image.created, image.tag), reverse=True))

    def remove(self, tag: str) -> None:
        """Remove one image of ours. Raises `ImageError` when it is not ours, not there, or in use."""
        if tag not in {name for image in self.list() for name in (image.tag, image.id) if name}:
            raise ImageError(
                f"{escape_text(tag)} is not an image of Paddock's.", hint="`paddock image list` shows those that are."
            )
        with image_door(f"remove {tag}", hint="Remove the runs that use it first: `paddock ps -a`."):
            self._client.remove_image(tag)

    def _build(self, name: str, *, keep: bool) -> ImageRef:
        folder = self._folder(name)
        with self._sole_builder(name):
            base = self._debian().obtain() if name == "base" else self.base().name
            tag = content_tag(folder, base, self._extra_roots)
            if not (keep and is_present(self._client, tag)):
                self._progress(f"Building {tag} from {base}")
                self._send(folder, tag, base)
        return self._inspect(tag)

    def _send(self, folder: Path, tag: str, base: str) -> None:
        labels = {IMAGE_LABEL: folder.name, BASE_LABEL: base, BASE_ID_LABEL: self._inspect(base).id}
        archive = context_archive(build_files(folder, self._extra_roots))
        tail: deque[str] = deque(maxlen=8)
        with image_door(f"build {tag}"):
            steps = self._client.build(
                fileobj=BytesIO(archive),
                custom_context=True,
                tag=tag,
                buildargs={"BASE": base},
                labels=labels,
                rm=True,
                forcerm=True,
                decode=True,
                timeout=BUILD_SILENCE_SECONDS,
            )
            for said in steps:
                message = checked(said, f"build {tag}", hint=f"It said last: {' / '.join(tail)}")
                for line in filter(str.strip, str(message.get("stream", "")).splitlines()):
                    if not _ASIDE.match(line):
                        tail.append(escape_text(_COLOUR.sub("", line.strip()))[:STEP_WIDTH])
                    if line.startswith("Step "):
                        self._progress(" ".join(line.split())[:STEP_WIDTH])

    def _inspect(self, name: str) -> ImageRef:
        found = self._find(name)
        if found is None:
            raise ImageError(f"The image {name} was there a moment ago and is gone.", hint="Try again.")
        return found

    def _find(self, name: str) -> ImageRef | None:
        with image_door(f"inspect {name}"):
            try:
                return ImageRef(name=name, id=self._client.inspect_image(name)["Id"])
            except ImageNotFound:
                return None

    def _debian(self) -> DebianBase:
        return DebianBase(
            self._client,
            self._progress,
            script=self._folder("base") / "make-debian",
            scratch=self._state_dir / "scratch",
            extra_roots=self._extra_roots,
        )

    def _folder(self, name: str) -> Path:
        folder = shipped("images") / name
        if "/" in name or not (folder / "Dockerfile").is_file():
            names = sorted(path.parent.name for path in shipped("images").glob("*/Dockerfile"))
            hint = f"There are: {', '.join(names)}."
            raise ImageError(f"There is no shipped image {escape_text(name)!r}.", hint=hint)
        return folder

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
