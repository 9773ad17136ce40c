"""A secret's value comes from where the settings say, or the run is refused; and no message ever holds it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from runner.errors import RefusedError
from runner.model.settings import SecretSource
from runner.store import secret_sources
from runner.store.secret_sources import MOST_BYTES, load_secrets

KEY = "sk-0123456789"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(KEY + "\n")
    path.chmod(0o600)
    return path


def load(source: SecretSource | None = None, **variables: str) -> str:
    return load_secrets(["KEY"], {"KEY": source} if source else {}, variables.get)["KEY"]


def refusal(source: SecretSource | None = None, **variables: str) -> str:
    with pytest.raises(RefusedError) as caught:
        load(source, **variables)
    return caught.value.message


def test_without_a_setting_it_is_the_variable_of_its_own_name() -> None:
    assert load(KEY=KEY) == KEY


def test_a_setting_may_name_another_variable_a_file_or_a_command(file: Path) -> None:
    assert load(SecretSource(env="OTHER"), OTHER=KEY) == KEY
    assert load(SecretSource(file=file)) == KEY
    assert load(SecretSource(command=("cat", str(file)))) == KEY


@pytest.mark.parametrize("fields", [{}, {"env": "A", "file": "/x"}, {"file": "/x", "command": ("a",)}])
def test_a_setting_names_one_place(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="names one of env, file and command"):
        SecretSource.model_validate(fields)


def test_every_missing_secret_is_told_at_once() -> None:
    with pytest.raises(RefusedError) as caught:
        load_secrets(["A", "B", "A"], {}, lambda _: None)
    assert caught.value.message.splitlines()[1:] == [
        "  A: the variable A is not set",
        "  B: the variable B is not set",
    ]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_read_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert f"others may read the file {file}; `chmod 600` it" in refusal(SecretSource(file=file))


def test_a_link_a_folder_and_a_fifo_are_no_files(file: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(file)
    os.mkfifo(tmp_path / "fifo", 0o600)
    assert "cannot be opened" in refusal(SecretSource(file=tmp_path / "link"))
    assert "is not a regular file" in refusal(SecretSource(file=tmp_path / "fifo"))
    assert "is not a regular file" in refusal(SecretSource(file=tmp_path))
    assert "No such file" in refusal(SecretSource(file=tmp_path / "none"))


@pytest.mark.parametrize(
    "value", ["", "\n", f"{KEY}\r\nX-Evil: 1", f"{KEY}\x00", f"{KEY}\x1b[31m", f"{KEY}\u00e9", "\n\n"]
)
def test_a_value_that_is_no_headers_is_refused_and_not_repeated(file: Path, value: str) -> None:
    file.write_text(value)
    assert KEY not in refusal(SecretSource(file=file))


def test_a_file_without_end_is_refused(file: Path) -> None:
    file.write_text("x" * (MOST_BYTES + 1))
    assert "more than" in refusal(SecretSource(file=file))


def test_a_command_that_fails_is_told_with_its_errors_and_never_its_output() -> None:
    said = refusal(SecretSource(command=("sh", "-c", f"echo {KEY}; echo locked >&2; exit 3")))
    assert "the command sh ended with 3: locked" in said
    assert KEY not in said
    assert "cannot be started" in refusal(SecretSource(command=("/nonexistent/op",)))


def test_a_command_that_hangs_is_ended_with_its_children(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(secret_sources, "COMMAND_SECONDS", 0.3)
    late = tmp_path / "late"
    said = refusal(SecretSource(command=("sh", "-c", f"(sleep 1; touch {late}) & sleep 60")))
    assert "took longer than" in said
    time.sleep(1.2)
    assert not late.exists()


def test_a_command_that_prints_without_end_is_ended_early() -> None:
    begin = time.monotonic()
    assert "the command yes gives more than" in refusal(SecretSource(command=("yes",)))
    assert time.monotonic() - begin < 5


def test_a_command_may_leave_somebody_behind_who_holds_its_output() -> None:
    begin = time.monotonic()
    assert load(SecretSource(command=("sh", "-c", f"sleep 60 & echo {KEY}"))) == KEY
    assert time.monotonic() - begin < 5


def test_a_command_may_close_its_output_before_it_ends() -> None:
    script = f"echo {KEY}; exec >&-; sleep 0.2; exit 4"
    assert "ended with 4" in refusal(SecretSource(command=("sh", "-c", script)))


def test_a_command_that_is_killed_gives_no_value() -> None:
    assert "ended with -9" in refusal(SecretSource(command=("sh", "-c", f"echo {KEY}; kill -9 $$")))


def test_errors_that_repeat_what_was_printed_are_not_told() -> None:
    said = refusal(SecretSource(command=("sh", "-c", f"echo {KEY}; echo got {KEY} >&2; exit 3")))
    assert said.endswith("the command sh ended with 3")


@pytest.mark.parametrize("value", ["short", f" {KEY}", f"{KEY} "])
def test_a_value_that_could_not_be_masked_is_refused(value: str) -> None:
    said = refusal(KEY=value)
    assert said.startswith("The policy injects secrets")
    assert KEY not in said


def test_a_file_is_named_by_its_whole_path() -> None:
    assert "neither an absolute path" in refusal(SecretSource(file=Path("key")))


def test_an_odd_path_cannot_forge_lines(tmp_path: Path) -> None:
    assert "\n  B:" not in refusal(SecretSource(file=tmp_path / "x\n  B: all is well"))


def test_a_value_is_in_no_repr() -> None:
    values = load_secrets(["KEY"], {}, {"KEY": KEY}.get)
    assert KEY not in repr(values)
    assert values == {"KEY": KEY}
