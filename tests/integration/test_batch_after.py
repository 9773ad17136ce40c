"""One batch with a real engine, and all that is done after it: merged, pushed, offered as a pull request, forgotten."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from docker import APIClient

from tests.integration.cli import Paddock
from tests.unit.repo.forge_programs import Programs
from tests.unit.repo.sources import git, make_repository

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

TASK = """
[[tasks]]
name = "{name}"
repo = "{repo}"
check = "test -e new"
command = ["sh", "-c", "echo {name} > new && git add new && git commit -qm 'fixes #1' && printf '@octocat\\n'"]
"""


def test_what_a_batch_made_is_merged_pushed_offered_and_forgotten(
    paddock: Paddock, tmp_path: Path, docker_client: APIClient
) -> None:
    make_repository(tmp_path / "api")
    git(tmp_path, "clone", "-q", "--bare", "api", "bare.git")
    git(tmp_path / "api", "remote", "add", "origin", "git@github.com:acme/api.git")
    home, programs = tmp_path / "home", Programs(tmp_path / "forge")
    home.mkdir()
    (home / ".gitconfig").write_text(
        f'[url "file://{tmp_path}/bare.git"]\ninsteadOf = git@github.com:acme/api.git\n[safe]\ndirectory = *\n'
    )
    paddock.variables |= {"HOME": str(home), "PATH": f"{programs.bin}:{os.environ['PATH']}", "GH_TOKEN": "s3cret-word"}
    file = tmp_path / "tasks.toml"
    url = f"file://{tmp_path}/bare.git"
    file.write_text(TASK.format(name="mine", repo="api") + TASK.format(name="remote", repo=url))
    batch = paddock.good("batch", "run", file, "--jobs", "2").strip()

    merged = paddock("batch", "merge", batch, "--where", "check=passed and repo=api", "--json")
    assert (merged.code, merged.document["done"]) == (0, 1), merged.err
    assert (tmp_path / "api" / "new").read_text() == "mine\n"
    pushed = json.loads(paddock.good("batch", "push", batch, "--branch", "bots/{name}", "--json"))
    heads = git(tmp_path / "bare.git", "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/bots").split()
    assert (heads, pushed["done"]) == (["bots/mine", "bots/remote"], 2)

    offered = paddock("batch", "pr", batch, "--branch", "bots/{name}", "--json")
    did = {row["name"]: row["text"].partition(" ")[0] for row in offered.document["tasks"]}
    assert (offered.code, did["mine"]) == (18, "opened")
    assert "is no project of a forge" in offered.document["tasks"][1]["text"]
    assert [each["head"] for each in programs.opened] == ["bots/mine"]
    assert "fixes #\u200b1" in programs.opened[0]["body"]

    logs = [path for path in paddock.state.rglob("*") if path.is_file() and b"s3cret-word" in path.read_bytes()]
    assert logs == [], "credentials of forges are nowhere"
    paddock.good("batch", "rm", batch, "--runs", "--force")
    left = {path.name for path in paddock.state.iterdir()} - {"programs"}
    assert {name for name in left if not name.startswith("ledger.db")} == {"runs"}
    assert list((paddock.state / "runs").iterdir()) == []
    assert "there is no batch" in paddock("batch", "status", batch).err
    assert not docker_client.containers(all=True, filters={"label": f"paddock.state={paddock.state}"})
