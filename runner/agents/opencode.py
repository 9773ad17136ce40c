"""The agent `opencode`, https://opencode.ai/docs/cli: written for 1.18."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from runner.agents import opencode_guard
from runner.agents.any_provider import api_of, model_of
from runner.agents.base import PROMPT, Api, Assignment, ModelAgent, Reader, fed, git_identity, kept
from runner.agents.json_lines import at, count_at, detail_of, document, dollars_at, one_line, text_at
from runner.agents.providers import Provider, providers_for
from runner.model.activity import Activity, Answered, Edited, Reported, Said, SessionNamed, ToolUsed, Trouble
from runner.model.request import Command
from runner.plan import TASK

INSTRUCTION = "instruction.md"
PACKAGES = {
    "anthropic": "@ai-sdk/anthropic",
    "openai": "@ai-sdk/openai",
    "google": "@ai-sdk/google",
    "openrouter": "@openrouter/ai-sdk-provider",
    "mistral": "@ai-sdk/mistral",
    "deepseek": "@ai-sdk/openai-compatible",
    "xai": "@ai-sdk/xai",
    "groq": "@ai-sdk/groq",
}
"""All of these are inside the program; any other would be installed from a registry when it starts."""
PLUGINS_THERE = {
    "config/opencode/node_modules/.keep": "",
    "config/opencode/package-lock.json": json.dumps({"packages": {"": {"dependencies": {"@opencode-ai/plugin": "*"}}}}),
}
"""What its configuration folder looks like when its plugin library was installed: else it asks a registry for that."""
VERSIONS = {"anthropic": "/v1", "google": "/v1beta"}
"""What these packages want at the end of an address, which our table of providers has not."""
WRITERS = frozenset({"write", "edit"})
PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.{1,4096})$", re.MULTILINE)
MOST_PATCHED = 50


class OpencodeAgent(ModelAgent):
    """opencode, without permissions to ask for, updates, sharing, language servers and its list of models from afar."""

    name = "opencode"
    description = "opencode, with the model of any provider"
    image = "opencode"

    def providers(self, model: str) -> tuple[Provider, ...]:
        """Any."""
        return providers_for(model)

    def command(self, assignment: Assignment) -> Command:
        """`opencode run`, the prompt on standard input."""
        api = api_of(assignment, self.name)
        model = model_of(assignment, api)
        # A title of ours, because opencode would ask the model for one; a session has its own already.
        session = ("--session", assignment.session) if assignment.session else ("--title", "paddock")
        files = {PROMPT: assignment.task.prompt, opencode_guard.FILE: opencode_guard.SCRIPT}
        if assignment.instruction:
            files[INSTRUCTION] = assignment.instruction
        environment = {
            # After the repository's own opencode.json, so that this holds whatever is there.
            "OPENCODE_CONFIG_CONTENT": json.dumps(_config(api, model, instructed=INSTRUCTION in files)),
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
            "XDG_CONFIG_HOME": kept("config"),
            "XDG_DATA_HOME": kept("data"),
        }
        return Command(
            argv=fed(("opencode", "run", "--auto", "--format", "json", "--model", f"{api.provider}/{model}", *session)),
            environment=git_identity("opencode") | environment | api.key,
            files=files,
            state=PLUGINS_THERE,
            keeps=True,
        )

    def reader(self) -> Reader:
        """Of `--format json`."""
        return OpencodeReader()


def _config(api: Api, model: str, *, instructed: bool) -> dict[str, Any]:
    """See https://opencode.ai/docs/config."""
    options = {"baseURL": api.url + VERSIONS.get(api.provider, ""), "apiKey": f"{{env:{api.variable}}}"}
    provider: dict[str, Any] = {"options": options, "models": {model: {}}}
    if package := PACKAGES.get(api.provider):
        provider["npm"] = package
    return {
        "provider": {api.provider: provider},
        "enabled_providers": [api.provider],
        "permission": "allow",
        "plugin": [f"file://{TASK}/{opencode_guard.FILE}"],
        "instructions": [f"{TASK}/{INSTRUCTION}"] if instructed else [],
        "share": "disabled",
        "autoupdate": False,
        "snapshot": False,
        "lsp": False,
        "formatter": False,
    }


class OpencodeReader:
    """One part of a message a line, when it is whole."""

    def __init__(self) -> None:
        self._session = ""
        self._words = ""

    def read(self, line: bytes) -> Iterable[Activity]:
        """See `Reader.read`."""
        event = document(line)
        if event is None:
            return
        if (session := text_at(event, "sessionID")) and session != self._session:
            self._session = session
            yield SessionNamed(id=session)
        kind, part = text_at(event, "type"), at(event, "part")
        if kind == "text" and (words := text_at(part, "text").strip()):
            self._words = words
            yield Said(text=words)
        elif kind == "tool_use":
            yield from _tool(part)
        elif kind == "step_finish":
            yield from self._finished(part)
        elif kind == "error":
            error = at(event, "error")
            yield Trouble(text=one_line(text_at(error, "data", "message") or text_at(error, "name") or "an error"))

    def _finished(self, part: Any) -> Iterator[Activity]:
        tokens = (part, "tokens")
        yield Reported(
            input=count_at(*tokens, "input"),
            cached=count_at(*tokens, "cache", "read"),
            cache_write=count_at(*tokens, "cache", "write"),
            output=count_at(*tokens, "output") + count_at(*tokens, "reasoning"),
            cost_usd=dollars_at(part, "cost"),
        )
        # Words before a tool are no answer: of a step that ends with `tool-calls` nothing is the last word.
        if self._words and text_at(part, "reason") != "tool-calls":
            yield Answered(text=self._words)
        self._words = ""


def _tool(part: Any) -> Iterator[Activity]:
    name, state = text_at(part, "tool"), at(part, "state")
    used_on = at(state, "input")
    patched = PATCHED.findall(text_at(used_on, "patchText"))[:MOST_PATCHED] if name == "apply_patch" else []
    if name in WRITERS and (path := text_at(used_on, "filePath")):
        patched = [path]
    yield from (Edited(path=path) for path in patched)
    if name and not patched:
        yield ToolUsed(name=name, detail=detail_of(used_on))
    if text_at(state, "status") == "error":
        yield Trouble(text=one_line(text_at(state, "error") or "a tool failed"))
