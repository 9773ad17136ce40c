"""The Debian under every image: the one at hand, else a registry's, else one made here from Debian's own packages."""

from __future__ import annotations

import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from runner.errors import ImageError
from runner.escape import escape_text
from runner.sandbox.build_context import ContextFile, content_digest
from runner.sandbox.docker_api import EngineApi
from runner.sandbox.docker_sdk import sdk
from runner.sandbox.image_errors import checked, image_door

PUBLISHED = "debian:bookworm-slim"
"""Pulled by tag: no digest is known to be good for every platform. What came is in the label `paddock.base.id`."""

MADE_REPOSITORY = "paddock/debian"
MAKE_SECONDS = 900.0
MADE_CHANGES = (
    'CMD ["bash"]',
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LABEL paddock.image=debian",
)

_STEP = re.compile(r"I: (running apt|downloading|extracting|installing|creating)")
"""The lines of mmdebstrap that tell a person how far it is."""

Progress = Callable[[str], None]


class DebianBase:
    """Finds or makes the Debian base. `script` is `make-debian`; `scratch` is a folder with room for 200 MB."""

    def __init__(
        self, client: EngineApi, progress: Progress, *, script: Path, scratch: Path, extra_roots: Sequence[Path]
    ) -> None:
        self._client = client
        self._progress = progress
        self._script = script
        self._scratch = scratch
        self._extra_roots = tuple(extra_roots)

    def present(self) -> str:
        """The name of a base that is on this machine already, or the empty text."""
        return next((name for name in self.names() if is_present(self._client, name)), "")

    def names(self) -> tuple[str, str]:
        """What a base on this machine can be called: as a registry has it, or as it is made here."""
        return PUBLISHED, self._made()

    def obtain(self) -> str:
        """The name of a base, fetched or made if there is none. Raises `ImageError` with both reasons."""
        name = self.present()
        if name:
            return name
        self._progress(f"Pulling {PUBLISHED}")
        try:
            pull(self._client, PUBLISHED)
        except ImageError as refusal:
            reason = refusal.message.rpartition(": ")[2]
            self._progress(f"No registry answered ({reason}); making the base once, from Debian's own packages")
            return self._make(refusal)
        return PUBLISHED

    def _made(self) -> str:
        roots = [ContextFile(root.name, 0o644, root.read_bytes()) for root in self._extra_roots]
        return f"{MADE_REPOSITORY}:bookworm-{content_digest(roots, self._script.read_text())}"

    def _make(self, refusal: ImageError) -> str:
        name = self._made()
        repository, _, tag = name.partition(":")
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch, prefix="debian-") as folder:
            archive = Path(folder) / "rootfs.tar"
            self._run_script(archive, refusal)
            self._progress(f"Importing {name}")
            with image_door(f"import {name}"), sdk(self._client) as client:
                said = client.import_image_from_file(str(archive), repository, tag, list(MADE_CHANGES))
            checked(said, f"import {name}")
        return name

    def _run_script(self, archive: Path, refusal: ImageError) -> None:
        lines: list[str] = []
        with subprocess.Popen(
            ["bash", str(self._script), str(archive), *map(str, self._extra_roots)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        ) as process:
            deadline = threading.Timer(MAKE_SECONDS, process.terminate)
            deadline.start()
            try:
                for line in process.stderr or ():
                    lines.append(line.strip())
                    if _STEP.match(line):
                        self._progress(line.removeprefix("I: ").strip())
            finally:
                deadline.cancel()
        if process.returncode:
            raise ImageError(
                f"There is no {PUBLISHED}. {refusal.message} "
                f"Making it here failed: {escape_text(' / '.join(lines[-3:])) or f'exit code {process.returncode}'}",
                hint=f"`docker load` one, or `apt-get install mmdebstrap` and try again; {self._script} is what ran.",
            )


def is_present(client: EngineApi, name: str) -> bool:
    """Whether the engine has an image of that name."""
    with image_door(f"look for {name}"):
        return bool(client.images({"reference": [name]}))


def pull(api: EngineApi, name: str) -> None:
    """Fetch an image by name from the engine's registry. Raises `ImageError` with the registry's own reason."""
    with image_door(f"pull {name}"), sdk(api) as client:
        for said in client.pull(name, stream=True, decode=True):
            checked(said, f"pull {name}")
