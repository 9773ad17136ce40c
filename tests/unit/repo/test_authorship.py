"""What a commit says of people and times is told where it is, or may be, forged, and never where an agent is honest."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.escape import is_plain
from runner.model.result import Verdict
from runner.repo.authorship import faults_of_commit, is_a_matter, people_of
from runner.repo.evidence import Commit, Evidence, Span
from runner.repo.gates import judge
from runner.repo.inspection import known_people
from runner.repo.listings import parse_commit
from tests.unit.repo.collection_kit import Stage
from tests.unit.repo.test_gates import evidence

AGENT = "Codex <agent@paddock.invalid>"
ADA = "Ada <ada@example.com>"
NOW = 1_790_000_000
HONEST = Commit(
    sha="2" * 40, parents=("1" * 40,), author=AGENT, committer=AGENT, authored=NOW, committed=NOW, subject="work"
)
SEEN: Evidence = evidence(people=people_of(ADA), span=Span(begun=NOW - 60, ended=NOW + 60))


def faults(**changes: object) -> list[str]:
    return faults_of_commit(dataclasses.replace(HONEST, **changes), SEEN)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"committer": "Paddock <paddock@localhost>"},
        {"author": "Claude <noreply@model.test>", "committer": "Claude <noreply@model.test>"},
        {"claims": (f"Signed-off-by: {AGENT}",)},
        {"claims": ("Co-authored-by: Model <noreply@model.test>",)},
        {"encoding": "UTF-8"},
        {"signatures": {"mergetag": 1}},
        {"authored": NOW - 3_000, "committed": NOW + 3_000},
    ],
)
def test_what_honest_agents_write_is_nothing_to_tell(changes: dict[str, object]) -> None:
    assert faults(**changes) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"author": ADA}, f"author {ADA} is somebody of this repository"),
        ({"committer": ADA}, f"committer {ADA} is somebody of this repository"),
        ({"author": ADA, "committer": ADA}, f"author and committer {ADA} is somebody of this repository"),
        ({"author": "Someone <ADA@Example.com>"}, "author Someone <ADA@Example.com> is somebody of this repository"),
        ({"author": "ada <other@example.com>"}, "author ada <other@example.com> is somebody of this repository"),
        ({"claims": (f"Reviewed-by: {ADA}",)}, f"it says Reviewed-by: {ADA}"),
        ({"claims": ("Reviewed-by: Bob <bob@example.com>",)}, "it says Reviewed-by: Bob <bob@example.com>"),
        ({"claims": (f"Signed-off-by: {ADA}",)}, f"it says Signed-off-by: {ADA}"),
        ({"claims": (f"Co-authored-by: {ADA}",)}, f"it says Co-authored-by: {ADA}"),
        ({"authored": NOW + 90_000}, "written 2026-09-22, after the run"),
        ({"committed": NOW + 90_000}, "committed 2026-09-22, after the run"),
        ({"authored": 0}, "written 1970-01-01, before the run"),
        ({"committed": -1}, "committed 1969-12-31, before the run"),
        ({"committed": 10**18}, "committed at second 1000000000000000000, after the run"),
        ({"authored": None}, "it does not say when it was written"),
        ({"encoding": "ISO-2022-JP"}, "its texts are said to be in ISO-2022-JP"),
        ({"signatures": {"gpgsig": 1}}, "it is signed, by whom is not checked"),
    ],
)
def test_what_may_be_forged_is_told(changes: dict[str, object], told: str) -> None:
    assert faults(**changes) == [told]


def test_one_commit_has_one_line_and_is_flagged() -> None:
    forged = dataclasses.replace(HONEST, author=ADA, committed=0)
    result = next(
        each
        for each in judge(dataclasses.replace(SEEN, branches=evidence(commits=(forged, HONEST)).branches))
        if each.name == "authorship"
    )
    assert result.verdict is Verdict.FLAGGED
    assert result.detail == (
        f"commit 222222222222: author {ADA} is somebody of this repository; committed 1970-01-01, before the run",
    )


def test_people_are_those_of_the_users_own_history_and_looked_up_only_where_somebody_is_named(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.commit()
    collected = stage.collect()
    assert known_people(collected.quarantine, stage.start) == {"ada", "ada@example.com"}
    assert "Ada <ada@example.com> is somebody of this repository" in collected.detail("authorship")
    assert not is_a_matter(HONEST)


@pytest.mark.parametrize("key", [b"author", b"committer"])
@given(raw=st.binary(max_size=200))
def test_any_identity_is_read_and_told_in_plain_characters(key: bytes, raw: bytes) -> None:
    commit = parse_commit("2" * 40, b"tree x\n%s %s\nencoding %s\n\nReviewed-by: %s\n" % (key, raw, raw, raw))
    assert all(is_plain(fault) for fault in faults_of_commit(commit, SEEN))
