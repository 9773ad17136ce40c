"""GitHub and GitLab through their programs: what these are asked, and what is made of their answers."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import RefusedError
from runner.repo import forges
from runner.repo.forges import ForgeError, ForgeName, Project, Wanted, forge_of, project_of
from tests.unit.repo.forge_programs import Programs

WANTED = Wanted(branch="paddock/x", base="main", title='-t "`id`" $(id)', body="--body\n'; id", draft=True)


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path / "forge")


def path_of(programs: Programs) -> dict[str, str]:
    return {"PATH": f"{programs.bin}:/usr/bin:/bin", "GH_TOKEN": "t"}


@pytest.mark.parametrize(
    ("name", "place"), [("github", "repos/acme/api/pulls"), ("gitlab", "projects/acme%2Fapi/merge_requests")]
)
def test_a_request_is_opened_once_and_found_again(programs: Programs, name: ForgeName, place: str) -> None:
    forge, project = forge_of(name, path_of(programs)), Project("git.example", "acme/api")
    assert list(forge.find(project, "paddock/x")) == []
    made = forge.open(project, WANTED)
    assert made.url.endswith("/1")
    assert list(forge.find(project, "paddock/x")) == [made]
    assert list(forge.find(project, "paddock/y")) == []
    program, argv, _, folder, tokens = programs.started[1]
    assert argv[:4] == ["api", "--hostname=git.example", "--method=POST", place]
    assert (program, folder, tokens) == ({"github": "gh", "gitlab": "glab"}[name], "/", ["GH_TOKEN"])
    assert not [word for word in argv if "id" in word], "no word of a request is on an argv"
    said = programs.opened[0]
    title = WANTED.title if name == "github" else f"Draft: {WANTED.title}"
    assert (said["title"], said.get("body", said.get("description"))) == (title, WANTED.body)


@pytest.mark.parametrize(
    ("name", "details", "state"),
    [
        ("github", {"state": "closed"}, "closed"),
        ("github", {"state": "closed", "merged_at": "2026-11-21"}, "merged"),
        ("gitlab", {"state": "merged"}, "merged"),
        ("gitlab", {"state": "closed"}, "closed"),
    ],
)
def test_what_became_of_a_request_is_known(
    programs: Programs, name: ForgeName, details: dict[str, str], state: str
) -> None:
    forge, project = forge_of(name, path_of(programs)), Project("h", "acme/api")
    forge.open(project, WANTED)
    programs.change(1, **details, sha="5ha", head={"sha": "5ha"})
    assert [(each.state, each.head) for each in forge.find(project, "paddock/x")] == [(state, "5ha")]
    programs.change(1, source_project_id=2)
    assert len(forge.find(project, "paddock/x")) == (name == "github"), "another project's branch of that name is none"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            '{"message": "Validation Failed", "errors": [{"message": "No commits\\u001b[31m"}]}',
            r"Failed; No commits\x1b[31m",
        ),
        ('{"message": ["Another open merge request already exists"]}', "Another open merge request"),
        ("<html>", "gh: Validation Failed (HTTP 422)"),
    ],
)
def test_what_a_forge_refuses_is_told_in_its_own_words(programs: Programs, answer: str, said: str) -> None:
    programs.refuse(answer)
    with pytest.raises(ForgeError) as raised:
        forge_of("github", path_of(programs)).open(Project("h", "acme/api"), WANTED)
    assert said in raised.value.message
    assert raised.value.message.isprintable()


@given(
    st.recursive(
        st.none() | st.text(max_size=5) | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["html_url", "state", "head", "sha"]), inner),
    )
)
def test_an_answer_of_any_form_is_no_crash(answer: object) -> None:
    class Program:
        def api(self, *_: object) -> object:
            return json.loads(json.dumps(answer))

    forge = forges.GitHub(Program())  # type: ignore[arg-type]
    assert all(isinstance(each.url, str) for each in forge.find(Project("h", "a/b"), "x"))
    named = isinstance(answer, dict) and isinstance(answer.get("html_url"), str) and answer["html_url"]
    with nullcontext() if named else pytest.raises(ForgeError, match="names no request"):
        forge.open(Project("h", "a/b"), WANTED)


def test_a_program_that_is_missing_hangs_or_is_none_is_told(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RefusedError, match="gh is not installed") as raised:
        forge_of("github", {"PATH": str(programs.folder)})
    assert "gh auth login" in raised.value.hint
    monkeypatch.setattr(forges, "SECONDS", 0.2)
    (programs.bin / "gh").write_text("#!/bin/sh\nsleep 60 & sleep 60\n")
    with pytest.raises(ForgeError, match="took longer than"):
        forge_of("github", path_of(programs)).find(Project("h", "a/b"), "x")
    (programs.bin / "gh").write_text("#!/nonexistent/interpreter\n")
    with pytest.raises(ForgeError, match="cannot be started"):
        forge_of("github", path_of(programs)).find(Project("h", "a/b"), "x")


@pytest.mark.parametrize(
    ("url", "chosen", "found"),
    [
        ("https://github.com/acme/api.git", None, ("github", "github.com", "acme/api")),
        ("git@github.com:acme/api.git", None, ("github", "github.com", "acme/api")),
        ("ssh://git@ssh.github.com:443/acme/api", None, ("github", "github.com", "acme/api")),
        ("https://gitlab.com/a/b/c.git/", None, ("gitlab", "gitlab.com", "a/b/c")),
        ("https://git.example/a/b", "gitlab", ("gitlab", "git.example", "a/b")),
        ("https://git.example/a/b", None, None),
        ("https://github.com.evil.example/a/b", None, None),
        ("https://github.com/acme", None, None),
        ("https://github.com/a/b/c", None, None),
        ("https://github.com/a/..", None, None),
        ("https://github.com/a/b?x=1&y", "github", ("github", "github.com", "a/b")),
        ("https://github.com/a/b%2Fc", None, None),
        ("/srv/git/api.git", "github", None),
        ("file:///srv/git/api.git", "github", None),
    ],
)
def test_a_project_is_told_from_its_url(url: str, chosen: ForgeName | None, found: tuple[str, str, str] | None) -> None:
    project = project_of(url, chosen)
    assert (project and (project[0], project[1].host, project[1].path)) == found
