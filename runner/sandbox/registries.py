"""Which package registries an image's tools are set to use: asked from the image once, and remembered.

An image decides its registries, and what it says is hostile text until it has been read as plain names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Timer
from typing import Any
from urllib.parse import urlsplit

from runner.errors import ImageError, PaddockError
from runner.model.destinations import TLS_PORT, parse_destination
from runner.model.quantities import Bytes
from runner.model.spec import ROLE_LABEL, RUN_LABEL, STATE_LABEL, ImageRef, Role, SandboxLimits, SandboxSpec, Tmpfs
from runner.sandbox.engine import Engine, Output
from runner.shipped import shipped

GROUPS = ("python", "npm", "debian", "rust", "go")
SECONDS = 120.0
MOST_OUTPUT = 64 * 1024
MOST_ENTRIES = 32
MIB = 2**20

Registries = Mapping[str, tuple[str, ...]]
"""A group's name, without `@`, to the entries that it stands for: `name` or `name:port`, never a wildcard."""


def registries_of(engine: Engine, image: ImageRef, state_dir: Path) -> Registries:
    """What `image` says, from its record or from the image itself. Raises `ImageError`."""
    record = record_of(image, state_dir)
    with suppress(FileNotFoundError):
        return read_registries(record.read_bytes())
    said = ask(engine, image, state_dir)
    found = read_registries(said)
    record.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=record.parent, delete=False) as file:
        file.write(said)
    Path(file.name).replace(record)
    return found


def record_of(image: ImageRef, state_dir: Path) -> Path:
    """The file that remembers what an image of that content said."""
    return state_dir / "images" / f"{image.id.removeprefix('sha256:')}.json"


def ask(engine: Engine, image: ImageRef, state_dir: Path) -> bytes:
    """Run the search in a closed container of the image; one line of JSON. Raises `ImageError`."""
    box = engine.create(search_spec(image, state_dir), {})
    # Whatever python3 is in there, it ends.
    deadline = Timer(SECONDS, box.signal, ("SIGKILL",))
    try:
        output = box.attach()
        box.start()
        deadline.start()
        said = _read(output, image)
        ended = box.wait(SECONDS)
    finally:
        deadline.cancel()
        box.close()
    if ended is None or ended.code != 0:
        raise _odd(image, f"the search ended with {ended.code}" if ended else "the search does not end")
    return said


def _read(output: Iterable[Output], image: ImageRef) -> bytes:
    """What the search prints, bounded."""
    said = b""
    for piece in output:
        said += piece.data if piece.stream == 1 else b""
        if len(said) > MOST_OUTPUT:
            raise _odd(image, "it says more than it could have to say")
    return said.strip()


def search_spec(image: ImageRef, state_dir: Path) -> SandboxSpec:
    """A closed container that runs images/base/find-registries: no network, no mount, little of everything."""
    run = f"image-{image.id.removeprefix('sha256:')[:12]}"
    script = (shipped("images") / "base" / "find-registries").read_text()
    return SandboxSpec(
        run=run,
        role=Role.PROBE,
        name=f"paddock-{run}-registries",
        hostname="probe",
        image=image,
        entrypoint=("python3", "-I", "-B", "-c", script),
        argv=(),
        environment={"HOME": "/nonexistent", "LANG": "C.UTF-8"},
        uid=65534,
        gid=65534,
        workdir="/",
        mounts=(),
        tmpfs=(Tmpfs(target="/tmp", size=Bytes(64 * MIB), executable=False),),  # noqa: S108 - inside the container
        limits=SandboxLimits(
            cpus=1.0,
            memory=Bytes(512 * MIB),
            pids=64,
            shm=Bytes(MIB),
            open_files=1024,
            file_size=Bytes(64 * MIB),
        ),
        log_size=Bytes(MIB),
        labels={RUN_LABEL: run, ROLE_LABEL: Role.PROBE.value, STATE_LABEL: str(state_dir)},
    )


def read_registries(said: bytes) -> Registries:
    """The entries of each group; what is no plain name is left out. Raises `ImageError` for what is no such record."""
    try:
        document: Any = json.loads(said)
    except ValueError as error:
        raise ImageError("An image's list of registries cannot be read.", hint="Use another image.") from error
    lists = document if isinstance(document, dict) else {}
    return {group: _entries(lists.get(group)) for group in GROUPS}


def _entries(addresses: Any) -> tuple[str, ...]:
    found = [_entry(str(text)) for text in (addresses if isinstance(addresses, list) else [])[:MOST_ENTRIES]]
    return tuple(dict.fromkeys(entry for entry in found if entry))


def _entry(address: str) -> str:
    """`name` or `name:port` of a URL; nothing for an address, a single label, or anything else that is no name."""
    try:
        if not re.fullmatch(r"[!-~]+", address):
            return ""
        url = urlsplit(address)
        port = url.port or {"https": TLS_PORT, "http": 80}[url.scheme]
        destination = parse_destination(url.hostname or "")
    except (ValueError, KeyError, PaddockError):
        return ""
    if destination.kind != "name" or destination.port is not None:
        return ""
    return destination.name if port == TLS_PORT else f"{destination.name}:{port}"


def _odd(image: ImageRef, why: str) -> ImageError:
    return ImageError(
        f"The image {image.name} cannot be asked which package registries it uses: {why}.",
        hint="Name the hosts in the policy instead of @python, @npm, @debian, @rust or @go.",
    )
