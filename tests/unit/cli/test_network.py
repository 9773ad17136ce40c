"""`paddock network`, `paddock policy suggest` and `policy explain`, on a run's own files."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from runner.egress.audit import Entry, open_audit
from runner.egress.observe import given_rules, observed
from runner.egress.rules import compile_rules
from runner.model.policy import Network, Policy
from runner.model.policy_file import PolicyFile, files_json
from runner.run.execute import run_task
from runner.store.runs import RunPaths, run_paths
from tests.unit.cli.test_cli import paddock
from tests.unit.run.fake_host import FakeHost
from tests.unit.run.test_execute import commits

POLICY = Policy(network=Network(mode="allow", allow=("good.test",)))


class Run:
    """A finished run whose files say that it had a network."""

    def __init__(self, folder: Path) -> None:
        fake = FakeHost(folder)
        self.id = run_task(fake.task(commits, name="fix"), fake.host()).id
        self.state = fake.state
        self.paths: RunPaths = run_paths(self.state, self.id)

    def had(self, policy: Policy) -> None:
        self.paths.policy.write_text(policy.model_dump_json())

    def asked(self, *entries: Entry, limit: int = 10**6) -> None:
        with open_audit(self.paths.egress, limit=limit) as audit:
            for entry in entries:
                audit.note(entry)

    def says(self, *argv: str) -> str:
        done = paddock(*argv, state=self.state)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run(tmp_path)
    made.had(POLICY)
    made.asked(
        Entry(kind="lookup", name="paddock-canary-0123456789abcdef.invalid", reason="not-listed"),
        Entry(kind="lookup", name="wanted.test", reason="not-listed"),
        Entry(kind="lookup", name="wanted.test", reason="not-listed"),
        Entry(
            kind="connect", name="good.test", port=443, verdict="allowed", reason="listed", bytes_up=10, bytes_down=4096
        ),
    )
    return made


def test_a_table_tells_what_was_asked_and_what_became_of_it(run: Run) -> None:
    lines = run.says("network", "fix").splitlines()
    assert lines[0].split() == ["NAME", "PORT", "VERDICT", "COUNT", "UP", "DOWN", "WHY"]
    assert lines[1].split(maxsplit=8) == [
        *("wanted.test", "-", "refused", "2", "0", "B", "0", "B"),
        "the policy does not list it",
    ]
    assert lines[2].split()[:8] == ["good.test", "443", "allowed", "1", "10", "B", "4.0", "KiB"]
    assert lines[3] == f"What would allow the rest: `paddock policy suggest {run.id}`"
    assert len(lines) == 4


def test_the_self_tests_question_is_shown_with_all(run: Run) -> None:
    assert "paddock-canary" not in run.says("network", "fix")
    assert "paddock-canary" in run.says("network", "fix", "--all")


def test_json_is_one_document_in_ascii(run: Run) -> None:
    run.asked(Entry(kind="lookup", name="\x1b[2J\u202e", reason="not-a-name"))
    text = run.says("network", "--json")
    assert text.isascii()
    assert "\x1b" not in text
    document = json.loads(text)
    assert (document["id"], document["mode"], document["observed"], document["running"]) == (
        run.id,
        "allow",
        False,
        False,
    )
    assert [(row["name"], row["count"], row["verdict"]) for row in document["rows"]] == [
        ("\x1b[2J\u202e", 1, "refused"),
        ("wanted.test", 2, "refused"),
        ("good.test", 1, "allowed"),
    ]
    assert document["rows"][1]["explanation"] == "the policy does not list it"


def test_a_hostile_name_cannot_steer_the_terminal(run: Run) -> None:
    run.asked(Entry(kind="lookup", name="\x1b]0;owned\x07\nforged row", reason="not-a-name"))
    for argv in (("network",), ("network", "--all"), ("policy", "suggest")):
        said = run.says(*argv)
        assert "\x1b" not in said
        assert r"\x1b]0;owned\x07\x0aforged row" in said


def test_a_run_without_network_says_so(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.says("network") == f'{run.id} had no network: its policy has network.mode = "none".\n'
    assert json.loads(run.says("network", "--json"))["mode"] == "none"
    assert "--observe" in run.says("policy", "suggest")


def test_a_run_that_asked_nothing_says_so(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.had(POLICY)
    assert run.says("network") == f"{run.id} has asked nothing of the network.\n"


def test_a_record_that_was_full_says_how_much_is_missing(run: Run) -> None:
    run.paths.egress.unlink()
    run.asked(*(Entry(kind="lookup", name=f"{n}.test", reason="not-listed") for n in range(100)), limit=10_000)
    written = run.paths.egress.read_text().count('"lookup"')
    assert f"{100 - written} lines are missing" in run.says("network")


def test_suggestions_are_a_policy_that_check_accepts(run: Run, tmp_path: Path) -> None:
    text = run.says("policy", "suggest", "fix")
    assert tomllib.loads(text) == {"network": {"mode": "allow", "allow": ["wanted.test"]}}
    assert "looked up twice; the port is a guess: 443" in text
    file = tmp_path / "more.toml"
    file.write_text(text)
    assert " is right." in run.says("policy", "check", str(file))


def test_suggestions_name_what_bounded_the_run_as_well(run: Run) -> None:
    files = (
        PolicyFile(role="policy", file="/mine.toml", digest="sha256:" + "0" * 64),
        PolicyFile(role="repository", file=".paddock/policy.toml", digest="sha256:" + "1" * 64, commit="a" * 40),
    )
    assert "bounded this run" not in run.says("policy", "suggest")
    run.paths.policy_files.write_text(files_json(files))
    text = run.says("policy", "suggest")
    assert text.splitlines()[-1].startswith("# .paddock/policy.toml bounded this run, too")
    assert tomllib.loads(text)["network"]["allow"] == ["wanted.test"]


def test_suggestions_change_nothing(run: Run) -> None:
    before = {path: path.read_bytes() for path in run.state.rglob("*") if path.is_file()}
    run.says("policy", "suggest")
    assert {path: path.read_bytes() for path in run.state.rglob("*") if path.is_file()} == before


def test_an_observed_run_tells_what_its_policy_would_have_denied(tmp_path: Path) -> None:
    run = Run(tmp_path)
    effective = observed(POLICY)
    run.had(effective)
    run.paths.given_rules.write_text(given_rules(compile_rules(effective.network, {})).model_dump_json())
    run.asked(
        Entry(kind="lookup", name="other.test", verdict="allowed", reason="open"),
        Entry(kind="connect", name="other.test", port=443, verdict="allowed", reason="open"),
        Entry(kind="connect", name="good.test", port=443, verdict="allowed", reason="listed"),
    )
    lines = {tuple(line.split()[:3]) for line in run.says("network").splitlines()}
    assert ("other.test", "443", "would") in lines
    assert ("good.test", "443", "allowed") in lines
    assert [row["name"] for row in json.loads(run.says("network", "--json"))["would_deny"]] == ["other.test"] * 2
    assert tomllib.loads(run.says("policy", "suggest"))["network"] == {"mode": "allow", "allow": ["other.test"]}


def test_explain_tells_what_groups_stand_for(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "groups.toml"
    file.write_text('[network]\nmode = "allow"\nallow = ["@github-ssh", "@python", "a.test"]\n')
    lines = run.says("policy", "explain", str(file)).split("\n\n")[1].splitlines()
    assert lines[0].split() == ["GROUP", "STANDS", "FOR"]
    assert lines[1].split() == ["@github-ssh", "github.com:22"]
    assert lines[2].split(maxsplit=1)[0] == "@python"
    assert "GROUP" not in run.says("policy", "explain", "offline")


def test_check_refuses_a_group_that_nobody_defines(tmp_path: Path) -> None:
    file = tmp_path / "groups.toml"
    file.write_text('[network]\nmode = "allow"\nallow = ["@githib"]\n')
    done = paddock("policy", "check", str(file), state=tmp_path)
    assert done.returncode == 30
    assert "@githib" in done.stderr
    assert "@github," in done.stderr
