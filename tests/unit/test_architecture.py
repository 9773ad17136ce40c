"""The architecture as data, held by a walk over every import: layers, doors, and what stands nowhere."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "runner"
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "escape", "clock", "bounded_program", "folder_socket", ""),
    ("shipped",),
    ("model",),
    ("repo.evidence", "repo.later", "repo.spelling", "repo.added_lines"),
    ("repo.listings", "repo.authorship", "repo.path_gates"),
    ("plan", "redact", "report", "egress.rules", "repo.gates", "sandbox.docker_args"),
    ("settings", "sandbox", "repo", "egress", "agents", "store", "notify"),
    ("run",),
    ("batch", "cluster"),
    ("library",),
    ("cli", "web"),
    ("__main__",),
)
"""A part may import itself and what stands in a line above its own, nothing of its own line. "" is the package."""

LENT = {"__init__.py"}
"""The package's own page names what the library offers, and loads it when it is asked for."""

COLLECTOR = tuple(file for file in FILES if file.startswith("repo/collector/"))
SHIM = tuple(file for file in FILES if file.startswith("sandbox/inside/"))
INSIDE = (
    "agents/demo_script.py",
    "sandbox/shim_forward.py",
    *SHIM,
    *COLLECTOR,
)
"""Programs that run inside a container, alone: the standard library, nothing of ours, and no doors to keep."""

SIBLINGS = frozenset(Path(file).stem for file in COLLECTOR)
"""By these names the collector's modules import each other, and nobody else imports them."""

DOORS: dict[str, tuple[str, ...]] = {
    "docker": ("sandbox/",),
    "detect_secrets": ("repo/secrets.py",),
    "requests": ("sandbox/",),
    "urllib3": ("sandbox/",),
    "http": ("sandbox/", "notify/"),
    "subprocess": ("repo/", "sandbox/debian_base.py", "store/secret_sources.py", "bounded_program", "notify/"),
    "sqlite3": ("store/",),
    "rich": ("cli/",),
    "typer": ("cli/",),
    "pty": (),
    "pickle": (),
    "shelve": (),
    "marshal": (),
}
"""A module from outside, and the only places that may import it."""

NAMES: dict[str, tuple[str, ...]] = {
    "os.environ": ("settings.py",),
    "os.environb": ("settings.py",),
    "os.getenv": ("settings.py",),
    "Settings": ("settings.py",),
    "OutsideSettings": ("settings.py",),
    "print": (),
    "eval": (),
    "exec": (),
    "os.system": (),
    "os.popen": (),
    "os.chdir": (),
    "os.umask": (),
}
"""A name that has an effect, and the only places that may say it (`Settings`: may call it)."""

CALLED_ONLY = frozenset({"Settings", "OutsideSettings", "print", "eval", "exec"})
BROAD = frozenset({"Exception", "BaseException"})
MAX_BROAD = 2
"""The top of the CLI and the batch worker."""
MAX_LINES = 300
ONE_FILE = {"sandbox/inside/shim.py", "sandbox/inside/shim_network.py"}
"""The design wants each half of the shim in one file."""

TOP_LEVEL = {
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "pyproject.toml", "action.yml"),
    *("requirements.lock", "requirements-dev.lock", ".gitignore"),
    *("runner", "images", "policies", "tests", "docs", "benchmarks", ".ci"),
}

# Written in halves, so that this file is not what it looks for.
ADDRESSES = (
    "pypi" + ".org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "debian" + ".org/debian",
    "deb.deb" + "ian",
)
MACHINE_PATH = re.compile("/wo" + r"rk/(main|shared|\.)|/tmp" + r"/v/|/opt" + r"/(wheels|pypi)")


@cache
def tree(file: str) -> ast.Module:
    return ast.parse((PACKAGE / file).read_text(), file)


def part_and_line(module: str) -> tuple[str, int]:
    """The longest name in LAYERS that `module` (without `runner.`) is or lies in, and its line."""
    found = [(part, line) for line, parts in enumerate(LAYERS) for part in parts if f"{module}.".startswith(f"{part}.")]
    assert found, f"runner.{module} stands in no layer: give it one in LAYERS"
    return max(found, key=lambda item: len(item[0]))


def module_name(file: str) -> str:
    return file.removesuffix(".py").removesuffix("__init__").rstrip("/").replace("/", ".")


def imports(file: str) -> Iterator[tuple[int, str]]:
    """Every import of a file, at whatever depth, as (line, dotted name); relative ones resolved."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = ["runner", *Path(file).parent.parts][: -(node.level - 1) or None] if node.level else []
            stem = ".".join([*package, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{stem}.{alias.name}") for alias in node.names)


def own_imports(file: str) -> Iterator[tuple[int, str]]:
    """Imports of our own modules, without the leading `runner.`; `from a import b` is `a.b` where that is one."""
    for line, name in imports(file):
        if name.split(".")[0] != "runner":
            continue
        inner = name.partition(".")[2]
        path = PACKAGE.joinpath(*inner.split("."))
        is_module = path.with_suffix(".py").is_file() or path.is_dir()
        yield line, inner if is_module else inner.rpartition(".")[0]


def spoken_names(file: str) -> Iterator[tuple[int, str]]:
    """Every watched name that a file says: `os.environ`, `from os import environ`, a call of `print`."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLED_ONLY:
            yield node.lineno, node.func.id
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.lineno, f"{node.value.id}.{node.attr}"
    yield from ((line, name) for line, name in imports(file) if name.startswith("os."))


def test_the_walk_sees_the_package() -> None:
    assert {"errors.py", "model/policy.py", "sandbox/images.py"} <= set(FILES)


@pytest.mark.parametrize("file", [file for file in FILES if file not in LENT])
def test_a_module_imports_only_from_the_layers_above_its_own(file: str) -> None:
    part, line = part_and_line(module_name(file))
    wrong = [
        f"runner/{file}:{number} imports runner.{name}"
        for number, name in own_imports(file)
        for other, other_line in [part_and_line(name)]
        if other != part and other_line >= line
    ]
    assert not wrong


@pytest.mark.parametrize("file", [file for file in FILES if file not in INSIDE])
def test_each_outside_thing_has_one_door(file: str) -> None:
    wrong = [
        f"runner/{file}:{number} imports {name}"
        for number, name in imports(file)
        if (door := DOORS.get(name.split(".")[0])) is not None and not file.startswith(door or "/")
    ]
    assert not wrong


@pytest.mark.parametrize("file", [file for file in FILES if file not in INSIDE])
def test_names_with_effects_are_said_only_where_they_may_be(file: str) -> None:
    wrong = [
        f"runner/{file}:{number} says {name}"
        for number, name in spoken_names(file)
        if file not in NAMES.get(name, (file,))
    ]
    assert not wrong


@pytest.mark.parametrize("file", [file for file in FILES if file in INSIDE])
def test_what_runs_inside_a_container_stands_alone(file: str) -> None:
    foreign = {name.split(".")[0] for _, name in imports(file)} - sys.stdlib_module_names
    assert foreign <= (SIBLINGS if file in COLLECTOR else set())


def test_no_module_of_the_collector_hides_one_of_the_standard_library() -> None:
    assert "dot_git" in SIBLINGS
    assert not SIBLINGS & sys.stdlib_module_names


@pytest.mark.parametrize("file", [file for file in FILES if file not in COLLECTOR])
def test_only_the_collector_imports_the_collector(file: str) -> None:
    modules = {name for _, name in imports(file)}
    assert not {name for name in modules if name.split(".")[0] in SIBLINGS}
    assert not {name for name in modules if f"{name}.".startswith("runner.repo.collector.")}


@pytest.mark.parametrize("file", FILES)
def test_no_module_is_longer_than_a_person_reads_at_once(file: str) -> None:
    assert file in ONE_FILE or len((PACKAGE / file).read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("file", FILES)
def test_every_module_opens_with_a_sentence(file: str) -> None:
    opening = (ast.get_docstring(tree(file)) or "").split("\n\n")[0]
    assert opening.endswith((".", ":")) or "\n" in opening, opening


def test_the_program_has_at_most_two_broad_excepts() -> None:
    broad = [
        f"runner/{file}:{node.lineno}"
        for file in FILES
        if file not in INSIDE
        for node in ast.walk(tree(file))
        if isinstance(node, ast.ExceptHandler) and swallows_everything(node)
    ]
    assert len(broad) <= MAX_BROAD, broad


def swallows_everything(handler: ast.ExceptHandler) -> bool:
    """Whether a handler takes every exception; one that ends with a bare `raise` only cleans up on the way."""
    named = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} if handler.type else BROAD
    last = handler.body[-1]
    return bool(BROAD & named) and not (isinstance(last, ast.Raise) and last.exc is None)


def test_no_tracked_file_names_a_registry_or_a_path_of_one_machine() -> None:
    wrong = [
        f"{name}: {match}"
        for name in tracked_files()
        for match in [*(word for word in ADDRESSES if word in text(name)), *MACHINE_PATH.findall(text(name))]
    ]
    assert not wrong


def test_the_top_level_holds_what_the_design_lists() -> None:
    assert {name.split("/")[0] for name in tracked_files()} <= TOP_LEVEL


@cache
def text(name: str) -> str:
    return (ROOT / name).read_text(errors="replace")


@cache
def tracked_files() -> tuple[str, ...]:
    """What git tracks or would track, but for what is deleted."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    )
    names = sorted(name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())
    assert "pyproject.toml" in names
    return tuple(names)
