"""The documentation is output or test: links resolve, generated parts are current, commands and policies are real."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from runner.cli.app import app
from runner.store.policy_files import load_policy

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
OWN_PATH = re.compile(r"(?:runner|tests|docs|policies|images|benchmarks|\.ci)/[\w./-]*")


@cache
def page(name: str) -> str:
    return (ROOT / name).read_text()


def blocks(name: str, kind: str) -> list[str]:
    return [match["body"] for match in FENCE.finditer(page(name)) if match["kind"] == kind]


def anchors(name: str) -> set[str]:
    """What GitHub makes of each heading."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page(name)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def shown_commands(name: str) -> Iterator[list[str]]:
    """Every `paddock ...` that a page shows: in a console block, or in the middle of a sentence."""
    for body in blocks(name, "console"):
        yield from (shlex.split(line[2:], comments=True) for line in body.splitlines() if line.startswith("$ paddock"))
    prose = FENCE.sub("", page(name))
    yield from (shlex.split(code) for code in CODE.findall(prose) if re.fullmatch(r"paddock( [^|]+)?", code))


@pytest.mark.parametrize("name", PAGES)
def test_every_link_between_pages_leads_somewhere(name: str) -> None:
    for target in LINK.findall(FENCE.sub("", page(name))):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (ROOT / name).parent / path if path else ROOT / name
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found.resolve().relative_to(ROOT).as_posix()), target


def test_generated_parts_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "docs.py"), "--check"],
        check=False,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", PAGES)
def test_every_command_that_is_shown_exists_with_its_options(name: str) -> None:
    for words in shown_commands(name):
        parse(words[1:])


def parse(words: list[str]) -> None:
    """Read a command line as `paddock` would, and run nothing. Raises for an unknown command or option."""
    command: Any = get_command(app)
    path = "paddock"
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        path, command, words = f"{path} {words[0]}", command.commands[words[0]], words[1:]
    if hasattr(command, "commands"):
        assert set(words) <= {"--help", "--version"}, words
        return
    known = {option for parameter in command.params for option in parameter.opts}
    given = words[: words.index("--")] if "--" in words else words
    assert {word for word in given if word.startswith("-")} - {"..."} <= known, words
    required = [each for each in command.params if each.param_type_name == "argument" and each.required]
    complete = "--" in words or any(not word.startswith("-") for word in given) or not required
    if given and complete:
        command.make_context(path, list(words))


@pytest.mark.parametrize("name", PAGES)
def test_every_chore_that_is_shown_is_in_the_makefile(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", page("Makefile"), re.MULTILINE))
    shown = re.findall(r"(?:^\$ |^    |`)make ([a-z ]+?)(?=`| {2,}|\n)", page(name), re.MULTILINE)
    assert {chore for line in shown for chore in line.split()} <= targets


@pytest.mark.parametrize("name", PAGES)
def test_every_policy_that_is_shown_loads(name: str, tmp_path: Path) -> None:
    for number, body in enumerate(blocks(name, "toml")):
        file = tmp_path / f"shown-{number}.toml"
        file.write_text(body)
        load_policy(str(file), home=tmp_path)


@pytest.mark.parametrize("file", sorted((ROOT / "docs" / "examples").glob("*.toml")), ids=lambda file: file.name)
def test_the_example_policies_say_what_they_mean_to_say(file: Path, tmp_path: Path) -> None:
    written = tomllib.loads(file.read_text())
    policy = load_policy(str(file), home=tmp_path).policy
    assert policy.description == written["description"]
    assert policy.limits.cpus == written["limits"]["cpus"]
    assert policy.network.mode == "none"


@pytest.mark.parametrize("name", [name for name in PAGES if name != "CHANGELOG.md"])
def test_every_file_of_ours_that_is_named_exists(name: str) -> None:
    named = [code for code in CODE.findall(FENCE.sub("", page(name))) if OWN_PATH.fullmatch(code)]
    ours = [path for path in named if not re.search(r"NAME|THREAT|runner/_shipped", path)]
    assert [path for path in ours if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", PAGES)
def test_what_is_said_to_be_in_a_file_of_ours_is_defined_there(name: str) -> None:
    said = re.findall(r"((?:`\w+`, )*`\w+`) in\s+`(runner/[\w/]+\.py)`", page(name))
    missing = [
        f"{word} in {path}"
        for words, path in said
        for word in re.findall(r"\w+", words)
        if not re.search(rf"^(def |class )?{word}\b", (ROOT / path).read_text(), re.MULTILINE)
    ]
    assert missing == []


def test_every_exit_code_of_the_readme_is_the_table_s() -> None:
    from runner.model.result import EXIT_CODES, Outcome

    assert "from 0 for `completed` to 40 for a failure of Docker" in page("README.md")
    assert (EXIT_CODES[Outcome.COMPLETED], EXIT_CODES[Outcome.ENGINE_FAILED]) == (0, 40)


def test_every_attack_belongs_to_a_threat_of_the_threat_model() -> None:
    hostile = ROOT / "tests" / "hostile"
    threats = tomllib.loads((hostile / "threats.toml").read_text())
    folders = {path.name for path in (hostile / "cases").iterdir() if any(path.glob("*/case.toml"))}
    assert {name for name in folders if not name.endswith("-more")} <= set(threats)


def test_every_threat_of_the_threat_model_is_attacked() -> None:
    hostile = ROOT / "tests" / "hostile"
    threats = tomllib.loads((hostile / "threats.toml").read_text())
    cases = {path.parent.parent.name for path in (hostile / "cases").glob("*/*/case.toml")}
    tests = {name: threat.get("tests", []) for name, threat in threats.items()}

    assert [
        name for name in threats if name not in cases and not tests[name] and not threats[name].get("every_case")
    ] == []
    named = [test.partition("::") for each in tests.values() for test in each]
    missing = [
        f"{file}::{test}"
        for file, _, test in named
        if not (ROOT / file).is_file() or f"\ndef {test}(" not in (ROOT / file).read_text()
    ]
    assert missing == []
