"""How an action of a dialogue becomes a call of the tool that the request offers."""

from __future__ import annotations

import json
import shlex
from typing import Any, NamedTuple

from tests.models.wire import Asked, Call, Tool, mapping, word

SHELLS = ("Bash", "bash", "exec_command", "shell_command", "shell", "local_shell", "run_shell_command", "exec")
CODEX_SHELL = "exec_command"
CODEX_SCRIPT = "exec"
"""Takes JavaScript, in which the shell and the patch are functions."""
WRITERS = ("Write", "write", "write_file")
COMMAND_FIELDS = ("command", "cmd")
PATH_FIELDS = ("file_path", "filePath", "path")


class Shell(NamedTuple):
    """Run a command in a POSIX shell."""

    command: str
    why: str = "One step of the work"


class Write(NamedTuple):
    """Write a whole file, by its path in the workspace."""

    path: str
    text: str

    def as_shell(self) -> Shell:
        """The same for an agent that has no tool for files."""
        return Shell(f"printf %s {shlex.quote(self.text)} > {shlex.quote(self.path)}", f"Write {self.path}")

    def as_patch(self) -> Shell:
        """The same for codex, which takes this command for an edit; the file ends with a newline."""
        return Shell(f"apply_patch <<'END_OF_PATCH'\n{self.patch}END_OF_PATCH\n", f"Write {self.path}")

    @property
    def patch(self) -> str:
        """In codex's own form."""
        lines = "".join(f"+{line}\n" for line in self.text.splitlines())
        return f"*** Begin Patch\n*** Add File: {self.path}\n{lines}*** End Patch\n"


Action = Shell | Write


def has_shell(asked: Asked) -> bool:
    """Can this request run commands? Then it is the agent at work, and not a title or a summary on the side."""
    return _find(asked, SHELLS) is not None


def call_for(action: Action, asked: Asked, workdir: str) -> Call:
    """The call for a request that `has_shell`; a file is written by the shell where no tool for files is offered."""
    shell = _find(asked, SHELLS)
    assert shell is not None, "call_for() needs a request that offers a shell"
    if shell.name == CODEX_SCRIPT and shell.kind == "custom":
        return Call(shell.name, {}, "custom", _script(action))
    if isinstance(action, Shell):
        return _shell_call(action, shell)
    writer = _find(asked, WRITERS)
    if writer is not None:
        return _write_call(action, writer, workdir)
    return _shell_call(action.as_patch() if shell.name == CODEX_SHELL else action.as_shell(), shell)


def _find(asked: Asked, names: tuple[str, ...]) -> Tool | None:
    offered = {tool.name: tool for tool in asked.tools}
    return next((offered[name] for name in names if name in offered), None)


def _shell_call(action: Shell, tool: Tool) -> Call:
    if tool.kind == "local_shell":
        argv = ["sh", "-c", action.command]
        return Call(tool.name, {"type": "exec", "command": argv, "env": {}, "timeout_ms": None}, "local_shell")
    if tool.kind == "custom":
        return Call(tool.name, {}, "custom", action.command)
    fields = mapping(tool.schema.get("properties"))
    name = next((field for field in COMMAND_FIELDS if field in fields), COMMAND_FIELDS[0])
    is_list = mapping(fields.get(name)).get("type") in ("array", "ARRAY")
    arguments = smallest(tool.schema)
    if "description" in fields:
        arguments["description"] = action.why
    arguments[name] = ["sh", "-c", action.command] if is_list else action.command
    return Call(tool.name, arguments)


def _script(action: Action) -> str:
    if isinstance(action, Write):
        return f"text(await tools.apply_patch({json.dumps(action.patch)}));"
    return f"text(await tools.exec_command({json.dumps({'cmd': action.command})}));"


def _write_call(action: Write, tool: Tool, workdir: str) -> Call:
    fields = mapping(tool.schema.get("properties"))
    name = next((field for field in PATH_FIELDS if field in fields), PATH_FIELDS[0])
    arguments = smallest(tool.schema) | {name: f"{workdir}/{action.path}", "content": action.text}
    return Call(tool.name, arguments)


def smallest(schema: dict[str, Any]) -> dict[str, Any]:
    """The smallest object that a JSON schema asks for: its required fields."""
    fields = mapping(schema.get("properties"))
    required = schema.get("required")
    names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    return {name: _smallest_value(mapping(fields.get(name))) for name in names}


def _smallest_value(schema: dict[str, Any]) -> Any:
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return choices[0]
    kind = word(schema.get("type"), "string").lower()
    if kind == "object":
        return smallest(schema)
    return {"array": [], "number": 0, "integer": 0, "boolean": False, "null": None}.get(kind, "none")
