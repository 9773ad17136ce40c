"""`paddock doctor`: versions are compared with the oldest that will do, and long findings stay in their column."""

from __future__ import annotations

import io

import pytest

from runner.cli.doctor import examine_engine, print_table
from runner.report.health import Finding, Level
from runner.sandbox.fake_facts import FACTS


@pytest.mark.parametrize(
    ("version", "level", "says"),
    [
        ("19.03.15", Level.FAILED, "older than 20.10"),
        ("4.3.1", Level.FAILED, "older than 20.10"),
        ("20.9.0", Level.FAILED, "older than 20.10"),
        ("20.10.24+dfsg1", Level.OK, ""),
        ("28.0.1", Level.OK, ""),
        ("dev", Level.WARNING, "cannot be read"),
        ("", Level.WARNING, "cannot be read"),
    ],
)
def test_an_engine_older_than_the_oldest_fails(version: str, level: Level, says: str) -> None:
    facts = FACTS.model_copy(update={"version": version})
    found = next(finding for finding in examine_engine(facts, "unix:///x.sock") if finding.name == "engine")
    assert found.level is level
    assert says in found.meaning
    assert bool(found.advice) is (level is Level.FAILED)


def test_an_engine_that_only_speaks_like_docker_fails() -> None:
    facts = FACTS.model_copy(update={"version": "5.4.2", "product": "Podman"})
    found = next(finding for finding in examine_engine(facts, "unix:///x.sock") if finding.name == "engine")
    assert (found.level, found.value.split()[0]) == (Level.FAILED, "Podman")
    assert "runs are refused" in found.meaning


def test_on_a_terminal_sentences_wrap_inside_their_column_and_hostile_text_is_escaped() -> None:
    terminal = io.StringIO()
    finding = Finding(name="engine", level=Level.FAILED, value="[red]\x1b[2J", meaning="many words " * 12, advice="do")
    print_table([finding], terminal, width=60)
    first, *more = terminal.getvalue().splitlines()
    assert first.split() == ["failed", "engine", "[red]\\x1b[2J"]
    assert len(more) > 2
    column = first.index("[red]")
    assert all(line[:column].strip() == "" and len(line.rstrip()) <= 60 for line in more)
