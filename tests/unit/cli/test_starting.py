"""`paddock new` and `paddock template`: a repository or nothing, and templates as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from runner.cli.starting import begin
from runner.cli.templates import add_templates
from runner.errors import PaddockError, RefusedError, RepositoryError, UsageError
from tests.unit.repo.sources import git
from tests.unit.run.fake_host import FakeHost


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    fake = FakeHost(tmp_path)
    (fake.home / ".gitconfig").write_text("[user]\n name = Ada\n email = ada@example.test\n")
    monkeypatch.setenv("HOME", str(fake.home))
    monkeypatch.chdir(tmp_path)
    return fake


def test_without_context_the_prompt_is_the_readme(fake: FakeHost, tmp_path: Path) -> None:
    begun = begin("game", "a small game", (), fake.host())
    assert (begun.path, begun.files, begun.context) == (tmp_path / "game", ("README.md",), ())
    assert git(begun.path, "show", "main:README.md") == "# game\n\na small game"
    assert git(begun.path, "log", "--format=%an %s") == "Ada Begin with what is asked for"


def test_files_are_committed_first_and_folders_stay_context(fake: FakeHost, tmp_path: Path) -> None:
    (tmp_path / "research.md").write_text("found\n")
    (tmp_path / "data").mkdir()
    begun = begin("game", "a small game", ("research.md", "data"), fake.host())
    assert (begun.files, begun.context) == (("research.md",), (str(tmp_path / "data"),))
    assert git(begun.path, "ls-tree", "--name-only", "main") == "research.md"
    assert git(begun.path, "log", "--format=%s") == "Begin with research.md"
    assert git(begun.path, "status", "--porcelain") == ""


def test_an_empty_folder_is_taken(fake: FakeHost, tmp_path: Path) -> None:
    (tmp_path / "game").mkdir()
    assert begin(str(tmp_path / "game"), "x", (), fake.host()).path == tmp_path / "game"


def test_a_folder_that_holds_something_is_left_alone(fake: FakeHost) -> None:
    with pytest.raises(UsageError, match="is not an empty folder"):
        begin(str(fake.repository), "x", (), fake.host())
    assert git(fake.repository, "status", "--porcelain") == ""


@pytest.mark.parametrize("name", ["sample/README", "missing/game"])
def test_a_place_that_cannot_be_is_refused(name: str, fake: FakeHost) -> None:
    with pytest.raises(UsageError):
        begin(name, "x", (), fake.host())


def nothing_was_made(fake: FakeHost, tmp_path: Path, kind: type[PaddockError], *context: str) -> None:
    (tmp_path / "there").mkdir()
    for name in ("fresh", "there"):
        with pytest.raises(kind):
            begin(name, "x", context, fake.host())
    assert not (tmp_path / "fresh").exists()
    assert list((tmp_path / "there").iterdir()) == []


def test_nothing_is_made_for_a_user_whom_git_does_not_know(fake: FakeHost, tmp_path: Path) -> None:
    (fake.home / ".gitconfig").unlink()
    nothing_was_made(fake, tmp_path, RepositoryError)


def test_nothing_is_made_when_a_file_is_missing_or_secret(fake: FakeHost, tmp_path: Path) -> None:
    nothing_was_made(fake, tmp_path, RefusedError, "missing.md")
    (tmp_path / "there").rmdir()
    (fake.home / ".ssh").mkdir()
    (fake.home / ".ssh" / "id").write_text("key")
    nothing_was_made(fake, tmp_path, RefusedError, str(fake.home / ".ssh" / "id"))


def test_what_fails_in_the_middle_is_undone(fake: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> str:
        raise RepositoryError("no")

    (tmp_path / "research.md").write_text("x")
    monkeypatch.setattr("runner.cli.starting.begin_repository", fails)
    nothing_was_made(fake, tmp_path, RepositoryError, "research.md")


def test_a_prompt_is_needed(fake: FakeHost, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a prompt"):
        begin("game", " ", (), fake.host())
    assert not (tmp_path / "game").exists()


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setenv("PADDOCK_CONFIG", str(tmp_path / "config" / "config.toml"))
    app = typer.Typer()
    add_templates(app)
    return app


def test_the_list_says_whose_each_template_is(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "config" / "templates").mkdir(parents=True)
    (tmp_path / "config" / "templates" / "scout.md").write_text('+++\ndescription = "my own"\n+++\n{prompt}\n')
    lines = CliRunner().invoke(app, ["template", "list"]).stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        "NAME",
        "explain",
        "implement",
        "maintain",
        "research",
        "review",
        "scout",
    ]
    assert lines[-1].split(maxsplit=3) == ["scout", "branch", "yours", "my own"]
    assert lines[1].split(maxsplit=3)[:3] == ["explain", "answer", "shipped"]


def test_a_shown_template_can_be_copied_into_a_file_of_ones_own(app: typer.Typer, tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["template", "show", "scout"])
    assert f"yours would be {tmp_path}/config/templates/scout.md" in shown.stderr
    (tmp_path / "config" / "templates").mkdir(parents=True)
    (tmp_path / "config" / "templates" / "scout.md").write_text(shown.stdout)
    again = CliRunner().invoke(app, ["template", "show", "scout"])
    assert again.stdout == shown.stdout
    assert "yours would be" not in again.stderr


def test_an_unknown_template_is_an_error_that_lists_them(app: typer.Typer) -> None:
    done = CliRunner().invoke(app, ["template", "show", "poem"])
    assert isinstance(done.exception, UsageError)
    assert "explain, implement, maintain, research, review, scout" in done.exception.hint
