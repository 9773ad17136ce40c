"""The record of a run: what it says, who signed it, and that whatever was changed afterwards is found."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from runner.cli.app import app
from runner.errors import PaddockError, RunNotFoundError
from runner.model.record import parse_statement
from runner.model.result import EXIT_UNVERIFIED, Outcome, RunResult
from runner.model.settings import Settings
from runner.model.statement import PREDICATE_TYPE, SIGNATURE_NAMESPACE, STATEMENT_TYPE, canonical
from runner.run import record as recording
from runner.run.execute import run_task
from runner.run.host import Host
from runner.sandbox.fake import FakeBox
from runner.store.runs import RunPaths
from tests.unit.run.fake_host import FakeHost, git


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    fake = FakeHost(tmp_path)
    monkeypatch.setenv("PADDOCK_STATE_DIR", str(fake.state))
    return fake


def works(box: FakeBox) -> int:
    """Two commits, something left, an artifact, words."""
    workspace = box.path("/workspace")
    for name in ("one", "two"):
        (workspace / name).write_text(name)
        git(workspace, "add", name)
        git(workspace, "commit", "-qm", name)
    (workspace / "left").write_text("left")
    (workspace / "report.md").write_text("the answer\n")
    box.write(b"done\n")
    return 0


def make_key(folder: Path, name: str = "key", words: str = "") -> Path:
    key = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", words, "-C", "", "-f", str(key)], check=True)
    return key


def signed_by(fake: FakeHost, key: Path) -> Host:
    host = fake.host()
    return Host(
        settings=Settings(state_dir=fake.state, signing_key=key),
        engine=host.engine,
        home=host.home,
        tell=host.tell,
        show=host.show,
    )


def run(fake: FakeHost, host: Host | None = None, **details: Any) -> tuple[RunResult, RunPaths]:
    result = run_task(fake.task(works, artifacts=["report.md"], **details), host or fake.host())
    assert result.outcome is Outcome.COMPLETED, result
    return result, RunPaths(fake.state / "runs" / result.id)


def paddock(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(map(str, words)))
    if isinstance(done.exception, PaddockError):
        raise done.exception
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def findings(*words: str | Path) -> dict[str, list[tuple[str, str]]]:
    """State and text of every finding, by what it is about; the exit code has to fit."""
    code, output = paddock("verify", "--json", *words)
    document = json.loads(output)
    bad = any(each["state"] == "bad" for each in document["findings"])
    assert (code, document["verified"]) == (EXIT_UNVERIFIED if bad else 0, not bad)
    found: dict[str, list[tuple[str, str]]] = {}
    for each in document["findings"]:
        found.setdefault(each["what"], []).append((each["state"], each["text"]))
    return found


def bad(*words: str | Path) -> dict[str, list[str]]:
    """What is not as it should be."""
    wrong = {what: [text for state, text in each if state == "bad"] for what, each in findings(*words).items()}
    return {what: texts for what, texts in wrong.items() if texts}


# ---- what it says


def test_the_record_is_a_statement_on_the_collected_commits(fake: FakeHost) -> None:
    result, paths = run(fake)
    record = json.loads(paths.record.read_bytes())
    assert (record["_type"], record["predicateType"]) == (STATEMENT_TYPE, PREDICATE_TYPE)
    log = git(fake.repository, "rev-list", "--reverse", f"{result.base}..{result.branch}").split()
    assert record["subject"] == [
        {"name": f"refs/heads/{result.branch}", "digest": {"gitCommit": log[2]}},
        {"name": log[0], "digest": {"gitCommit": log[0]}},
        {"name": log[1], "digest": {"gitCommit": log[1]}},
    ]


def test_the_record_says_what_the_run_was_given_and_how_it_ended(fake: FakeHost) -> None:
    result, paths = run(fake)
    said = json.loads(paths.record.read_bytes())["predicate"]
    assert (said["run"], said["base"], said["start"]) == (result.id, result.base, result.base)
    assert said["agent"] == {"name": "command", "model": "", "argv": ["program"]}
    assert (said["spec"], said["policy"]["digest"]) == (result.digests.spec, result.digests.policy)
    assert said["policy"]["document"] == json.loads(paths.policy.read_text())
    assert said["image"]["id"] == result.digests.image
    assert (said["outcome"], said["exit_code"], said["limits_hit"]) == ("completed", 0, [])
    assert said["artifacts"] == [artifact.model_dump() for artifact in result.artifacts]
    assert set(said["limits"]) == set(result.limits)
    assert said["versions"]["engine"]["engine"]


def test_the_record_has_the_digest_of_every_file_that_does_not_change_any_more(fake: FakeHost) -> None:
    _, paths = run(fake)
    files = {each["name"]: each for each in json.loads(paths.record.read_bytes())["predicate"]["files"]}
    left = {path.name for path in paths.directory.iterdir() if path.is_file()}
    assert left - files.keys() == {"events.jsonl", "record.json", "result.json"}
    for name, each in files.items():
        data = (paths.directory / name).read_bytes()
        assert (each["size"], each["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_the_record_has_one_spelling(fake: FakeHost) -> None:
    _, paths = run(fake)
    data = paths.record.read_bytes()
    assert canonical(json.loads(data)) == data == parse_statement(data).canonical()
    for other in (data + b"\n", data.replace(b",", b", ", 1), json.dumps(json.loads(data)).encode() + b"\n"):
        with pytest.raises(ValueError, match="not in canonical form"):
            parse_statement(other)


def test_no_value_of_a_secret_is_in_the_record(fake: FakeHost) -> None:
    secret = "hunter2-hunter2"
    details: dict[str, Any] = {"environment": {"API_TOKEN": secret}, "argv": ("program", f"--key={secret}")}
    _, paths = run(fake, **details)
    text = paths.record.read_text()
    assert secret not in text
    assert json.loads(text)["predicate"]["agent"]["argv"] == ["program", "--key=[secret]"]


def test_what_a_later_paddock_cannot_mask_it_leaves_out(fake: FakeHost) -> None:
    attempts: list[Any] = []
    keep = recording.keep_record

    def remember(attempt: Any, result: RunResult) -> tuple[str, ...]:
        attempts.append(attempt)
        return keep(attempt, result)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runner.run.finish.keep_record", remember)
        run(fake, environment={"API_TOKEN": "hunter2-hunter2"})
    (attempt,) = attempts
    assert recording.argv_of(attempt) == ("program",)
    written = attempt.prepared.task.model_copy(update={"environment": {"API_TOKEN": "[secret]"}})
    object.__setattr__(attempt.prepared, "task", written)
    object.__setattr__(attempt.prepared, "secrets", {})
    assert recording.argv_of(attempt) == ()


def test_a_rejected_run_has_a_record_too(fake: FakeHost) -> None:
    def unrelated(box: FakeBox) -> int:
        workspace = box.path("/workspace")
        tree = git(workspace, "rev-parse", "HEAD^{tree}")
        git(workspace, "update-ref", "HEAD", git(workspace, "commit-tree", tree, "-m", "no parents"))
        return 0

    result = run_task(fake.task(unrelated), fake.host())
    assert result.outcome is Outcome.REJECTED
    assert findings(result.id)["branch"] == [("none", "The run made no branch.")]
    (subject,) = json.loads((fake.state / "runs" / result.id / "record.json").read_text())["subject"]
    assert subject == {"name": result.branches[0].inside, "digest": {"gitCommit": result.head}}


# ---- signatures


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path)


@pytest.fixture
def signers(tmp_path: Path, key: Path) -> Path:
    """A file in which the key is Ada's, for records alone."""
    file = tmp_path / "signers"
    public = key.with_suffix(".pub").read_text()
    file.write_text(f'ada@example.test namespaces="{SIGNATURE_NAMESPACE}" {public}')
    return file


def test_a_signed_record_is_known_by_its_signer(fake: FakeHost, key: Path, signers: Path) -> None:
    result, paths = run(fake, signed_by(fake, key))
    assert paths.signature.stat().st_mode & 0o777 == 0o600
    ((state, text),) = findings(result.id, "--signers", signers)["signature"]
    assert (state, text.startswith("By ada@example.test: Good")) == ("good", True)
    ((state, text),) = findings(result.id)["signature"]
    assert (state, text.startswith("By whom is open without --signers: Good")) == ("none", True)


def test_anybody_can_check_the_signature_with_ssh_keygen_alone(fake: FakeHost, key: Path, signers: Path) -> None:
    _, paths = run(fake, signed_by(fake, key))
    words = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", "ada@example.test", "-n", SIGNATURE_NAMESPACE]
    with paths.record.open("rb") as file:
        done = subprocess.run([*words, "-s", str(paths.signature)], stdin=file, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_unsigned_record_is_bad_only_where_a_signer_is_asked_for(fake: FakeHost, signers: Path) -> None:
    result, _ = run(fake)
    assert findings(result.id)["signature"] == [("none", "The record is not signed.")]
    assert bad(result.id, "--signers", signers) == {"signature": ["The record is not signed."]}


def test_another_key_another_text_and_another_purpose_are_told(
    fake: FakeHost, key: Path, signers: Path, tmp_path: Path
) -> None:
    result, paths = run(fake, signed_by(fake, key))
    good = paths.signature.read_bytes()

    def by(which: Path, namespace: str, data: bytes) -> bytes:
        words = ["ssh-keygen", "-Y", "sign", "-f", str(which), "-n", namespace]
        return subprocess.run(words, input=data, capture_output=True, check=True).stdout

    record = paths.record.read_bytes()
    other = make_key(tmp_path, "other")
    for signature in (
        by(other, SIGNATURE_NAMESPACE, record),
        by(key, "git", record),
        by(key, SIGNATURE_NAMESPACE, record + b" "),
        b"-----BEGIN SSH SIGNATURE-----\njunk\n",
        b"",
    ):
        paths.signature.write_bytes(signature)
        assert list(bad(result.id, "--signers", signers)) == ["signature"]
    paths.signature.write_bytes(good)
    assert bad(result.id, "--signers", signers) == {}
    paths.signature.unlink()
    paths.signature.symlink_to(tmp_path / "other")
    assert list(bad(result.id)) == ["signature"]


@pytest.mark.parametrize("trouble", ["gone", "passphrase", "loose", "no key", "folder", "no ssh-keygen"])
def test_a_key_that_cannot_be_used_costs_the_signature_and_nothing_else(
    fake: FakeHost, tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    if trouble == "passphrase":
        make_key(tmp_path, words="words words")
    elif trouble == "folder":
        key.mkdir()
    elif trouble == "no key":
        key.write_text("no key\n")
        key.chmod(0o600)
    elif trouble != "gone":
        make_key(tmp_path).chmod(0o644 if trouble == "loose" else 0o600)
    if trouble == "no ssh-keygen":
        monkeypatch.setattr("runner.store.ssh_signature._ENVIRONMENT", {"PATH": str(tmp_path)})
    result, paths = run(fake, signed_by(fake, key))
    (notice,) = [each for each in result.notices if "not signed" in each]
    assert notice.startswith(f"The record of the run is not signed with {key}: ")
    assert (paths.signature.exists(), bad(result.id)) == (False, {})


def test_a_record_that_cannot_be_written_is_told_and_the_run_ends_well(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> tuple[int, str]:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(recording, "digest_of", full)
    result, paths = run(fake)
    assert [each for each in result.notices if each.startswith("The record of the run could not be written")] != []
    assert not paths.record.exists()
    with pytest.raises(RunNotFoundError, match="has no record"):
        paddock("verify", result.id)


# ---- what is verified


def test_what_nobody_touched_is_as_recorded(fake: FakeHost) -> None:
    result, _ = run(fake)
    found = findings(result.id)
    assert {what: {state for state, _ in each} for what, each in found.items()} == {
        "record": {"good"},
        "signature": {"none"},
        "branch": {"good"},
        "commits": {"good"},
        "base": {"good"},
        "files": {"good"},
        "result": {"good"},
    }
    assert paddock("verify", result.branch)[0] == paddock("verify", f"refs/heads/{result.branch}")[0] == 0
    assert "Everything is as the record says." in paddock("verify")[1]


def change_json(path: Path, change: Callable[[Any], None]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_bytes(canonical(document) if path.name == "record.json" else json.dumps(document).encode())


def set_in(document: Any, *path: Any) -> None:
    *keys, last, value = path
    for each in keys:
        document = document[each]
    assert document[last] != value
    document[last] = value


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (("predicate", "outcome", "no-changes"), "result"),
        (("predicate", "exit_code", 7), "result"),
        (("predicate", "run", "another"), "result"),
        (("predicate", "reason", "because"), "result"),
        (("predicate", "spec", "sha256:0"), "result"),
        (("predicate", "uncommitted_collected", False), "result"),
        (("predicate", "ended_at", "never"), "result"),
        (("predicate", "limits", "pids", "hit", True), "result"),
        (("predicate", "policy", "digest", "sha256:0"), "record"),
        (("predicate", "policy", "document", "limits", "cpus", 64.0), "record"),
        (("predicate", "base", "0" * 40), "commits"),
        (("predicate", "branches", 0, "head", "0" * 40), "record"),
        (("predicate", "branches", 0, "head", "--output=x"), "record"),
        (("predicate", "branches", 0, "ref", "refs/heads/main"), "branch"),
        (("predicate", "branches", 0, "ref", "--exec=x"), "branch"),
        (("predicate", "artifacts", 0, "sha256", "0" * 64), "files"),
        (("predicate", "artifacts", 0, "name", "../task.json"), "record"),
        (("predicate", "files", 0, "sha256", "0" * 64), "files"),
        (("predicate", "files", 0, "name", "../../etc/passwd"), "record"),
        (("subject", 0, "digest", "gitCommit", "0" * 40), "record"),
        (("subject", 1, "digest", "gitCommit", "0" * 40), "commits"),
        (("_type", "https://in-toto.io/Statement/v0.1"), "record"),
        (("predicateType", "urn:else"), "record"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else value,
)
def test_a_changed_record_is_found(fake: FakeHost, key: Path, signers: Path, path: tuple[Any, ...], told: str) -> None:
    result, paths = run(fake, signed_by(fake, key))
    change_json(paths.record, lambda document: set_in(document, *path))
    wrong = bad(result.id, "--signers", signers)
    assert told in wrong
    assert told == "record" or "signature" in wrong  # what cannot be read is looked at no further


def test_a_subject_that_was_taken_out_is_found(fake: FakeHost) -> None:
    result, paths = run(fake)
    change_json(paths.record, lambda document: document["subject"].pop())
    assert bad(result.id)["base"] == ["1 commits since then are not in the record."]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (("outcome", "agent-failed"), "outcome"),
        (("exit_code", 1), "exit_code"),
        (("base", "0" * 40), "base"),
        (("branches", 0, "head", "0" * 40), "branches"),
        (("commits", 0, "sha", "0" * 40), "commits"),
        (("artifacts", 0, "size", 1), "artifacts"),
        (("gates", 0, "verdict", "blocked"), "gates"),
        (("digests", "policy", "sha256:0"), "digests"),
        (("id", "another"), "id"),
    ],
)
def test_a_changed_result_is_found(fake: FakeHost, path: tuple[Any, ...], key: str) -> None:
    result, paths = run(fake)
    change_json(paths.result, lambda document: set_in(document, *path))
    assert bad(result.id) == {"result": [f"result.json says something else of: {key}"]}


@pytest.mark.parametrize("name", ["task.json", "policy.json", "spec.json", "agent.log", "changes.bundle", "diff.patch"])
@pytest.mark.parametrize("how", ["changed", "gone", "link"])
def test_a_file_that_is_not_as_it_was_is_found(fake: FakeHost, name: str, how: str, tmp_path: Path) -> None:
    result, paths = run(fake)
    file = paths.directory / name
    if how == "changed":
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    else:
        file.rename(tmp_path / "moved")
        if how == "link":
            file.symlink_to(tmp_path / "moved")
    (text,) = bad(result.id)["files"]
    assert text.startswith(name)


def test_artifacts_that_changed_came_or_went_are_found(fake: FakeHost, tmp_path: Path) -> None:
    result, paths = run(fake)
    paths.artifacts.rename(tmp_path / "moved")
    paths.artifacts.symlink_to(tmp_path / "moved")
    assert bad(result.id)["files"] == ["artifacts/report.md is behind a link"]
    paths.artifacts.unlink()
    (tmp_path / "moved").rename(paths.artifacts)
    (paths.artifacts / "report.md").write_text("THE ANSWER\n")
    (paths.artifacts / "more\x1b[31m").write_text("x")
    assert bad(result.id)["files"] == [
        "artifacts/report.md has another content",
        "artifacts/more\\x1b[31m was not there",
    ]
    shutil.rmtree(paths.artifacts)
    assert bad(result.id)["files"] == ["artifacts/report.md is gone"]


def test_a_branch_that_moved_or_is_gone_is_found(fake: FakeHost) -> None:
    result, _ = run(fake)
    git(fake.repository, "update-ref", f"refs/heads/{result.branch}", result.base)
    assert bad(result.id) == {"branch": [f"{result.branch} is at {result.base}; it was at {result.head}."]}
    assert bad(result.branch) == {
        "branch": [f"refs/heads/{result.branch} is at {result.base}; the record knows {result.head}."]
    }
    git(fake.repository, "update-ref", "-d", f"refs/heads/{result.branch}")
    assert bad(result.id) == {"branch": [f"{result.branch} is gone; it was at {result.head}."]}


def test_another_history_under_the_same_ids_is_not_believed(fake: FakeHost) -> None:
    result, _ = run(fake)
    tree = git(fake.repository, "rev-parse", f"{result.base}^{{tree}}")
    fraud = git(fake.repository, "commit-tree", tree, "-m", "no parents")
    git(fake.repository, "replace", result.head, fraud)
    git_dir = fake.repository / ".git"
    (git_dir / "info").mkdir(exist_ok=True)
    (git_dir / "info/grafts").write_text(f"{result.head}\n")
    assert bad(result.id) == {}


def test_nothing_of_a_branch_is_run_or_read(fake: FakeHost, tmp_path: Path) -> None:
    canary = tmp_path / "canary"

    def plants(box: FakeBox) -> int:
        workspace = box.path("/workspace")
        (workspace / ".gitattributes").write_text("* filter=x diff=x merge=x\n")
        (workspace / ".gitmodules").write_text(f'[submodule "x"]\npath = x\nurl = ext::touch {canary}\n')
        return works(box)

    result = run_task(fake.task(plants, artifacts=["report.md"]), fake.host())
    before = git(fake.repository, "config", "--list")
    for name in ("filter.x.clean", "filter.x.smudge", "diff.x.textconv", "core.fsmonitor", "core.pager"):
        git(fake.repository, "config", name, f"touch {canary}")
    assert bad(result.id) == {}
    assert (canary.exists(), before != git(fake.repository, "config", "--list")) == (False, True)


# ---- elsewhere


def test_a_pushed_branch_is_verified_elsewhere_with_its_record(
    fake: FakeHost, key: Path, signers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, paths = run(fake, signed_by(fake, key))
    other = tmp_path / "other"
    git(fake.repository, "clone", "-q", "--no-local", str(fake.repository), str(other))
    for path in (paths.record, paths.signature):
        shutil.copy(path, tmp_path)
    monkeypatch.setenv("PADDOCK_STATE_DIR", str(tmp_path / "nothing"))
    words = ("--record", tmp_path / "record.json", "--repo", other, "--signers", signers)
    found = findings(f"origin/{result.branch}", *words)
    assert {what: state for what, ((state, _),) in found.items()} == dict.fromkeys(
        ("record", "signature", "branch", "commits", "base"), "good"
    )
    assert bad("main", *words)["branch"][0].endswith(f"the record knows {result.head}.")
    assert bad("nothing", *words) == {"branch": ["There is no branch nothing."]}


def test_a_clone_that_lacks_the_commits_is_told(fake: FakeHost, tmp_path: Path) -> None:
    result, paths = run(fake)
    other = tmp_path / "other"
    git(fake.repository, "clone", "-q", "--no-local", "--single-branch", str(fake.repository), str(other))
    wrong = bad("last", "--record", paths.record, "--repo", other)
    assert wrong["branch"] == [f"{result.branch} is gone; it was at {result.head}."]
    assert wrong["commits"][0].startswith("3 are not in ")


@pytest.mark.parametrize("name", ["-x", "a b", "a^{tree}", "a:b", "*", "@{u}", "\x1b[2J", "main~1"])
def test_a_branch_is_a_name_and_no_expression(fake: FakeHost, name: str) -> None:
    _, paths = run(fake)
    wrong = bad("--record", paths.record, "--repo", fake.repository, "--", name)
    assert [text.isprintable() for text in wrong["branch"]] == [True]


@pytest.mark.parametrize("trouble", ["fifo", "folder", "garbage", "empty", "deep"])
def test_what_is_no_record_is_told_at_once(fake: FakeHost, tmp_path: Path, trouble: str) -> None:
    file = tmp_path / "record.json"
    if trouble == "fifo":
        os.mkfifo(file)
    elif trouble == "folder":
        file.mkdir()
    else:
        file.write_bytes({"garbage": b"\x1b[31m{", "empty": b"", "deep": b"[" * 100_000}[trouble])
    wrong = bad("main", "--record", file, "--repo", fake.repository)
    assert [text.isprintable() for text in wrong["record"]] == [True]
