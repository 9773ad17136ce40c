"""What an image says of its registries is read as plain names, whatever it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import ImageError
from runner.model.destinations import parse_destination
from runner.sandbox.registries import GROUPS, MOST_ENTRIES, read_registries
from runner.shipped import shipped

SCRIPT = shipped("images") / "base" / "find-registries"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def read(**groups: list[str]) -> dict[str, tuple[str, ...]]:
    return dict(read_registries(json.dumps(groups).encode()))


def test_addresses_become_entries_of_a_policy() -> None:
    found = read(python=["https://mirror.test/simple", "http://Files.Mirror.test/x", "https://mirror.test:8443/a?b#c"])
    assert found["python"] == ("mirror.test", "files.mirror.test:80", "mirror.test:8443")
    assert found["npm"] == ()


@pytest.mark.parametrize(
    "address",
    [
        "https://*.test/",
        "https://10.0.0.1/simple",
        "https://[::1]/",
        "https://localhost/",
        "https://mirror/",
        "ftp://mirror.test/",
        "file:///etc",
        "https://a.test:99999/",
        "@github",
        "https://@github/",
        "https://a.test\n.evil.test/",
        "https://\u0430.test/",
        "",
    ],
)
def test_what_is_no_plain_name_is_left_out(address: str) -> None:
    assert read(python=[address])["python"] == ()


def test_an_image_cannot_add_groups_nor_flood_one() -> None:
    found = read(github=["https://evil.test/"], python=[f"https://a{number}.test/" for number in range(10_000)])
    assert set(found) == set(GROUPS)
    assert len(found["python"]) == MOST_ENTRIES


@pytest.mark.parametrize("said", [b"", b"not json", b"\xff\xfe", b"{"])
def test_what_cannot_be_read_is_an_error_that_says_so(said: bytes) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        read_registries(said)


@given(st.dictionaries(st.sampled_from(GROUPS), JSON))
def test_every_entry_is_one_name_whatever_is_said(document: dict[str, object]) -> None:
    for entries in read_registries(json.dumps(document).encode()).values():
        assert all(parse_destination(entry).kind == "name" for entry in entries)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder of tools that print what a test says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3").symlink_to(sys.executable)
    return folder


def tool(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
    (folder / name).chmod(0o755)


def search(tools: Path) -> dict[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-I", "-B", str(SCRIPT)],
        env={
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HOME": "/nonexistent",
            "PIP_CONFIG_FILE": "/dev/null",
            "UV_DEFAULT_INDEX": "https://mirror.test/simple",
            "PIP_INDEX_URL": "https://mirror.test/simple",
        },
        capture_output=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def test_a_mirror_that_pip_is_set_to_is_found_by_itself(tools: Path) -> None:
    assert search(tools)["python"] == ["https://mirror.test/simple"]


def test_npm_and_go_are_asked_for_what_they_use(tools: Path) -> None:
    tool(tools, "npm", '{"registry": "https://npm.mirror.test/", "@us:registry": "https://us.test/npm", "color": true}')
    tool(tools, "go", "https://go.mirror.test|direct\nsum.mirror.test+033de0ae")
    found = search(tools)
    assert found["npm"] == ["https://npm.mirror.test/", "https://us.test/npm"]
    assert found["go"] == ["https://go.mirror.test", "https://sum.mirror.test"]


def test_a_tool_that_fails_counts_as_absent(tools: Path) -> None:
    tool(tools, "npm", "this is not JSON")
    assert search(tools)["npm"] == []
