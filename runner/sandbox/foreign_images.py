"""Builds what a repository offers: without secrets, without the host's network, within limits and a deadline.

The request is made here rather than by the SDK's `build`, which would hand the engine every registry's password of
the user's (X-Registry-Config) and the build the proxies of ~/.docker/config.json, passwords and all.
"""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import urllib3.exceptions

from runner.errors import ImageError
from runner.escape import escape_text
from runner.model.offer import Offer
from runner.model.spec import ImageRef
from runner.sandbox.build_context import archive_of, content_digest, context_archive
from runner.sandbox.debian_base import Progress, is_present
from runner.sandbox.docker_api import EngineApi
from runner.sandbox.docker_sdk import sdk
from runner.sandbox.image_errors import checked, image_door
from runner.sandbox.images import BASE_LABEL, IMAGE_LABEL, ImageStore, build_files, readable_roots
from runner.shipped import shipped

GIB = 2**30
KIND = "repo"
"""What `paddock image list` calls them."""
NETWORK = "bridge"
"""The engine's own bridge: a build has to fetch packages. The host's network is never given."""
SILENT_SECONDS = 600
STEP_WIDTH = 100


@dataclass(frozen=True, kw_only=True)
class BuildLimits:
    """What one build may use. The engine has no limit for a build's processes or disk: the deadline bounds these."""

    memory: int = 4 * GIB
    cpus: float = 2.0
    seconds: float = 1800.0


class ForeignImages:
    """Images that are built from what others wrote and the user trusts."""

    def __init__(
        self,
        api: EngineApi,
        store: ImageStore,
        progress: Progress,
        *,
        limits: BuildLimits | None = None,
        network: str = NETWORK,
    ) -> None:
        self._api = api
        self._store = store
        self._progress = progress
        self._limits = limits or BuildLimits()
        self._network = network

    def obtain(self, offer: Offer) -> ImageRef:
        """The image of `offer`, with python3 in it. Pulled or built only when it is missing. Raises `ImageError`."""
        image = self._pulled(offer.reference) if offer.reference else self._built(offer)
        return self._with_python(image)

    def _pulled(self, name: str) -> ImageRef:
        """An image by name. What it would do in a build that begins with it, nobody was shown."""
        image = self._store.resolve(name)
        with image_door(f"inspect {name}"):
            config = self._api.inspect_image(image.id)["Config"] or {}
        if config.get("OnBuild"):
            raise ImageError(f"The image {name} has ONBUILD instructions.", hint="Offer one without them.")
        return image

    def _built(self, offer: Offer) -> ImageRef:
        tag = tag_of(offer)
        if not is_present(self._api, tag):
            self._progress(f"Building {tag}, which {escape_text(offer.origin)} describes")
            self._build(
                tag,
                archive_of(offer.files),
                dockerfile=offer.dockerfile,
                target=offer.target,
                arguments=offer.arguments,
                labels={IMAGE_LABEL: KIND},
            )
        return self._store.resolve(tag)

    def _with_python(self, image: ImageRef) -> ImageRef:
        """As `paddock image wrap` does it; here too without anything of the user's."""
        files = build_files(shipped("images") / "wrap", readable_roots(self._progress))
        tag = f"paddock/wrap:{content_digest(files, 'of a repository', image.id)}"
        if not is_present(self._api, tag):
            self._progress(f"Adding python3 to {image.name}, where it has none")
            labels = {IMAGE_LABEL: "wrap", BASE_LABEL: image.name}
            self._build(tag, context_archive(files), arguments={"BASE": image.id}, labels=labels)
        return self._store.resolve(tag)

    def _build(  # noqa: PLR0913 - each is a word of the engine's
        self,
        tag: str,
        archive: bytes,
        *,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
        dockerfile: str = "Dockerfile",
        target: str = "",
    ) -> None:
        parameters = {
            "t": tag,
            "dockerfile": dockerfile,
            "buildargs": json.dumps(arguments),
            "labels": json.dumps(labels),
            "networkmode": self._network,
            "rm": True,
            "forcerm": True,
            "memory": self._limits.memory,
            "memswap": self._limits.memory,
            "cpuperiod": 100_000,
            "cpuquota": int(self._limits.cpus * 100_000),
            **({"target": target} if target else {}),
        }
        with image_door(f"build {tag}"), sdk(self._api) as sdk_client:
            client: Any = sdk_client  # the SDK's own parts, of which its stubs know nothing
            answer = client._post(
                client._url("/build"),
                params=parameters,
                data=archive,
                headers={"Content-Type": "application/tar"},
                stream=True,
                timeout=SILENT_SECONDS,
            )
            with self._deadline(client, answer, tag):
                self._follow(client._stream_helper(answer, decode=True), tag)

    def _follow(self, messages: Iterator[Any], tag: str) -> None:
        tail: deque[str] = deque(maxlen=8)
        for said in messages:
            message = checked(said, f"build {tag}", hint=f"It said last: {' / '.join(tail)}")
            for line in filter(str.strip, str(message.get("stream", "")).splitlines()):
                if not line.startswith((" --->", "Removing intermediate")):  # the engine's own words
                    tail.append(escape_text(line.strip())[:STEP_WIDTH])
                if line.startswith("Step "):
                    self._progress(escape_text(" ".join(line.split()))[:STEP_WIDTH])

    @contextmanager
    def _deadline(self, client: Any, answer: Any, tag: str) -> Iterator[None]:
        """Hang up when the time is over: the engine ends a build that nobody listens to."""
        passed = threading.Event()

        def hang_up() -> None:
            passed.set()
            with suppress(AttributeError, OSError):  # it has ended in this moment
                client._get_raw_response_socket(answer)._sock.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(self._limits.seconds, hang_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        except urllib3.exceptions.HTTPError as error:
            if not passed.is_set():
                raise ImageError(f"The engine hung up while it built {tag}.", hint="Try again.") from error
        finally:
            timer.cancel()
            answer.close()
        if passed.is_set():
            raise self._too_slow(tag)

    def _too_slow(self, tag: str) -> ImageError:
        return ImageError(
            f"Building {tag} took longer than {self._limits.seconds:g} s and was stopped.",
            hint="Build it with Docker yourself, and name it with --image.",
        )


def tag_of(offer: Offer) -> str:
    """What the image of an offer is called here: the name that is pulled, or one by its whole digest."""
    return offer.reference or f"paddock/{KIND}:{offer.digest.removeprefix('sha256:')}"
