"""What a request is read as, whatever is in it, and what agents of every kind are answered."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models import anthropic, gemini, openai_chat, openai_responses
from tests.models.dialogues import Dialogue, Turn, ask_denied_host, commit_work
from tests.models.replies import SUBMIT, at_work, reply_to
from tests.models.tools import Shell, Write, call_for, has_shell, smallest
from tests.models.wire import Asked, Call, Line, Tool

DIALECTS = (anthropic, openai_chat, openai_responses, gemini)
FIELDS = (
    *("messages", "input", "contents", "parts", "content", "text"),
    *("role", "type", "tools", "function", "name", "schema"),
    *("system", "output_config", "format", "response_format", "json_schema", "input_schema"),
    *("parameters", "properties", "required", "functionDeclarations", "functionResponse", "functionCall"),
    *("response", "tool_calls", "generationConfig"),
)
WORDS = (
    *("user", "assistant", "model", "tool", "system", "tool_use"),
    *("tool_result", "function_call", "message", "Bash"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=40,
)
LINES = st.lists(st.builds(Line, st.sampled_from(["user", "model", "tool"]), st.just("x"), st.booleans()))


@pytest.mark.parametrize("dialect", DIALECTS)
@given(body=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=8))
def test_any_body_is_read_and_answered(dialect: ModuleType, body: dict[str, Any]) -> None:
    asked = dialect.read("/v1beta/models/m:generateContent", body)
    reply = reply_to(asked, commit_work(), "/workspace")
    assert json.dumps(dialect.whole(asked, reply))
    assert b"".join(dialect.stream(asked, reply))


@given(lines=LINES)
def test_a_turn_is_never_more_than_the_calls(lines: list[Line]) -> None:
    asked = Asked(lines=tuple(lines))
    calls = sum(line.who == "model" and line.calls for line in lines)
    assert 0 <= asked.turn <= calls


@given(before=LINES, turns=st.integers(0, 8))
def test_calls_after_a_finished_work_are_counted_one_by_one(before: list[Line], turns: int) -> None:
    done = [Line("user"), Line("model", "Done."), Line("user", "more")]
    work = [Line("model", "Look."), Line("model", calls=True), Line("tool", "seen")] * turns
    assert Asked(lines=(*before, *done, *work)).turn == turns


# --- tools --------------------------------------------------------------------------------------------------------


def tool(name: str, required: tuple[str, ...] = (), **properties: str) -> Tool:
    """A tool whose arguments have these types."""
    fields = {field: {"type": kind} for field, kind in properties.items()}
    return Tool(name, {"type": "object", "properties": fields, "required": list(required)})


@pytest.mark.parametrize(
    ("offered", "call"),
    [
        (tool("Bash", command="string", description="string"), {"command": "ls", "description": "Look"}),
        (tool("bash", command="string"), {"command": "ls"}),
        (tool("exec_command", cmd="string"), {"cmd": "ls"}),
        (tool("shell", command="array"), {"command": ["sh", "-c", "ls"]}),
        (tool("run_shell_command", command="STRING", is_background="BOOLEAN"), {"command": "ls"}),
        (
            tool("run_shell_command", ("command", "is_background"), command="STRING", is_background="BOOLEAN"),
            {"command": "ls", "is_background": False},
        ),
    ],
)
def test_a_command_takes_the_arguments_that_the_tool_has(offered: Tool, call: dict[str, Any]) -> None:
    asked = Asked(tools=(tool("Read", path="string"), offered))
    assert call_for(Shell("ls", "Look"), asked, "/workspace") == Call(offered.name, call)


def test_openais_own_shell_has_a_call_of_its_own() -> None:
    asked = openai_responses.read("", {"tools": [{"type": "local_shell"}]})
    reply = reply_to(asked, Dialogue(turns=(Turn("", Shell("ls")),)), "/workspace")
    [item] = openai_responses.whole(asked, reply)["output"]
    assert (item["type"], item["action"]["command"]) == ("local_shell_call", ["sh", "-c", "ls"])
    again = openai_responses.read("", {"input": [item, {"type": "local_shell_call_output", "output": "a"}]})
    assert again.turn == 1


@pytest.mark.parametrize(
    ("offered", "path"),
    [
        (tool("Write", file_path="string", content="string"), "file_path"),
        (tool("write", content="string", filePath="string"), "filePath"),
        (tool("write_file", file_path="string", content="string"), "file_path"),
    ],
)
def test_a_file_is_written_by_the_agents_own_tool(offered: Tool, path: str) -> None:
    asked = Asked(tools=(tool("bash", command="string"), offered))
    call = call_for(Write("a/b.txt", "text\n"), asked, "/workspace")
    assert call == Call(offered.name, {path: "/workspace/a/b.txt", "content": "text\n"})


def test_a_file_is_written_by_the_shell_where_there_is_no_other_way(tmp_path: Path) -> None:
    asked = Asked(tools=(tool("bash", command="string"),))
    call = call_for(Write("it's $1.txt", "a 'quoted' $text\n\\n %s\n"), asked, "/workspace")
    subprocess.run(["sh", "-c", call.arguments["command"]], cwd=tmp_path, check=True)
    assert (tmp_path / "it's $1.txt").read_text() == "a 'quoted' $text\n\\n %s\n"


def test_codex_writes_a_file_by_a_patch() -> None:
    asked = Asked(tools=(tool("exec_command", cmd="string"),))
    assert call_for(Write("a.txt", "one\n\ntwo\n"), asked, "/workspace").arguments["cmd"] == (
        "apply_patch <<'END_OF_PATCH'\n*** Begin Patch\n*** Add File: a.txt\n+one\n+\n+two\n*** End Patch\n"
        "END_OF_PATCH\n"
    )


def test_codex_gives_its_newest_models_javascript_to_write(tmp_path: Path) -> None:
    script = {"type": "custom", "name": "exec", "format": {"type": "grammar"}}
    wait = {"type": "function", "name": "wait", "parameters": {"type": "object"}}
    tools = [
        {"type": "namespace", "name": "functions", "tools": [script, wait]},
        {"type": "namespace", "tools": [wait]},
    ]
    given = [{"type": "additional_tools", "role": "developer", "tools": tools}]
    asked = openai_responses.read("", {"model": "gpt-test", "input": given})
    assert [(tool.name, tool.kind) for tool in asked.tools] == [
        ("exec", "custom"), ("wait", "function"), ("wait", "function")
    ]  # fmt: skip
    told = Dialogue(turns=(Turn("", Shell('echo "a"')), Turn("", Write("a.txt", "one\n")), Turn("Done.")))
    items = [openai_responses.whole(asked, reply_to(asked, told, "/workspace"))["output"][0]]
    assert (items[0]["type"], items[0]["name"]) == ("custom_tool_call", "exec")
    assert items[0]["input"] == 'text(await tools.exec_command({"cmd": "echo \\"a\\""}));'
    result = {"type": "custom_tool_call_output", "output": [{"type": "input_text", "text": "a"}]}
    again = openai_responses.read("", {"input": [*given, *items, result]})
    assert again.turn == 1
    call = call_for(Write("a.txt", "one\n"), again, "/workspace")
    assert call.text == (
        'text(await tools.apply_patch("*** Begin Patch\\n*** Add File: a.txt\\n+one\\n*** End Patch\\n"));'
    )


def test_tools_that_are_none_are_no_tools() -> None:
    given = [
        {"type": "additional_tools", "tools": "none"},
        {"type": "additional_tools", "tools": [{"type": "namespace"}]},
    ]
    assert openai_responses.read("", {"input": given}).tools == ()


def test_a_request_with_other_tools_alone_is_on_the_side() -> None:
    asked = Asked(tools=(tool("web_search", query="string"),), lines=(Line("user", "hello"),))
    assert not has_shell(asked)
    assert not at_work(asked)
    assert reply_to(asked, commit_work(), "/workspace").text == "A small task"


def test_an_answer_has_the_shape_that_was_asked_for() -> None:
    schema = {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "next": {"type": "STRING", "enum": ["user", "model"]},
            "inner": {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]},
            "optional": {"type": "string"},
        },
        "required": ["title", "next", "inner"],
    }
    bodies = {
        anthropic: {"output_config": {"format": {"type": "json_schema", "schema": schema}}},
        openai_chat: {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}},
        openai_responses: {"text": {"format": {"type": "json_schema", "name": "x", "schema": schema}}},
        gemini: {"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": schema}},
    }
    texts = [reply_to(dialect.read("", body), commit_work(), "/workspace").text for dialect, body in bodies.items()]
    assert [json.loads(text) for text in texts] == [{"title": "none", "next": "user", "inner": {"count": 0}}] * 4
    assert smallest({}) == {}


# --- agents with habits of their own ------------------------------------------------------------------------------


def test_mini_swe_agent_is_told_to_submit() -> None:
    lines = (Line("user", f"Finish with `echo {SUBMIT}`."), *[Line("model", calls=True), Line("tool")] * 5)
    reply = reply_to(Asked(tools=(tool("bash", command="string"),), lines=lines), commit_work(), "/workspace")
    assert reply.text.startswith("Done: ")
    assert reply.call == Call("bash", {"command": f"echo {SUBMIT}"})


@pytest.mark.parametrize("fence", ["bash", "mswea_bash_command"])
def test_mini_swe_agent_without_tools_gets_one_block(fence: str) -> None:
    system = f"Answer with one block:\n```{fence}\nls\n```\nFinish with `echo {SUBMIT}`."
    asked = [
        Asked(system=system, lines=(Line("user", "go"), *[Line("model"), Line("user")] * turn)) for turn in (0, 4, 5)
    ]
    texts = [reply_to(each, commit_work(), "/workspace").text for each in asked]
    assert [text.count(f"```{fence}\n") for text in texts] == [1, 1, 1]
    assert "> greet.sh\n```" in texts[0]
    assert "git commit" in texts[1]
    assert f"\necho {SUBMIT}\n```" in texts[2]


def test_aider_gets_every_file_at_once_as_an_edit_block() -> None:
    asked = Asked(system="Use *SEARCH/REPLACE* blocks.", lines=(Line("model", "Ok."), Line("user", "greet")))
    assert at_work(asked)
    assert reply_to(asked, commit_work(), "/workspace").text == (
        'greet.sh\n```\n<<<<<<< SEARCH\n=======\necho "Hello, $1"\n>>>>>>> REPLACE\n```\n\n'
        "Done: greet.sh says Hello, and its test passes."
    )


def test_aider_gets_whole_files_where_it_asks_for_them() -> None:
    asked = Asked(system="You MUST return a *file listing*.", lines=(Line("user", "greet"),))
    assert reply_to(asked, commit_work(), "/workspace").text.startswith('greet.sh\n```\necho "Hello, $1"\n```\n')


# --- the dialogues ------------------------------------------------------------------------------------------------


def play(dialogue: Dialogue, folder: Path) -> list[int]:
    """Do what a dialogue asks for in a fresh repository, by the shell; the exit codes."""
    identity = {f"GIT_{who}_{what}": f"{who}@x.test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    codes = []
    for turn in dialogue.turns:
        if turn.action is not None:
            shell = turn.action.as_shell() if isinstance(turn.action, Write) else turn.action
            environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder)} | identity
            done = subprocess.run(
                ["sh", "-c", shell.command], cwd=folder, env=environment, check=False, capture_output=True
            )
            codes.append(done.returncode)
    return codes


def test_commit_work_fails_is_mended_and_commits(tmp_path: Path) -> None:
    assert play(commit_work(), tmp_path) == [0, 1, 0, 0, 0]
    log = subprocess.run(["git", "log", "--format=%s"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert log.stdout == "Greet politely\n"
    assert subprocess.run(["git", "status", "-s"], cwd=tmp_path, check=True, capture_output=True).stdout == b""


def test_a_host_that_cannot_be_fetched_is_committed_as_such(tmp_path: Path) -> None:
    # an address of loopback where nobody listens: no name is asked for
    assert play(ask_denied_host("127.0.0.1:1"), tmp_path) == [0, 0]
    shown = subprocess.run(["git", "show", "HEAD:page.html"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert shown.stdout == "could not be fetched\n"
