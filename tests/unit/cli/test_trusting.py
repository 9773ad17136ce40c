"""`paddock trust`, `policy explain --repo` and `plan` on a repository that brings a policy: shown, asked, then used."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from runner.model.policy_file import digest_of
from runner.repo.own_policy import PLACE
from tests.unit.cli.test_cli import paddock
from tests.unit.run.fake_host import git, sample_repository

FIRST = '[limits]\npids = 600\nmemory = "2GiB"\n'
SECOND = '[limits]\npids = 900\nmemory = "2GiB"\n# \u202e\n'


class Place:
    """A repository, and a user with a home directory of their own."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.repository = sample_repository(folder)
        self.variables: dict[str, str] = {}

    def bring(self, text: str, path: str = PLACE) -> None:
        file = self.repository / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        git(self.repository, "add", "--all")
        git(self.repository, "commit", "-q", "-m", "bring")

    def paddock(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return paddock(*argv, state=self.state, **self.variables)

    def trust(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return self.paddock("trust", str(self.repository), *argv)

    def plan(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return self.paddock("plan", str(self.repository), *argv, "--", "true")

    def explained(self, *argv: str) -> dict[str, str]:
        done = self.paddock("policy", "explain", *argv)
        assert done.returncode == 0, done.stderr
        lines = (" ".join(line.split()) for line in done.stdout.splitlines() if line.strip())
        return dict(line.split(" ", 1) for line in lines)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_policy_is_shown_whole_and_nothing_is_trusted_unasked(place: Place) -> None:
    place.bring(SECOND)
    done = place.trust()
    assert done.returncode == 30
    assert [f"  | {line}" for line in SECOND.splitlines()[:3]] == done.stdout.splitlines()[1:4]
    assert "\u202e" not in done.stdout
    assert f"Digest: {digest_of(SECOND.encode())}" in done.stdout
    assert "no terminal to ask on" in done.stderr
    assert "is not trusted" in place.plan("--policy", "repo").stderr


def test_what_was_trusted_can_be_chosen_and_the_next_one_is_compared_with_it(place: Place) -> None:
    place.bring(FIRST)
    assert place.trust("--yes").returncode == 0
    assert place.plan("--policy", "repo").returncode == 0
    assert "trusted already" in place.trust().stderr
    assert "policy" in place.paddock("trust", "--list").stdout

    place.bring(SECOND)
    assert "is not trusted as it stands" in place.plan("--policy", "repo").stderr
    shown = place.trust("--yes").stdout
    assert shown.index("What differs from the policy that you trusted last:") < shown.index("  | -pids = 600")
    assert "  | +pids = 900" in shown
    assert "memory" in shown
    assert place.plan("--policy", "repo").returncode == 0

    assert place.trust("--revoke").stdout.count("no longer trusted: policy") == 2
    assert place.plan("--policy", "repo").returncode == 30


def test_an_image_and_a_policy_are_shown_and_trusted_one_by_one(place: Place) -> None:
    place.bring(FIRST)
    place.bring("FROM debian\n", ".paddock/Dockerfile")
    done = place.trust("--yes")
    assert done.stdout.index("FROM debian") < done.stdout.index("pids = 600")
    assert [line.split()[1] for line in place.paddock("trust", "--list").stdout.splitlines()[1:]] == ["image", "policy"]


def test_one_that_cannot_be_used_cannot_be_trusted(place: Place) -> None:
    place.bring("[limits]\npids = 'many'\n")
    done = place.trust("--yes")
    assert done.returncode == 30
    assert f"{PLACE}:2" in done.stderr
    assert place.paddock("trust", "--list").stdout.splitlines()[1:] == []


def test_a_repository_that_brings_nothing_is_told_so(place: Place) -> None:
    assert "offers no image and brings no policy" in place.trust("--yes").stderr


def test_explain_names_both_files_of_a_tightened_value(place: Place, tmp_path: Path) -> None:
    place.bring(FIRST)
    ceiling = tmp_path / "bounds" / "ceiling.toml"
    ceiling.parent.mkdir(mode=0o755)
    ceiling.write_text("[limits]\nfiles = 5\n")
    place.variables = {"PADDOCK_CEILING": str(ceiling)}
    commit = git(place.repository, "rev-parse", "HEAD")[:12]
    rows = place.explained("offline", "--repo", str(place.repository))
    assert rows["limits.memory"].startswith(f'"2GiB" {PLACE}:3 at {commit}, tightened from "4GiB" (/')
    assert rows["limits.files"].startswith(f"5 {ceiling}:2, tightened from 1000000 (/")
    assert rows["limits.pids"].startswith("512 /")
    assert "tightened" not in place.explained("offline")["limits.memory"]
    assert place.explained("offline")["limits.files"].startswith("5 ")

    place.trust("--yes")
    assert place.explained("repo", "--repo", str(place.repository))["limits.pids"] == f"600 {PLACE}:2 at {commit}"
    assert place.paddock("policy", "explain", "repo").returncode == 2


def test_plan_is_within_the_same_bounds_and_says_so(place: Place) -> None:
    place.bring(FIRST)
    done = place.plan()
    assert json.loads(done.stdout)["limits"]["memory"] == "2GiB"
    assert f"{PLACE} at " in done.stderr
    assert "tightens limits.memory" in done.stderr
    left_out = place.plan("--no-repo-policy")
    assert json.loads(left_out.stdout)["limits"]["memory"] == "4GiB"
    assert left_out.stderr == ""


def test_a_ceiling_that_a_variable_names_has_to_be_there(place: Place) -> None:
    place.variables = {"PADDOCK_CEILING": "/nonexistent/ceiling.toml"}
    done = place.plan()
    assert done.returncode == 30
    assert "The ceiling is not to be relied upon: /nonexistent" in done.stderr
