"""The base is the one at hand, else a registry's, else one made here; when nothing works, both reasons are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import pytest

from runner.errors import ImageError
from runner.sandbox import debian_base
from runner.sandbox.debian_base import PUBLISHED, DebianBase
from runner.sandbox.docker_api import EngineApi
from runner.sandbox.docker_http import ApiError


class StubClient:
    """The three calls that a base takes: what is there, what a registry says, and what was imported."""

    def __init__(self, *, present: tuple[str, ...] = (), registry: bool = False) -> None:
        self.present = list(present)
        self.registry = registry
        self.imported: list[bytes] = []

    def images(self, filters: dict[str, list[str]]) -> list[str]:
        return [name for name in filters["reference"] if name in self.present]

    def pull(self, name: str, *, stream: bool, decode: bool) -> Iterator[dict[str, Any]]:
        assert stream
        assert decode
        if not self.registry:
            raise ApiError(500, "dial tcp: no such host")
        yield {"status": "Pulling"}
        self.present.append(name)

    def import_image_from_file(self, file: str, repository: str, tag: str, changes: list[str]) -> str:
        self.imported.append(Path(file).read_bytes())
        self.present.append(f"{repository}:{tag}")
        return '{"status":"sha256:1"}\n'


@pytest.fixture(autouse=True)
def _no_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is rare is asked of the same stub."""
    monkeypatch.setattr(debian_base, "sdk", nullcontext)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Stands in for make-debian: writes its other arguments where the archive belongs."""
    script = tmp_path / "make-debian"
    script.write_text('target=$1; shift; echo "I: creating tarball..." >&2; printf "%s" "$*" > "$target"\n')
    return script


def base(client: StubClient, script: Path, said: list[str], roots: tuple[Path, ...] = ()) -> DebianBase:
    return DebianBase(
        cast(EngineApi, client), said.append, script=script, scratch=script.parent / "scratch", extra_roots=roots
    )


def test_a_base_at_hand_is_used_and_nobody_is_asked(script: Path) -> None:
    said: list[str] = []

    assert base(StubClient(present=(PUBLISHED,)), script, said).obtain() == PUBLISHED
    assert said == []


def test_a_registry_that_answers_is_preferred_to_making_one(script: Path) -> None:
    client = StubClient(registry=True)

    assert base(client, script, []).obtain() == PUBLISHED
    assert client.imported == []


def test_without_a_registry_the_base_is_made_here_with_the_roots_of_the_host_and_only_once(script: Path) -> None:
    root = script.parent / "company.crt"
    root.write_text("PEM")
    client, said = StubClient(), list[str]()
    made = base(client, script, said, (root,)).obtain()

    assert made.startswith("paddock/debian:bookworm-")
    assert client.imported == [str(root).encode()]
    assert "No registry answered (no such host); making the base once, from Debian's own packages" in said
    assert "creating tarball..." in said
    assert base(client, script, said, (root,)).present() == made
    assert base(client, script, said).present() == "", "another set of roots is another base"
    assert list((script.parent / "scratch").iterdir()) == []


def test_when_both_ways_fail_both_reasons_are_told_with_what_to_do(script: Path) -> None:
    script.write_text("echo 'make-debian: mmdebstrap is missing' >&2; exit 1\n")

    with pytest.raises(ImageError, match=r"no such host.*mmdebstrap is missing") as caught:
        base(StubClient(), script, []).obtain()
    assert "docker load" in caught.value.hint
