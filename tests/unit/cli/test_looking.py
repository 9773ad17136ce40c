"""What a run left of its agent's work: the answer, the transcript, and the activity as it was shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.cli.looking import print_activity, print_transcript, show_run
from runner.errors import RunNotFoundError
from runner.model.activity import Answered, Said, ToolUsed
from runner.run.execute import run_task
from runner.store.runs import RunPaths, read_result, run_paths
from tests.unit.run.fake_host import FakeHost
from tests.unit.run.test_execute import commits


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunPaths:
    """A finished run."""
    fake = FakeHost(tmp_path)
    monkeypatch.setenv("PADDOCK_STATE_DIR", str(fake.state))
    return run_paths(fake.state, run_task(fake.task(commits), fake.host()).id)


def answered(run: RunPaths, text: str) -> None:
    result = read_result(run).model_copy(update={"answer": text})
    run.result.chmod(0o600)
    run.result.write_text(result.model_dump_json())


def test_show_ends_with_the_answer_escaped(run: RunPaths, capsys: pytest.CaptureFixture[str]) -> None:
    answered(run, "Fixed.\n\n- a\x1b[2J\n")
    show_run(run.id, as_json=False)
    out = capsys.readouterr().out
    assert out.endswith("\nThe agent's answer, in its own words:\n\n  Fixed.\n\n  - a\\x1b[2J\n")


def test_show_of_a_long_answer_tells_where_the_rest_is(run: RunPaths, capsys: pytest.CaptureFixture[str]) -> None:
    answered(run, "line\n" * 41)
    show_run(run.id, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines.count("  line") == 40
    assert lines[-1] == f"  ... and more: paddock logs {run.id} --transcript"


def test_show_of_a_run_without_an_answer_has_no_word_of_it(run: RunPaths, capsys: pytest.CaptureFixture[str]) -> None:
    show_run(run.id, as_json=False)
    assert "answer" not in capsys.readouterr().out


def test_the_transcript_is_printed_as_it_is_into_a_pipe(run: RunPaths, capsys: pytest.CaptureFixture[str]) -> None:
    run.transcript.write_text("# Run\n\n> hello\n")
    print_transcript(run.id, follow=False)
    assert capsys.readouterr().out == "# Run\n\n> hello\n"


def test_the_activity_is_printed_as_it_was_shown(run: RunPaths, capsys: pytest.CaptureFixture[str]) -> None:
    kept = [Said(text="I look."), ToolUsed(name="Bash", detail="make test"), Answered(text="Done.")]
    run.activity.write_text("".join(each.model_dump_json() + "\n" for each in kept))
    print_activity(run.id, follow=True)
    assert capsys.readouterr().out == "  I look.\n    $ make test\n  Done.\n"


@pytest.mark.parametrize("look", [print_activity, print_transcript])
@pytest.mark.parametrize("follow", [True, False])
def test_a_run_without_an_event_stream_says_so(run: RunPaths, look: object, follow: bool) -> None:
    assert callable(look)
    with pytest.raises(RunNotFoundError, match="only agents with an event stream leave one"):
        look(run.id, follow=follow)
