"""Refused before a run exists: text that no document can hold, names that mean two things, engines elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from runner.errors import RefusedError
from runner.model.settings import Settings
from runner.run.execute import run_task
from runner.run.host import Host
from runner.run.prepare import plan_request, prepare
from tests.unit.run.fake_host import FakeHost, git


@pytest.fixture
def fake(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


def refusal(fake: FakeHost, host: Host | None = None, **details: Any) -> str:
    """The sentence with which both `run` and `plan` refuse; nothing has happened then."""
    host = host or fake.host()
    sentences = set()
    for act in (run_task, plan_request):
        with pytest.raises(RefusedError) as caught:
            act(fake.task(**details), host)
        assert caught.value.exit_code == 30
        sentences.add(caught.value.message)
    assert not (fake.state / "runs").exists()
    [sentence] = sentences
    assert sentence.encode().isascii()
    return sentence


@pytest.mark.parametrize(
    ("details", "says"),
    [
        ({"argv": ("make", "caf\udce9")}, "Word 2 of the command is not UTF-8 text."),
        ({"argv": ("a\0b",)}, "Word 1 of the command contains NUL."),
        ({"repo": "/home/caf\udce9"}, "The repository is not UTF-8 text."),
        ({"environment": {"A": "s3cr3t\udce9"}}, "The value of A in --env is not UTF-8 text."),
        ({"environment": {"\udce9": "1"}}, "The name of a variable in --env is not UTF-8 text."),
        ({"name": "\udce9"}, "--name is not UTF-8 text."),
        ({"base": "\udce9"}, "--base is not UTF-8 text."),
        ({"policy": "./\udce9.toml"}, "--policy is not UTF-8 text."),
        ({"image": "\udce9"}, "--image is not UTF-8 text."),
        ({"agent": "\udce9"}, "--agent is not UTF-8 text."),
        ({"agent": "demo", "argv": (), "prompt": "\udce9"}, "The prompt is not UTF-8 text."),
    ],
)
def test_text_that_is_not_utf_8_is_refused_with_its_place(fake: FakeHost, details: Any, says: str) -> None:
    assert refusal(fake, **details) == says


@pytest.mark.parametrize(
    ("details", "what"),
    [
        ({"argv": ("echo", "x" * 120_001)}, "Word 2 of the command"),
        ({"environment": {"A": "x" * 119_999}}, "The variable A in --env"),
        ({"check": "x" * 120_001}, "--check"),
    ],
)
def test_what_no_program_can_be_given_is_refused_before_anything_starts(
    fake: FakeHost, details: Any, what: str
) -> None:
    longest = "is longer than 120000 bytes, which no program can be given; put it into a file."
    assert refusal(fake, **details) == f"{what} {longest}"


def test_a_repository_below_a_folder_that_is_not_utf_8_is_refused(
    fake: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    fake.repository.rename(folder)
    monkeypatch.chdir(folder)
    assert r"caf\xe9 is not UTF-8 text." in refusal(fake, repo=".")


def test_a_state_directory_that_is_not_utf_8_is_refused(fake: FakeHost, tmp_path: Path) -> None:
    fake.state = tmp_path / os.fsdecode(b"stat\xe9")
    assert r"stat\xe9 is not UTF-8 text." in refusal(fake)


@pytest.mark.parametrize("name", ["a b", "-x", ".x", "a/b", "../x", "é", "a\n", "x" * 65, "\x1b[2J"])
def test_a_name_of_odd_characters_is_refused(fake: FakeHost, name: str) -> None:
    assert "--name takes letters, digits" in refusal(fake, name=name)


def test_a_name_that_means_the_newest_run_is_refused(fake: FakeHost) -> None:
    assert refusal(fake, name="last") == "--name last: that word means the newest run already."


@pytest.mark.parametrize("name", ["fix", "2", "Fix_the.bug-3", "x" * 64])
def test_an_ordinary_name_is_taken(fake: FakeHost, name: str) -> None:
    assert prepare(fake.task(name=name), fake.host()).task.name == name


@pytest.mark.parametrize(
    "address", ["tcp://10.0.0.1:2375", "ssh://root@example.test", "nonsense", "", "unix://x", "\x1b"]
)
def test_an_engine_that_is_not_on_this_machine_is_refused_with_the_reason(fake: FakeHost, address: str) -> None:
    usual = fake.host()
    host = Host(settings=Settings(state_dir=fake.state, engine=address), engine=usual.engine, home=usual.home)
    assert "are paths of this machine" in refusal(fake, host)


def test_a_secret_too_short_to_be_masked_gets_a_notice(fake: FakeHost) -> None:
    environment = {"DB_PASS": "abc", "API_TOKEN": "long enough", "EMPTY_KEY": "", "CI": "1"}
    prepared = prepare(fake.task(environment=environment), fake.host())
    assert set(prepared.secrets) == {"DB_PASS", "API_TOKEN", "EMPTY_KEY"}
    about = [notice for notice in prepared.notices if "masked" in notice]
    assert about == ["--env DB_PASS: shorter than 6 bytes, so it is not masked in the output."]


def test_a_head_of_odd_bytes_is_no_reason_to_refuse(fake: FakeHost) -> None:
    git(fake.repository, "checkout", "--quiet", "-b", "caf\u00e9")
    assert prepare(fake.task(), fake.host()).source.head_branch == "caf\u00e9"
