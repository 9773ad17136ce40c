"""The head of a bundle is read without git, and whatever it is made of, there is an answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.repo.bundle import BundleFormatError, parse_bundle_header
from tests.unit.repo.collection_kit import git

A, B = "a" * 40, "b" * 40
GOOD = f"# v2 git bundle\n-{A} its subject\n{B} refs/paddock/primary\n\nPACK....".encode()


def test_a_version_2_header_is_read() -> None:
    header = parse_bundle_header(GOOD)
    assert (header.version, header.object_format) == (2, "sha1")
    assert header.prerequisites == (A,)
    assert header.refs == {"refs/paddock/primary": B}
    assert GOOD[header.pack_offset :] == b"PACK...."


def test_a_version_3_header_tells_its_object_format() -> None:
    header = parse_bundle_header(b"# v3 git bundle\n@object-format=sha256\n" + b"c" * 64 + b" refs/heads/x\n\nPACK")
    assert (header.version, header.object_format, header.refs) == (3, "sha256", {"refs/heads/x": "c" * 64})


def test_what_git_writes_is_read(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    for message in ("one", "two"):
        git(tmp_path, "commit", "-q", "--allow-empty", "-m", message)
    first, second = git(tmp_path, "rev-parse", "main~1", "main").split()
    git(tmp_path, "bundle", "create", "-q", "b", "main", f"^{first}")
    data = (tmp_path / "b").read_bytes()
    header = parse_bundle_header(data)
    assert (header.prerequisites, header.refs) == ((first,), {"refs/heads/main": second})
    assert data[header.pack_offset :].startswith(b"PACK")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PACK",
        b"# v2 git bundle\n",
        b"# v4 git bundle\n\n",
        GOOD.replace(b"\n\n", b"\n"),
        GOOD.replace(B.encode(), b"b" * 39),
        GOOD.replace(B.encode(), b"B" * 40),
        GOOD.replace(b"refs/paddock/primary", b"--upload-pack=x"),
        GOOD.replace(b"refs/paddock/primary", b"refs/paddock/../x"),
        GOOD.replace(b"refs/paddock/primary", b"refs/paddock/\x1b[31m"),
        GOOD.replace(b"\n\n", f"\n{A} refs/paddock/primary\n\n".encode()),
        GOOD.replace(b"\n\n", f"\n-{A} late\n\n".encode()),
        b"# v3 git bundle\n@filter=blob:none\n\n",
        b"# v3 git bundle\n@object-format=sha256\n@object-format=sha1\n\n",
        b"# v2 git bundle\n@object-format=sha256\n\n",
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(BundleFormatError):
        parse_bundle_header(data)


@given(st.one_of(st.binary(), st.binary().map(lambda tail: b"# v2 git bundle\n" + tail + b"\n\n")))
def test_every_input_is_read_or_refused(data: bytes) -> None:
    try:
        header = parse_bundle_header(data)
    except BundleFormatError:
        return
    assert data[: header.pack_offset].endswith(b"\n\n")
    assert all(name.startswith("refs/") and name.isprintable() for name in header.refs)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_one_wrong_byte_never_makes_another_kind_of_failure(at: int, byte: int) -> None:
    data = GOOD[:at] + bytes([byte]) + GOOD[at + 1 :]
    try:
        parse_bundle_header(data)
    except BundleFormatError:
        return
