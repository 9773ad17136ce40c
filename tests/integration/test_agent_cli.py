"""`paddock` with agents that have a model, as its user meets it: what is printed where, exit codes, what next."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from tests.integration.agents_user import User, facts, says, the_id
from tests.integration.cli import finish, show, under_way, until
from tests.models import dialogues
from tests.models.dialogues import Dialogue
from tests.models.wire import Asked
from tests.unit.repo.sources import git

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]

ANSWER = "Done: greet.sh says Hello, and its test passes."
RUN_ID = re.compile(r"\d{4}-\d\d-\d\d-[a-z0-9-]+-[a-z0-9]{4}")


def another_each_time(asked: Asked) -> Dialogue:
    """Another file for each prompt of one conversation."""
    return dialogues.commit_work(path=f"greet-{asked.finished}.sh", message=f"Greet {asked.finished}")


# --- one run ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_the_work_is_told_on_stderr_and_the_answer_alone_is_on_stdout(agent: str, user: User) -> None:
    with user.model(dialogues.commit_work()):
        done = user.run("greet people", agent=agent)
    run = the_id(done)
    assert (done.code, done.out) == (0, ANSWER + "\n")
    told = [
        line for line in done.err.splitlines() if line.startswith(("  I ", "    edit", "    !", "    $ git", "  Pas"))
    ]
    assert told == [
        "  I will write greet.sh and try it.",
        "    edit /workspace/greet.sh",
        "    ! Exit code 1 1 FAILED",
        "    edit /workspace/greet.sh",
        "  Passed. I commit.",
        "    $ git add greet.sh && git commit -q -m 'Greet politely'",
    ]
    assert "\x1b" not in done.err
    assert not [line for line in done.err.partition("agent ended")[2].splitlines() if "left" in line]
    assert "6.0k in, 1.2k from the cache, 180 out, 6 requests" in facts(done.err)["tokens"][0]
    assert re.fullmatch(r"\$0\.\d+", facts(done.err)["cost"][0])
    assert facts(done.err)["next"] == [
        f"paddock show {run}",
        f"paddock diff {run}",
        f"paddock merge {run}",
        f'paddock continue {run} "..."',
        f"paddock logs {run} --transcript",
    ]
    assert show(user.repository, f"paddock/{run}", "greet.sh").strip() == 'echo "Hello, $1"'


def test_raw_is_the_agents_stream_and_quiet_the_summary(user: User) -> None:
    with user.model(dialogues.commit_work()):
        raw, quiet = user.run("--raw", "greet"), user.run("--quiet", "greet")
    assert {json.loads(line)["type"] for line in raw.out.splitlines()} >= {"system", "assistant", "result"}
    assert (raw.code, quiet.code, quiet.out) == (0, 0, "")
    assert quiet.err.startswith("\ncompleted  The agent ended with 0")


def test_the_result_document_says_what_was_used_and_answered(user: User) -> None:
    with user.model(dialogues.commit_work()) as model:
        document = user.run("--json", "greet").document
        used = model.spent
    [spent] = document["spent"]
    assert (document["outcome"], document["answer"]) == ("completed", ANSWER)
    assert (spent["input"] + spent["cached"], spent["output"]) == (used.input, used.output)
    assert document["cost_usd"] > 0
    assert Path(document["paths"]["answer"]).read_text() == ANSWER + "\n"


def test_a_run_is_looked_at_afterwards(user: User) -> None:
    with user.model(dialogues.commit_work()):
        user.run("--quiet", "greet")
    paddock = user.paddock
    shown, transcript = paddock.good("show", "last"), paddock.good("logs", "last", "--transcript")
    assert shown.endswith(f"The agent's answer, in its own words:\n\n  {ANSWER}\n")
    assert "## The prompt\n\n> greet\n" in transcript
    assert "- edited `/workspace/greet.sh`\n" in transcript
    assert "    edit /workspace/greet.sh\n" in paddock.good("logs", "last", "--live")
    assert re.search(r"^api\.anthropic\.com +80 +allowed ", paddock.good("network"), re.MULTILINE)


# --- going on -----------------------------------------------------------------------------------------------------


def test_a_run_is_continued_by_what_its_summary_says(user: User) -> None:
    with user.model(another_each_time) as model:
        first = user.run("write a greeting")
        second = user.paddock("continue", the_id(first), "now another one")
        told = str(model.main[-1].body)
    assert (first.code, second.code) == (0, 0)
    assert "write a greeting" in told
    assert "now another one" in told
    assert "-now-another-one-" in the_id(second)
    assert show(user.repository, f"paddock/{the_id(second)}", "greet-0.sh")
    assert show(user.repository, f"paddock/{the_id(second)}", "greet-1.sh")


def test_a_check_that_fails_has_an_exit_code_of_its_own_and_leaves_the_branch(user: User) -> None:
    with user.model(dialogues.commit_work()):
        done = user.run("--check", "echo looked; test -f nowhere", "greet")
    run = the_id(done)
    assert done.code == 17
    assert "\n  | looked\npaddock: check ended (" in done.err
    assert re.fullmatch(r"echo looked; test -f nowhere  \(exit code 1, \d\.\d\d s\)", facts(done.err)["check"][0])
    assert f"paddock merge {run}" not in facts(done.err)["next"]
    assert f'paddock continue {run} "..."' in facts(done.err)["next"]
    assert show(user.repository, f"paddock/{run}", "greet.sh")


def test_rounds_are_told_with_what_each_has_used(user: User) -> None:
    with user.model(another_each_time):
        done = user.run("--until", "test -f greet-1.sh", "--max-rounds", "3", "greet people")
    first, second, together = facts(done.err)["rounds"]
    assert done.code == 0
    assert "paddock: note: round 2 of at most 3: the check failed; claude is told, and goes on." in done.err
    assert re.fullmatch(RUN_ID.pattern + r"  claude, task: check-failed, 7\.4k tokens, \$0\.\d+", first)
    assert re.fullmatch(RUN_ID.pattern + r"  claude, check: completed, 7\.4k tokens, \$0\.\d+", second)
    assert re.fullmatch(r"in all 14\.8k tokens, \$0\.\d+", together)
    assert "-greet-people-" in the_id(done), "the second round is about what the user asked for, too"


def test_rounds_end_when_there_are_no_more(user: User) -> None:
    with user.model(another_each_time):
        done = user.run("--until", "false", "--max-rounds", "2", "greet")
    assert done.code == 17
    assert [line.split()[2:4] for line in facts(done.err)["rounds"][:2]] == [
        ["task:", "check-failed,"],
        ["check:", "check-failed,"],
    ]


def test_a_reviewers_findings_go_back_to_the_agent(user: User) -> None:
    def answers(asked: Asked) -> Dialogue:
        if "Review this, and change nothing" not in asked.prompt:
            return another_each_time(asked)
        return says("I looked.\n\n```findings\nhigh greet-0.sh:1: it shouts\n```")

    with user.model(answers) as model:
        done = user.run("--review", "codex", "--max-rounds", "2", "greet people")
        told = str(model.main[-1].body)
    assert done.code == 0
    assert [line.split(",")[0].split()[1] for line in facts(done.err)["rounds"][:3]] == ["claude", "codex", "claude"]
    assert "paddock: note: codex reviews the branch." in done.err
    assert "-review-greet-people-" in facts(done.err)["rounds"][1]
    assert "high greet-0.sh:1: it shouts" in told


# --- other kinds of work ------------------------------------------------------------------------------------------


def test_research_gives_an_answer_in_a_file_and_no_branch(user: User) -> None:
    with user.model(says("It greets people.")) as model:
        done = user.run("--template", "research", "what does it do?")
        asked = model.main[0].asked
    assert asked is not None
    assert "Find out the following." in asked.prompt
    assert (done.code, done.out) == (0, "It greets people.\n")
    assert "\ncompleted  The agent ended with 0 and gave its answer.\n" in done.err
    assert "-research-what-does-it-do-" in the_id(done)
    assert Path(facts(done.err)["answer"][0]).read_text() == "It greets people.\n"
    assert "branch" not in facts(done.err)
    assert git(user.repository, "branch", "--list", "paddock/*") == ""


def test_what_research_leaves_in_the_workspace_is_told_to_be_on_no_branch(user: User) -> None:
    with user.model(dialogues.commit_work()):
        done = user.run("--template", "research", "what does it do?")
        again = user.paddock("continue", the_id(done), "and why?")
    assert (done.code, again.code) == (0, 0)
    assert (
        "An answer was asked for: what was changed is on no branch, only in changes.bundle." in facts(done.err)["note"]
    )
    assert not [line for line in facts(done.err)["next"] if line.startswith(("paddock diff", "paddock merge"))]


def test_a_scout_gives_the_files_that_would_be_touched(user: User) -> None:
    with user.model(says("Two.\n\n```paths\nREADME\nsrc/new.c\n../outside\n```")):
        done = user.run("--template", "scout", "rename the program")
        document = json.loads(user.paddock.good("show", "last", "--json"))
    assert facts(done.err)["touches"] == ["README", "src/new.c"]
    assert document["touched"] == ["README", "src/new.c"]


def test_something_new_begins_with_the_users_notes(user: User, tmp_path: Path) -> None:
    (tmp_path / "research.md").write_text("# What I found out\n")
    user.paddock.variables |= {"GIT_AUTHOR_NAME": "You", "GIT_AUTHOR_EMAIL": "you@example.test"}
    user.paddock.variables |= {"GIT_COMMITTER_NAME": "You", "GIT_COMMITTER_EMAIL": "you@example.test"}
    with user.model(dialogues.commit_work()):
        done = user.paddock("new", "game", "--agent", "claude", "make a game", "--context", "research.md")
    place = tmp_path / "game"
    assert done.code == 0, done.err
    assert facts(done.err)["repo"] == [str(place)]
    assert show(place, "HEAD", "research.md").strip() == "# What I found out"
    assert show(place, f"paddock/{the_id(done)}", "greet.sh")


# --- what is refused, and what is stopped -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "The agent `claude` needs a prompt"),
        (["--template", "nosuch", "x"], 2, "There is no template 'nosuch'."),
        (["--review", "nosuch", "x"], 2, "There is no agent 'nosuch'."),
        (["--review", "command", "x"], 2, "A command cannot review."),
        (["--review", "gemini", "x"], 30, "The agent `gemini` needs a key for its model, and this host has none"),
        (["--image", "claude+nosuch", "x"], 30, "nosuch is none."),
        (["--image", "repo", "x"], 30, "offers no image"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anybody_works(
    words: list[str], code: int, message: str, user: User
) -> None:
    del user.paddock.variables["GEMINI_API_KEY"]
    with user.model(dialogues.commit_work()) as model:
        done = user.run(*words)
        assert (done.code, done.out) == (code, "")
        assert message in done.err
        assert model.heard == []


def test_a_key_that_is_missing_is_told_with_the_way_to_give_it(user: User) -> None:
    del user.paddock.variables["ANTHROPIC_API_KEY"]
    done = user.run("greet")
    assert done.code == 30
    assert "this host has none: ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN." in done.err
    assert "[secrets] ANTHROPIC_API_KEY = {" in done.err


def test_a_policy_that_denies_the_models_host_is_told(user: User) -> None:
    policy = user.paddock.policy('[network]\nmode = "allow"\ndeny = ["api.anthropic.com"]')
    done = user.run("--policy", policy, "greet")
    assert done.code == 30
    assert "network.deny has api.anthropic.com, the API of the agent's model" in done.err


def test_a_budget_that_is_used_up_ends_the_run_and_is_no_denial_of_a_host(user: User) -> None:
    policy = user.paddock.policy("[limits]\ntokens = 3000")
    with user.model(dialogues.commit_work()):
        done = user.run("--policy", policy, "greet")
    assert done.code == 16
    assert "(limits.tokens = 3000)" in done.err
    assert "network" not in facts(done.err)
    assert f'paddock continue {the_id(done)} "..."' in facts(done.err)["next"]


def test_ctrl_c_ends_the_work_and_collects_it(user: User) -> None:
    def works_on(asked: Asked) -> Dialogue:
        begin = dialogues.commit_work().turns[:5]
        return Dialogue(turns=(*begin, *dialogues.never_ends().turns), endless=True)

    with user.model(works_on) as model:
        process = user.paddock.popen("run", user.repository, "--agent", "claude", "greet")
        with under_way(process):
            until(lambda: len(model.main) > 6)
            process.send_signal(signal.SIGINT)
            done = finish(process)
    assert done.code == 130
    assert "paddock: stopping the agent: cancelled (SIGTERM)" in done.err
    assert show(user.repository, f"paddock/{the_id(done)}", "greet.sh").strip() == 'echo "Hello, $1"'
    assert f'paddock continue {the_id(done)} "..."' in facts(done.err)["next"]
