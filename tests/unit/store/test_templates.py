"""Templates on the disk: the shipped ones are right, and the user's own come first."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import UsageError
from runner.model.template import render
from runner.store.templates import SHIPPED, find_template, list_templates

RESULTS = {
    "explain": "answer",
    "implement": "branch",
    "maintain": "branch",
    "research": "answer",
    "review": "answer",
    "scout": "touched",
}


def mine(own: Path, name: str, text: str = "mine: {prompt}\n") -> Path:
    own.mkdir(exist_ok=True)
    path = own / f"{name}.md"
    path.write_text(f'+++\ndescription = "mine"\n+++\n{text}')
    return path


def test_the_shipped_ones_are_these_and_each_wants_its_result(tmp_path: Path) -> None:
    found = {each.template.name: each.template.result for each in list_templates(tmp_path / "none")}
    assert found == RESULTS
    assert {path.name for path in SHIPPED.iterdir()} == {f"{name}.md" for name in RESULTS}


@pytest.mark.parametrize("name", RESULTS)
def test_a_shipped_one_says_the_words_once_and_leaves_no_place_open(name: str, tmp_path: Path) -> None:
    text, result = render(find_template(name, tmp_path).template, "the words\nof the user", check="make test")
    assert text.count("the words\nof the user") == 1
    assert "{" not in text
    assert ("make test" in text) == (result == "branch")


def test_the_users_file_replaces_a_shipped_one_of_its_name(tmp_path: Path) -> None:
    path = mine(tmp_path, "research")
    found = find_template("research", tmp_path)
    assert (found.path, found.own, found.template.result) == (path, True, "branch")
    assert [each.own for each in list_templates(tmp_path)] == [False, False, False, True, False, False]


def test_the_users_file_may_be_a_link(tmp_path: Path) -> None:
    path = mine(tmp_path / "dotfiles", "translate")
    own = tmp_path / "own"
    own.mkdir()
    (own / "translate.md").symlink_to(path)
    found = find_template("translate", own)
    assert (found.own, found.template.text) == (True, "mine: {prompt}\n")


@pytest.mark.parametrize("name", ["nothing", "", "../research", "Research", "research.md", "\x1b"])
def test_an_unknown_name_is_refused_with_those_that_there_are(name: str, tmp_path: Path) -> None:
    mine(tmp_path, "mine")
    with pytest.raises(UsageError, match="There is no template") as caught:
        find_template(name, tmp_path)
    assert "explain, implement, maintain, mine, research, review, scout" in caught.value.hint
    assert "\x1b" not in caught.value.message


def test_files_that_cannot_be_a_templates_are_no_templates(tmp_path: Path) -> None:
    mine(tmp_path, "My Notes")
    (tmp_path / "other.txt").write_text("x")
    assert {each.template.name for each in list_templates(tmp_path)} == set(RESULTS)


def test_a_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.md").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"Template mine: .*mine\.md is not UTF-8 text"):
        find_template("mine", tmp_path)
    (tmp_path / "mine.md").write_text("no head {prompt}")
    with pytest.raises(UsageError, match=r"mine\.md: it begins with a head"):
        list(list_templates(tmp_path))
    (tmp_path / "mine.md").write_text("x" * 70_000)
    with pytest.raises(UsageError, match="is larger than"):
        find_template("mine", tmp_path)
