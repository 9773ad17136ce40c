"""Artifacts and records of real runs: taken out of a real sandbox, signed with a real key, verified by the command."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from runner.model.statement import SIGNATURE_NAMESPACE
from tests.integration.cli import WORK, Paddock
from tests.unit.repo.sources import git

pytestmark = pytest.mark.docker

REPORT = "echo 'the answer' > report.md; mkdir -p out; printf pixels > out/a.png; ln -s /etc/passwd out/link.png"


@pytest.fixture
def signing(paddock: Paddock, tmp_path: Path) -> Path:
    """A file of allowed signers; the command signs with the key of one of them."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)], check=True)
    (tmp_path / "config.toml").write_text(f'signing_key = "{key}"\n')
    paddock.variables["PADDOCK_CONFIG"] = str(tmp_path / "config.toml")
    signers = tmp_path / "signers"
    public = key.with_suffix(".pub").read_text()
    signers.write_text(f'ada@example.test namespaces="{SIGNATURE_NAMESPACE}" {public}')
    return signers


def test_artifacts_come_out_of_a_real_sandbox_and_no_commit_holds_them(paddock: Paddock, repository: Path) -> None:
    policy = paddock.folder / "policy.toml"
    policy.write_text('extends = "offline"\nartifacts = ["out/*.png"]\n')
    document = paddock.run(repository, f"{WORK}; {REPORT}", "--policy", policy, "--artifact", "report.md")
    assert document["outcome"] == "completed"
    assert {each["name"]: each["size"] for each in document["artifacts"]} == {"report.md": 11, "out/a.png": 6}
    assert "Left out of the artifacts: out/link.png: it is no regular file" in document["notices"]
    changed = git(repository, "diff", "--name-only", f"{document['base']}..{document['branch']}").split()
    assert changed == ["committed", "left", "out/link.png"]
    paddock.good("artifacts", "last", "--to", paddock.folder / "mine")
    assert (paddock.folder / "mine/report.md").read_text() == "the answer\n"
    assert "report.md  (11 B)" in paddock.good("show")


@pytest.mark.parametrize(
    ("end", "outcome", "limits"),
    [
        ("exit 3", "agent-failed", ""),
        ("sleep 100", "timed-out", '[limits]\nwall_clock = "2s"'),
        ("git update-ref HEAD $(git commit-tree HEAD^{tree} -m alone)", "rejected", ""),
    ],
)
def test_artifacts_are_kept_when_the_work_is_not(
    paddock: Paddock, repository: Path, end: str, outcome: str, limits: str
) -> None:
    policy = paddock.policy(limits)
    document = paddock.run(repository, f"{REPORT}; {end}", "--policy", policy, "--artifact", "report.md")
    assert document["outcome"] == outcome
    assert [each["name"] for each in document["artifacts"]] == ["report.md"]
    assert Path(document["paths"]["artifacts"], "report.md").read_text() == "the answer\n"
    assert "Everything is as the record says." in paddock.good("verify")


def test_a_signed_record_is_verified_here_and_where_the_branch_was_pushed_to(
    paddock: Paddock, repository: Path, signing: Path, tmp_path: Path
) -> None:
    document = paddock.run(repository, f"{WORK}; {REPORT}", "--artifact", "report.md")
    said = paddock.good("verify", document["branch"], "--signers", signing)
    assert "By ada@example.test: Good" in said
    record = json.loads(Path(document["paths"]["record"]).read_text())
    assert record["predicate"]["versions"]["engine"]["engine"]
    assert record["predicate"]["agent"]["argv"][:2] == ["sh", "-c"]

    other = tmp_path / "other.git"
    git(tmp_path, "init", "-q", "--bare", str(other))
    git(repository, "push", "-q", str(other), document["branch"])
    sent = tmp_path / "sent"
    sent.mkdir()
    for name in ("record.json", "record.json.sig"):
        shutil.copy(Path(document["paths"]["run"], name), sent)
    there = ("--record", sent / "record.json", "--repo", other, "--signers", signing)
    assert "Everything is as the record says." in paddock.good("verify", document["branch"], *there)

    git(other, "update-ref", f"refs/heads/{document['branch']}", document["base"])
    done = paddock("verify", document["branch"], *there)
    assert (done.code, f"is at {document['base']}; the record knows {document['head']}." in done.out) == (21, True)
    (sent / "record.json").write_text((sent / "record.json").read_text().replace("completed", "no-changes"))
    done = paddock("verify", *there)
    assert (done.code, "signature  BAD" in done.out) == (21, True)


def test_a_key_that_cannot_be_used_is_told_and_the_run_ends_well(
    paddock: Paddock, repository: Path, signing: Path, tmp_path: Path
) -> None:
    (tmp_path / "key").unlink()
    document = paddock.run(repository, WORK)
    assert document["outcome"] == "completed"
    assert [each for each in document["notices"] if each.startswith("The record of the run is not signed with")] != []
    assert paddock("verify", "--signers", signing).code == 21
