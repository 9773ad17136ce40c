"""What an image says of its registries is read as plain names, whatever it says."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import ImageError
from runner.model.destinations import parse_destination
from runner.model.network import REGISTRY_GROUPS
from runner.model.spec import ImageRef, SandboxSpec
from runner.sandbox.engine import Exit, Output
from runner.sandbox.fake import FakeBox, FakeEngine
from runner.sandbox.registries import MOST_ENTRIES, read_answer, record_of, registries_of, remembered
from runner.shipped import shipped

SCRIPT = shipped("images") / "base" / "find-registries"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def read(**groups: list[str]) -> dict[str, tuple[str, ...]]:
    return dict(read_answer(json.dumps(groups).encode()).groups)


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
    record = read_answer(json.dumps({"python": [address]}).encode())
    assert record.groups["python"] == ()
    assert len(record.left_out["python"]) == 1


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://10.0.0.5/simple", '"10.0.0.5" is an IP address'),
        ("http://joe:secret@nexus/simple", '"nexus" has only one part'),
        ("https://joe:secret@a.test:x/", "something that is no http or https address"),
        ("https://*.test/", '"*.test" would allow a whole top-level domain'),
        ("https://*.evil.test/", '"*.evil.test" is not one plain name'),
    ],
)
def test_what_is_left_out_is_told_by_its_host_alone_and_why(address: str, why: str) -> None:
    (told,) = read_answer(json.dumps({"python": [address]}).encode()).left_out["python"]
    assert told.startswith(why)
    assert "secret" not in told


def test_an_image_cannot_add_groups_nor_flood_one() -> None:
    found = read(github=["https://evil.test/"], python=[f"https://a{number}.test/" for number in range(10_000)])
    assert set(found) == REGISTRY_GROUPS
    assert len(found["python"]) == MOST_ENTRIES


@pytest.mark.parametrize("said", [b"", b"not json", b"\xff\xfe", b"{"])
def test_what_cannot_be_read_is_an_error_that_says_so(said: bytes) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        read_answer(said)


@given(st.dictionaries(st.sampled_from(sorted(REGISTRY_GROUPS)), JSON))
def test_every_entry_is_one_name_whatever_is_said(document: dict[str, object]) -> None:
    for entries in read_answer(json.dumps(document).encode()).groups.values():
        assert all(parse_destination(entry).kind == "name" for entry in entries)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder of tools that print what a test says; there is no other tool."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("cat", "sleep", "yes"):
        (folder / name).symlink_to(f"/usr/bin/{name}")
    return folder


@pytest.fixture
def with_pip(tools: Path) -> Path:
    """The same, and the pip of these tests."""
    (tools / "python3").symlink_to(sys.executable)
    return tools


def tool(folder: Path, name: str, text: str) -> None:
    program(folder, name, f"cat <<'END'\n{text}\nEND")


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def search(tools: Path, *argv: str, change: tuple[str, str] = ("", ""), **environment: str) -> Any:
    """What the search says where these are the tools; `change` replaces one text in it."""
    text = SCRIPT.read_text()
    assert change[0] in text
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", text.replace(*change) if change[0] else text, *argv],
        env={
            "PATH": str(tools),
            "HOME": "/nonexistent",
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_INDEX_URL": "https://mirror.test/simple",
            "CARGO_HOME": str(tools),
            "UV_CONFIG_FILE": str(tools / "uv.toml"),
        }
        | environment,
        capture_output=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def test_a_mirror_that_pip_is_set_to_is_found_by_itself(with_pip: Path) -> None:
    assert search(with_pip)["python"] == ["https://mirror.test"]


def test_the_default_index_of_pip_is_asked_from_pip_itself(with_pip: Path) -> None:
    (index,) = search(with_pip, PIP_INDEX_URL="")["python"]
    own = "from pip._internal.models.index import PyPI; print(PyPI.netloc)"
    said = subprocess.run([sys.executable, "-c", own], capture_output=True, text=True, check=True).stdout.strip()
    assert index == f"https://{said}"


def test_no_password_is_in_what_the_search_says(with_pip: Path) -> None:
    assert search(with_pip, PIP_INDEX_URL="https://joe:secret@mirror.test:8443/simple")["python"] == [
        "https://mirror.test:8443"
    ]


def test_pip_that_may_use_no_index_has_none(with_pip: Path) -> None:
    assert search(with_pip, PIP_NO_INDEX="1")["python"] == []


def test_uv_keeps_its_default_index_beside_one_that_is_added(tools: Path) -> None:
    tool(tools, "uv", "--default-index <URL>\n  The default (by default: <https://default.test/simple>)")
    (tools / "uv.toml").write_text('[[index]]\nname = "us"\nurl = "https://more.test/simple"\n')
    assert search(tools)["python"] == ["https://default.test", "https://more.test"]


def test_uv_has_no_other_index_than_the_mirror_that_replaces_its_default(tools: Path) -> None:
    tool(tools, "uv", "--default-index <URL>\n  The default (by default: <https://default.test/simple>)")
    (tools / "uv.toml").write_text('[[index]]\nurl = "https://mirror.test/simple"\ndefault = true\n')
    assert search(tools)["python"] == ["https://mirror.test"]


def test_npm_and_go_are_asked_for_what_they_use(tools: Path) -> None:
    tool(tools, "npm", '{"registry": "https://npm.mirror.test/", "@us:registry": "https://us.test/npm", "color": true}')
    tool(tools, "go", "https://go.mirror.test|direct\nsum.mirror.test+033de0ae")
    found = search(tools)
    assert found["npm"] == ["https://npm.mirror.test", "https://us.test"]
    assert found["go"] == ["https://go.mirror.test", "https://sum.mirror.test"]


def test_apt_is_asked_where_it_would_fetch_its_lists(tools: Path) -> None:
    tool(tools, "apt-get", "'http://apt.test/debian/dists/stable/InRelease' apt.test_InRelease 0\nE: http://no.test/")
    assert search(tools)["debian"] == ["http://apt.test"]


def test_cargo_has_its_own_registry_unless_another_replaces_it(tools: Path) -> None:
    tool(tools, "cargo", "sparse+https://index.test/")
    assert search(tools)["rust"] == ["https://index.test"]
    (tools / "config.toml").write_text(
        '[source.crates-io]\nreplace-with = "us"\n[source.us]\nregistry = "sparse+https://mirror.test/index/"\n'
    )
    assert search(tools)["rust"] == ["https://mirror.test"]


def test_a_mirror_is_not_overlooked_where_python_cannot_read_toml(tools: Path) -> None:
    tool(tools, "cargo", "sparse+https://index.test/")
    (tools / "config.toml").write_text('[source.crates-io]\nreplace-with = "us"\n')
    old = "import sys; sys.modules['tomllib'] = sys.modules['pip'] = None\n"
    assert search(tools, change=("import json\n", f"import json\n{old}"))["rust"] == []


def test_pip_lends_its_toml_reader_to_an_old_python(tools: Path) -> None:
    tool(tools, "cargo", "sparse+https://index.test/")
    (tools / "config.toml").write_text('[registries.us]\nindex = "sparse+https://mirror.test/"\n')
    lent = "types.SimpleNamespace(tomli=t)"
    old = f"import sys, types, tomllib as t\nsys.modules.update({{'tomllib': None, 'pip': t, 'pip._vendor': {lent}}})\n"
    found = search(tools, change=("import json\n", f"import json\n{old}"))
    assert found["rust"] == ["https://index.test", "https://mirror.test"]


def test_where_files_are_is_known_for_the_registry_that_said_so_alone(with_pip: Path, tmp_path: Path) -> None:
    found = tmp_path / "registries.json"
    found.write_text(
        '{"python": {"https://mirror.test": ["https://files.test"], "https://other.test": ["https://x.test"]}}'
    )
    change = ("/usr/local/share/paddock/registries.json", str(found))
    assert search(with_pip, change=change)["python"] == ["https://files.test", "https://mirror.test"]
    assert search(with_pip, change=change, PIP_INDEX_URL="https://new.test/simple")["python"] == ["https://new.test"]


@pytest.mark.parametrize("text", ["not JSON", "[]", '{"python": []}', '{"python": {"https://mirror.test": 7}}'])
def test_what_an_image_learned_may_be_nonsense(with_pip: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "registries.json").write_text(text)
    change = ("/usr/local/share/paddock/registries.json", str(tmp_path / "registries.json"))
    assert search(with_pip, change=change)["python"] == ["https://mirror.test"]


def test_npm_is_asked_where_its_files_are_while_an_image_is_built(tools: Path) -> None:
    program(
        tools, "npm", 'case "$1" in config) echo https://npm.test/ ;; view) echo https://files.test/npm.tgz ;; esac'
    )
    assert search(tools, "--online")["npm"] == {"https://npm.test": ["https://files.test"]}


class SparseIndex(BaseHTTPRequestHandler):
    """The one file of a cargo registry that says where its packages are."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/index/config.json" else 404)
        self.end_headers()
        self.wfile.write(b'{"dl": "https://crates.test/{crate}/download", "api": null}')

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def test_a_sparse_registry_is_asked_where_its_packages_are_while_an_image_is_built(tools: Path) -> None:
    tool(tools, "cargo", "")
    with HTTPServer(("127.0.0.1", 0), SparseIndex) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        index = f"http://127.0.0.1:{server.server_port}"
        found = search(tools, "--online", CARGO_REGISTRIES_US_INDEX=f"sparse+{index}/index/")
        server.shutdown()
    assert found["rust"] == {index: ["https://crates.test"]}


def test_a_registry_that_does_not_answer_while_an_image_is_built_is_no_failure(tools: Path) -> None:
    tool(tools, "cargo", "")
    assert search(tools, "--online", CARGO_REGISTRIES_US_INDEX="sparse+http://127.0.0.1:9/")["rust"] == {}


@pytest.mark.parametrize(
    "script",
    ["echo this is not JSON", "exit 1", "yes https://evil.test/", "sleep 100 & sleep 100", "printf '\\377\\376'"],
    ids=["nonsense", "failing", "flooding", "hanging", "bytes"],
)
def test_a_tool_that_does_not_answer_rightly_counts_as_absent_and_holds_nothing_up(tools: Path, script: str) -> None:
    program(tools, "npm", script)
    tool(tools, "go", "https://go.test")
    found = search(tools, change=("\nSECONDS = 20\n", "\nSECONDS = 2\n"))
    assert (found["npm"], found["go"]) == ([], ["https://go.test"])


IMAGE = ImageRef(name="one:1", id="sha256:" + "1" * 64)


class Answering(FakeEngine):
    """An engine whose every container prints the same and ends with the same code."""

    def __init__(self, said: bytes, code: int = 0) -> None:
        super().__init__({})
        self.said, self.code = said, code
        self.names: list[str] = []

    def create(self, spec: SandboxSpec, secrets: Mapping[str, str]) -> Any:
        self.names.append(spec.name)
        time.sleep(0.05)  # long enough for all who ask at once to come
        box = Mock(spec=FakeBox)
        box.attach.return_value = iter([Output(2, b"noise"), Output(1, self.said)])
        box.wait.return_value = Exit(code=self.code)
        return box


def test_an_image_is_asked_once_and_its_answer_is_kept_as_names(tmp_path: Path) -> None:
    engine = Answering(b'{"python": ["https://joe:secret@mirror.test/simple"]}')
    first, second = (registries_of(engine, IMAGE, tmp_path) for _ in range(2))
    assert first == second == {"python": ("mirror.test",), "npm": (), "debian": (), "rust": (), "go": ()}
    assert len(engine.names) == 1
    assert "secret" not in record_of(IMAGE, tmp_path).read_text()


def test_several_that_ask_at_once_ask_once(tmp_path: Path) -> None:
    engine = Answering(b'{"python": ["https://mirror.test/simple"]}')
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: registries_of(engine, IMAGE, tmp_path)["python"], range(8)))
    assert found == [("mirror.test",)] * 8
    assert len(engine.names) == 1


def test_no_two_searches_have_one_name(tmp_path: Path) -> None:
    engine = Answering(b"{}")
    for folder in ("a", "b"):
        registries_of(engine, IMAGE, tmp_path / folder)
    assert len(set(engine.names)) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"python": ["https://mirror.test/simple"]}'])
def test_a_record_that_cannot_be_read_is_asked_again(tmp_path: Path, text: str) -> None:
    record = record_of(IMAGE, tmp_path)
    record.parent.mkdir()
    record.write_text(text)
    assert remembered(IMAGE, tmp_path) is None
    assert registries_of(Answering(b'{"npm": ["https://npm.test/"]}'), IMAGE, tmp_path)["npm"] == ("npm.test",)
    assert remembered(IMAGE, tmp_path) is not None


def test_a_record_of_another_search_is_asked_again(tmp_path: Path) -> None:
    registries_of(Answering(b"{}"), IMAGE, tmp_path)
    record = record_of(IMAGE, tmp_path)
    record.write_text(record.read_text().replace(json.loads(record.read_text())["search"], "0" * 12))
    assert registries_of(Answering(b'{"npm": ["https://npm.test/"]}'), IMAGE, tmp_path)["npm"] == ("npm.test",)


def test_an_image_without_python_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="has no python3") as caught:
        registries_of(Answering(b"", code=127), IMAGE, tmp_path)
    assert caught.value.hint == "Make one that has it: paddock image wrap one:1"


def test_nothing_is_kept_of_a_search_that_failed(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="ended with 137"):
        registries_of(Answering(b"{}", code=137), IMAGE, tmp_path)
    assert not record_of(IMAGE, tmp_path).exists()
