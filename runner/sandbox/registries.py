"""Which package registries an image's tools are set to use: asked from the image once, and remembered.

An image decides its registries, and what it says is hostile text until it has been read as plain names.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Timer
from typing import Any
from urllib.parse import urlsplit

from runner.errors import ImageError, StoreError
from runner.model.base import Record
from runner.model.destinations import TLS_PORT, parse_destination
from runner.model.network import REGISTRY_GROUPS
from runner.model.quantities import Bytes
from runner.model.spec import ROLE_LABEL, RUN_LABEL, STATE_LABEL, ImageRef, Role, SandboxLimits, SandboxSpec, Tmpfs
from runner.model.wording import quoted
from runner.sandbox.engine import Engine, Output
from runner.sandbox.locks import sole
from runner.shipped import shipped

SECONDS = 120.0
MOST_OUTPUT = 64 * 1024
MOST_ENTRIES = 32
MIB = 2**20
NOT_THERE = 127
"""The exit code of a container whose program is missing."""

Registries = Mapping[str, tuple[str, ...]]
"""A group's name, without `@`, to the entries that it stands for: `name` or `name:port`, never a wildcard."""


class RegistryRecord(Record):
    """What an image said, as it is kept: names alone. Never a URL, which may hold a password."""

    search: str
    """Which search asked; what another version of it found is asked again."""
    groups: dict[str, tuple[str, ...]]
    left_out: dict[str, tuple[str, ...]]
    """A group's name to sentences: what was found and cannot be an entry, and why."""


def registries_of(engine: Engine, image: ImageRef, state_dir: Path) -> Registries:
    """What `image` says, from its record or from the image itself. Raises `ImageError`, `StoreError`."""
    # Whoever comes second finds the answer of the first.
    with sole(state_dir, f"registries-{_digits(image)}"):
        known = remembered(image, state_dir)
        if known is None:
            known = read_answer(ask(engine, image, state_dir))
            _remember(known, record_of(image, state_dir))
    return known.groups


def remembered(image: ImageRef, state_dir: Path) -> RegistryRecord | None:
    """What an image said when it was asked; `None` when it was not, not by this search, or when that is unreadable."""
    try:
        record = RegistryRecord.model_validate_json(record_of(image, state_dir).read_bytes())
    except (OSError, ValueError):
        return None
    return record if record.search == _search()[1] and set(record.groups) == REGISTRY_GROUPS else None


def record_of(image: ImageRef, state_dir: Path) -> Path:
    """The file that remembers what an image of that content said."""
    return state_dir / "images" / f"{_digits(image)}.json"


def _remember(record: RegistryRecord, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            file.write(record.model_dump_json())
        Path(file.name).replace(path)
    except OSError as error:
        raise StoreError(f"{path.parent} cannot be written: {error.strerror}") from error


def ask(engine: Engine, image: ImageRef, state_dir: Path) -> bytes:
    """Run the search in a closed container of the image; one line of JSON. Raises `ImageError`."""
    box = engine.create(search_spec(image, state_dir, secrets.token_hex(4)), {})
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
    if ended is not None and ended.code == NOT_THERE:
        raise ImageError(
            f"The image {image.name} has no python3, which asks its tools for their registries.",
            hint=f"Make one that has it: paddock image wrap {image.name}",
        )
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


def search_spec(image: ImageRef, state_dir: Path, token: str) -> SandboxSpec:
    """A closed container that runs images/base/find-registries: no network, no mount, little of everything.

    `token` makes its name its own: one that was left behind is in nobody's way.
    """
    run = f"image-{_digits(image)[:12]}"
    return SandboxSpec(
        run=run,
        role=Role.PROBE,
        name=f"paddock-{run}-{token}",
        hostname="probe",
        image=image,
        entrypoint=("python3", "-I", "-B", "-c", _search()[0]),
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


def _search() -> tuple[str, str]:
    """The program that runs in the image, and what tells it from other versions of it."""
    script = (shipped("images") / "base" / "find-registries").read_text()
    return script, hashlib.sha256(script.encode()).hexdigest()[:12]


def _digits(image: ImageRef) -> str:
    return image.id.removeprefix("sha256:")


def read_answer(said: bytes) -> RegistryRecord:
    """The entries of each group, and what cannot be one. Raises `ImageError` for what is no such answer."""
    try:
        document: Any = json.loads(said)
    except (ValueError, RecursionError) as error:
        raise ImageError("An image's list of registries cannot be read.", hint="Use another image.") from error
    lists = document if isinstance(document, dict) else {}
    read = {group: list(_entries(lists.get(group))) for group in sorted(REGISTRY_GROUPS)}
    return RegistryRecord(
        search=_search()[1],
        groups={group: tuple(dict.fromkeys(entry for entry, _ in each if entry)) for group, each in read.items()},
        left_out={group: tuple(dict.fromkeys(why for _, why in each if why)) for group, each in read.items()},
    )


def _entries(addresses: Any) -> Iterator[tuple[str, str]]:
    """An entry, or why there is none, for each address."""
    for text in (addresses if isinstance(addresses, list) else [])[:MOST_ENTRIES]:
        try:
            yield _entry(str(text)), ""
        except ValueError as error:
            yield "", str(error)


def _entry(address: str) -> str:
    """`name` or `name:port` of a URL. Raises `ValueError`, which repeats no more of it than its host."""
    try:
        if not re.fullmatch(r"[!-~]+", address):
            raise ValueError
        url = urlsplit(address)
        port = url.port or {"https": TLS_PORT, "http": 80}[url.scheme]
        host = url.hostname or ""
    except (ValueError, KeyError):
        raise ValueError("something that is no http or https address") from None
    destination = parse_destination(host)
    if destination.kind != "name" or destination.port is not None:
        raise ValueError(f"{quoted(host)} is not one plain name")
    return destination.name if port == TLS_PORT else f"{destination.name}:{port}"


def _odd(image: ImageRef, why: str) -> ImageError:
    return ImageError(
        f"The image {image.name} cannot be asked which package registries it uses: {why}.",
        hint="Name the hosts in the policy instead of @python, @npm, @debian, @rust or @go.",
    )
