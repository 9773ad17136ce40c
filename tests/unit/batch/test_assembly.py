"""A batch file becomes tasks, or a list of everything that is wrong with it: file, line, key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.batch.assembly import assemble
from runner.batch.prompts import filled, unknown_in
from runner.errors import RefusedError
from runner.model.batch import Batch, Item
from runner.model.settings import Settings
from runner.store.batch_files import read_batch, repos_from


def batch_from(folder: Path, text: str, name: str = "tasks.toml") -> Batch:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return assemble(read_batch(file), Settings(state_dir=folder / "state"), folder / "home", folder / "templates")


def refused(folder: Path, text: str, name: str = "tasks.toml") -> list[str]:
    """Each fault without the folder."""
    with pytest.raises(RefusedError) as error:
        batch_from(folder, text, name)
    return [line.replace(f"{folder}/", "") for line in error.value.message.splitlines()]


def tried(folder: Path, text: str, name: str) -> Batch | list[str]:
    """The batch, or what is wrong with it."""
    try:
        return batch_from(folder, text, name)
    except RefusedError as error:
        return error.message.splitlines()


def named(batch: Batch) -> dict[str, Item]:
    return {item.name: item for item in batch.items}


def test_a_task_takes_what_it_does_not_say_from_its_repository_and_the_defaults(tmp_path: Path) -> None:
    batch = batch_from(
        tmp_path,
        """
        [defaults]
        agent = "claude"
        policy = "python"
        check = "make test"
        env = { A = "1", B = "1" }
        tags = ["all"]
        [[repos]]
        repo = "one"
        base = "dev"
        env = { B = "2" }
        tags = ["ours"]
        [[tasks]]
        name = "first"
        repo = "one"
        prompt = "mend it"
        policy = "strict.toml"
        """,
    )
    item = batch.items[0]
    task = item.work.task
    assert (task.agent, task.prompt, task.base, task.check) == ("claude", "mend it", "dev", "make test")
    assert (task.repo, task.policy) == (str(tmp_path / "one"), str(tmp_path / "strict.toml"))
    assert task.environment == {"A": "1", "B": "2"}
    assert item.tags == ("all", "ours")


def test_the_matrix_is_every_repository_with_every_prompt_and_every_agent(tmp_path: Path) -> None:
    batch = batch_from(
        tmp_path,
        """
        [matrix]
        repos = ["a", "https://example.com/team/b.git"]
        prompts = ["mend {repo}", { name = "doc", prompt = "describe {repo} as {agent}" }]
        agents = ["claude", { agent = "codex", model = "m1" }]
        """,
    )
    prompts = {item.name: item.work.task.prompt for item in batch.items}
    assert prompts == {
        "a.p1.claude": "mend a",
        "a.p1.codex": "mend a",
        "a.doc.claude": "describe a as claude",
        "a.doc.codex": "describe a as codex",
        "b.p1.claude": "mend b",
        "b.p1.codex": "mend b",
        "b.doc.claude": "describe b as claude",
        "b.doc.codex": "describe b as codex",
    }
    assert named(batch)["b.doc.codex"].work.task.model == "m1"
    assert named(batch)["b.p1.claude"].work.task.repo == "https://example.com/team/b.git"


def test_a_task_without_a_repository_is_one_for_each_and_needs_its_own_neighbour(tmp_path: Path) -> None:
    batch = batch_from(
        tmp_path,
        """
        [[repos]]
        repo = "a"
        [[repos]]
        repo = "b"
        [[tasks]]
        name = "plan"
        command = ["plan"]
        [[tasks]]
        name = "build"
        command = ["build"]
        needs = ["plan"]
        [[tasks]]
        name = "sum"
        repo = "c"
        command = ["sum"]
        needs = ["build", "pla*.b"]
        """,
    )
    needs = {item.name: item.needs for item in batch.items}
    assert needs == {
        "plan.a": (),
        "plan.b": (),
        "build.a": ("plan.a",),
        "build.b": ("plan.b",),
        "sum": ("build.a", "build.b", "plan.b"),
    }


def test_a_task_that_says_a_command_takes_back_the_agent_of_the_defaults(tmp_path: Path) -> None:
    batch = batch_from(
        tmp_path,
        """
        [defaults]
        agent = "claude"
        prompt = "mend it"
        until = "make"
        [[tasks]]
        repo = "a"
        command = ["make", "fmt"]
        [[tasks]]
        repo = "b"
        check = "make lint"
        """,
    )
    first, second = (item.work for item in batch.items)
    assert (first.task.agent, first.task.argv, first.task.prompt, first.until) == (
        "command",
        ("make", "fmt"),
        "",
        False,
    )
    assert (second.task.agent, second.task.check, second.until) == ("claude", "make lint", False)


def test_every_fault_is_told_at_once_with_file_line_and_key(tmp_path: Path) -> None:
    (tmp_path / "ask.md").write_text("Dear {team},\n\nmend {what} of {repo}\n", encoding="utf-8")
    faults = refused(
        tmp_path,
        """[defaults]
agent = "claude"
[[tasks]]
name = "one"
repo = "a"
prompt_file = "ask.md"
variables = { team = "core" }
[[tasks]]
name = "one"
repo = "https://me:secret@example.com/a.git"
prompt = "mend {it}"
needs = ["too"]
[[tasks]]
repo = "b"
prompt = "x"
command = ["make"]
max_rounds = 2
[machine]
memory = "much"
[providers.antropic]
max = 2
""",
    )
    assert [fault.partition("; ")[0] for fault in faults] == [
        "ask.md:3: {what} stands for nothing on a: write it under variables, or {{what}} for the braces themselves",
        'tasks.toml:9: tasks[1].name: "one" is the name of the task at tasks.toml:3 already',
        "tasks.toml:10: tasks[1].repo: https://example.com/a.git is written with credentials",
        "tasks.toml:11: tasks[1].prompt: {it} stands for nothing on a: write it under variables, "
        "or {{it}} for the braces themselves",
        'tasks.toml:12: tasks[1].needs: there is no task "too"',
        "tasks.toml:15: tasks[2].prompt: command stands beside it",
        "tasks.toml:17: tasks[2].max_rounds: says nothing to a command",
        "tasks.toml:19: machine.memory: 'much' is not a size",
        "tasks.toml:20: providers.antropic: there is no such provider",
    ]
    assert not any("secret" in fault for fault in faults)


def test_tasks_that_wait_for_each_other_are_refused(tmp_path: Path) -> None:
    text = "".join(
        f'[[tasks]]\nname = "{name}"\nrepo = "r"\ncommand = ["x"]\nneeds = ["{need}"]\n'
        for name, need in (("a", "b"), ("b", "c"), ("c", "a"))
    )
    (fault,) = refused(tmp_path, text)
    assert "these tasks wait for each other" in fault
    assert all(name in fault for name in ("a", "b", "c"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "tasks.toml:1: there is no task in it; write [[tasks]] or [matrix]"),
        ('[[tasks]]\nrepo = "a"\n', "tasks.toml:1: tasks[0]: has neither a command nor an agent; write agent"),
        ('[[tasks]]\ncommand = ["x"]\n', "tasks.toml:1: tasks[0].repo: is missing; name one here"),
        (
            '[[tasks]]\nrepo = "a"\ncomand = ["x"]\n',
            "tasks.toml:3: tasks[0].comand: there is no such key here; did you",
        ),
        (
            '[[tasks]]\nrepo = "a"\ncommand = "x"\n',
            "tasks.toml:3: tasks[0].command: must be a list, in square brackets",
        ),
        (
            '[[tasks]]\nrepo = "a"\ncommand = ["x"]\nattempts = 0\n',
            "tasks.toml:4: tasks[0].attempts: must be at least 1",
        ),
        (
            '[[tasks]]\nrepo = "a"\ncommand = ["x"]\n[tasks.env]\nAPI_TOKEN = "x"\n',
            'tasks.toml:4: tasks[0].env: "API_TOKEN" sounds like a secret',
        ),
        ("[[tasks]\n", "tasks.toml:1: this is not TOML"),
        (
            '[[tasks]]\nrepo = "a"\nagent = "demo"\nprompt = "x"\ntemplate = "nope"\n',
            "tasks.toml:5: tasks[0].template: There is no template",
        ),
        (
            '[[tasks]]\nrepo = "a"\nagent = "demo"\nprompt_file = "gone.md"\n',
            "tasks.toml:4: tasks[0].prompt_file: the prompt file cannot be used",
        ),
    ],
)
def test_a_fault_names_its_file_line_and_key(tmp_path: Path, text: str, fault: str) -> None:
    assert refused(tmp_path, text)[0].startswith(fault)


def test_json_lines_are_tasks_and_faults_name_the_line(tmp_path: Path) -> None:
    good = '{"repo": "a", "command": ["make"]}\n\n{"repo": "b", "command": ["make"], "name": "second"}\n'
    assert list(named(batch_from(tmp_path, good, "t.jsonl"))) == ["a", "second"]
    assert refused(tmp_path, good + '{"repo": "c", "comand": []}\n', "t.jsonl")[0].startswith(
        "t.jsonl:4: tasks[2].comand"
    )
    assert refused(tmp_path, good + "[]\n", "t.jsonl") == [
        "t.jsonl:4: this is not a JSON object: a line is one task, in braces"
    ]


def test_a_list_of_repositories_is_a_task_for_each(tmp_path: Path) -> None:
    listed = tmp_path / "repos.txt"
    listed.write_text("# ours\none\n\n../two # a comment\n", encoding="utf-8")
    (tmp_path / "ask.md").write_text("mend {repo}\n", encoding="utf-8")
    source = repos_from(listed, {"agent": "claude", "prompt_file": "ask.md"})
    batch = assemble(source, Settings(state_dir=tmp_path), tmp_path, tmp_path)
    assert [(item.name, item.work.task.prompt.strip()) for item in batch.items] == [
        ("one", "mend one"),
        ("two", "mend two"),
    ]
    assert batch.items[1].place == f"{listed}:4"


@given(
    st.text(max_size=200), st.dictionaries(st.from_regex(r"\A[a-z][a-z0-9_]{0,5}\Z"), st.text(max_size=20), max_size=4)
)
def test_a_prompt_with_all_its_variables_known_has_no_place_left(text: str, variables: dict[str, str]) -> None:
    everything = {**variables, **{each.name: "" for each in unknown_in(text, variables)}}
    assert list(unknown_in(text, everything)) == []


def test_what_is_put_in_is_not_looked_at_again() -> None:
    assert filled("{a} {{a}} {b} {A} {}", {"a": "{b}", "b": "2"}) == "{b} {a} 2 {A} {}"


KEYS = st.sampled_from(
    ["defaults", "matrix", "tasks", "repos", "agent", "repo", "prompt", "command", "needs", "name", "x"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(line=st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_json_line_is_a_task_or_refused_with_its_place(
    tmp_path_factory: pytest.TempPathFactory, line: object
) -> None:
    folder = tmp_path_factory.mktemp("any")
    found = tried(folder, json.dumps(line), "t.jsonl")
    if isinstance(found, Batch):
        assert len(found.items) == 1
    else:
        assert [each for each in found if f"{folder}/t.jsonl:1:" not in each] == []


@given(
    text=st.text(max_size=300)
    | st.lists(
        st.sampled_from(
            [
                "[defaults]",
                "[[tasks]]",
                'repo = "a"',
                "needs = [",
                "]",
                "a.b = 1",
                '"""',
                "{",
                "[matrix]",
                'command = ["x"]',
            ]
        ),
        max_size=12,
    ).map("\n".join)
)
def test_any_text_is_a_batch_or_refused_with_its_file(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    found = tried(folder, text.encode("utf-8", "replace").decode(), "tasks.toml")
    assert isinstance(found, Batch) or [each for each in found if f"{folder}/tasks.toml" not in each] == []
