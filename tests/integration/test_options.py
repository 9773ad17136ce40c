"""What the options of `paddock run` do to a run, and how several branches come back."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.integration.cli import WORK, Paddock, branches, finish, outside_of_paddock, show, under_way
from tests.unit.repo.sources import git

pytestmark = pytest.mark.docker


def test_every_branch_that_was_moved_comes_back_under_its_own_name(paddock: Paddock, repository: Path) -> None:
    script = """
    git switch -qc feature/one; echo 1 > one; git add one; git commit -qm one
    git switch -qc two main; echo 2 > two; git add two; git commit -qm two
    git switch -q main; echo m > main-file; git add .; git commit -qm main; git branch untouched main~1
    """
    document = paddock.run(repository, script)
    run = document["id"]

    assert document["branch"] == f"paddock/{run}"
    assert set(branches(repository)) == {f"paddock/{run}", f"paddock/{run}+feature/one", f"paddock/{run}+two"}
    assert show(repository, f"paddock/{run}+two", "two") == "2"
    assert show(repository, f"paddock/{run}+feature/one", "one") == "1"
    assert document["branches"][0]["inside"] == "main"
    assert all(git(repository, "rev-parse", branch["ref"]) == branch["head"] for branch in document["branches"])


def test_commits_on_a_detached_head_come_back(paddock: Paddock, repository: Path) -> None:
    document = paddock.run(repository, "git switch -q --detach; echo d > d; git add d; git commit -qm detached")

    assert document["outcome"] == "completed"
    assert show(repository, document["branch"], "d") == "d"


def test_dirty_carries_changes_along_and_leaves_them_where_they_are(paddock: Paddock, repository: Path) -> None:
    (repository / "file").write_text("changed\n")
    (repository / "fresh").write_text("fresh\n")
    (repository / "secret.log").write_text("ignored\n")
    before = outside_of_paddock(repository)
    document = paddock.run(repository, "test ! -e secret.log && cat file fresh > both", "--dirty")

    assert document["outcome"] == "completed"
    assert show(repository, document["branch"], "both") == "changed\nfresh"
    assert show(repository, document["branch"], "fresh") == "fresh"
    assert document["base"] == git(repository, "rev-parse", "HEAD")
    assert outside_of_paddock(repository) == before


def test_without_dirty_the_agent_sees_the_commit_and_nothing_more(paddock: Paddock, repository: Path) -> None:
    (repository / "file").write_text("changed\n")
    document = paddock.run(repository, "test $(cat file) = two && ! git stash list | grep . && git remote | wc -l")

    assert (document["outcome"], document["agent_exit_code"]) == ("no-changes", 0)


def test_base_is_where_the_agent_begins(paddock: Paddock, repository: Path) -> None:
    document = paddock.run(repository, "cat other > copy", "--base", "other")

    assert document["base"] == git(repository, "rev-parse", "other")
    assert show(repository, document["branch"], "copy") == "other"


def test_a_name_is_part_of_the_id_and_in_use_while_its_run_goes_on(paddock: Paddock, repository: Path) -> None:
    argv = ("run", repository, "--name", "fix_warnings", "--json", "--", "sh", "-c", "echo ready; exec sleep 60")
    with under_way(paddock.started(*argv)) as process:
        second = paddock("run", repository, "--name", "fix_warnings", "--", "true")
        assert second.code == 30
        assert "'fix_warnings' is in use" in second.err
        assert len(list((paddock.state / "runs").iterdir())) == 1
        paddock.good("stop", "fix_warnings", "--now")
        first = finish(process)

    assert "-fix-warnings-" in first.document["id"]
    assert paddock("run", repository, "--name", "fix_warnings", "--", "true").code == 0


def test_variables_arrive_and_secret_ones_are_written_nowhere(paddock: Paddock, repository: Path) -> None:
    secret = "correct-horse-battery"
    script = 'echo "$PLAIN"; echo "is $API_TOKEN"; test ${#API_TOKEN} = 21'
    document = paddock.run(repository, script, "--env", "PLAIN=a=b c", "--env", f"API_TOKEN={secret}")
    written = [path for path in paddock.state.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]

    assert (document["outcome"], written) == ("no-changes", [])
    assert Path(document["paths"]["log"]).read_text() == "a=b c\nis [secret]\n"


def test_a_prompt_comes_from_a_file(paddock: Paddock, repository: Path) -> None:
    prompt = paddock.folder / "prompt"
    prompt.write_text("modernise the tests\n")
    done = paddock("run", repository, "--agent", "demo", "--prompt-file", prompt)

    assert done.code == 0
    assert "demo: asked to: modernise the tests\n" in done.out


def test_two_runs_at_once_on_one_repository_both_come_back(paddock: Paddock, repository: Path) -> None:
    argv = ("run", repository, "--json", "--", "sh", "-c", f"{WORK}; sleep 1")
    with under_way(paddock.popen(*argv)) as one, under_way(paddock.popen(*argv)) as other:
        documents = [finish(process).document for process in (one, other)]

    assert [document["outcome"] for document in documents] == ["completed", "completed"]
    assert sorted(branches(repository)) == sorted(document["branch"] for document in documents)


def test_a_pipe_that_breaks_ends_its_writer(paddock: Paddock, repository: Path) -> None:
    """Python ignores SIGPIPE, and what it starts inherits that: the shim has to give it back."""
    document = paddock.run(repository, "grep SigIgn /proc/self/status > ignored")
    ignored = int(show(repository, document["branch"], "ignored").split()[-1], 16)
    assert ignored & (1 << (signal.SIGPIPE - 1)) == 0
