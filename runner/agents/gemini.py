"""The agent `gemini`: Gemini CLI, https://geminicli.com/docs/cli/headless, written for 0.61."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from runner.agents.base import PROMPT, Assignment, ModelAgent, Reader, fed, git_identity
from runner.agents.json_lines import MOST_TEXT, at, count_at, detail_of, document, one_line, text_at
from runner.agents.providers import GOOGLE, Provider
from runner.model.activity import Activity, Answered, Edited, Reported, Said, SessionNamed, ToolUsed, Trouble
from runner.model.request import Command
from runner.plan import AGENT

SETTINGS = ".gemini/settings.json"
INSTRUCTION = ".gemini/GEMINI.md"
"""Below its home: read before the repository's own."""


CONFIG: dict[str, Any] = {
    "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
    "privacy": {"usageStatisticsEnabled": False},
    "telemetry": {"enabled": False},
    "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
}
"""The user's own: as the machine's, which hold whatever the repository says, it takes only files of root's.

See https://geminicli.com/docs/reference/configuration.
"""
WRITERS = frozenset({"write_file", "replace"})
MOST_MODELS = 50


class GeminiAgent(ModelAgent):
    """Gemini CLI, without trust dialogs, approvals, statistics and updates."""

    name = "gemini"
    description = "Gemini CLI, by Google"
    image = "gemini"

    def providers(self, model: str) -> tuple[Provider, ...]:  # noqa: ARG002 - one API, whatever the model
        """Google's."""
        return (GOOGLE,)

    def command(self, assignment: Assignment) -> Command:
        """`gemini --yolo`, the prompt on standard input."""
        options = ["--yolo", "--output-format", "stream-json"]
        if assignment.model:
            options += ["--model", assignment.model]
        if assignment.session:
            options += ["--resume", assignment.session]
        environment = {
            "GEMINI_CLI_HOME": AGENT,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
        }
        if assignment.api:
            environment |= {"GOOGLE_GEMINI_BASE_URL": assignment.api.url, **assignment.api.key}
        return Command(
            argv=fed(("gemini", *options)),
            environment=git_identity("Gemini CLI") | environment,
            files={PROMPT: assignment.task.prompt},
            # An empty instruction too: else a session that goes on would hear its first run's.
            state={SETTINGS: json.dumps(CONFIG | _tools(assignment)), INSTRUCTION: assignment.instruction},
            keeps=True,
        )

    def reader(self) -> Reader:
        """Of `--output-format stream-json`."""
        return GeminiReader()


def _tools(assignment: Assignment) -> dict[str, Any]:
    """Without the search that Google does for it, where the policy is not open."""
    return {} if assignment.search else {"tools": {"exclude": ["google_web_search"]}}


class GeminiReader:
    """Words come in pieces; they are told when something else follows."""

    def __init__(self) -> None:
        self._words = ""

    def read(self, line: bytes) -> Iterable[Activity]:
        """See `Reader.read`."""
        event = document(line)
        if event is None:
            return
        kind = text_at(event, "type")
        if kind == "message":
            if text_at(event, "role") == "assistant":
                self._words = (self._words + text_at(event, "content"))[:MOST_TEXT]
            return
        words, self._words = self._words.strip(), ""
        if words:
            yield Said(text=words)
        if kind == "init" and (session := text_at(event, "session_id")):
            yield SessionNamed(id=session)
        elif kind == "tool_use":
            yield _tool(event)
        elif kind in ("error", "tool_result", "result") and text_at(event, "status") != "success":
            told = text_at(event, "message") or text_at(event, "error", "message") or text_at(event, "output")
            yield Trouble(text=one_line(told or "an error"))
        elif kind == "result" and words:
            yield Answered(text=words)
        if kind == "result":
            yield from _spent(event)


def _tool(event: dict[str, Any]) -> Activity:
    name, used_on = text_at(event, "tool_name"), at(event, "parameters")
    path = text_at(used_on, "file_path")
    return Edited(path=path) if name in WRITERS and path else ToolUsed(name=name, detail=detail_of(used_on))


def _spent(event: dict[str, Any]) -> Iterator[Activity]:
    """The tokens of each model; what it thought is in no field but the total."""
    models = at(event, "stats", "models")
    for name, usage in islice(models.items(), MOST_MODELS) if isinstance(models, dict) else ():
        asked, cached = count_at(usage, "input_tokens"), count_at(usage, "cached")
        yield Reported(
            model=one_line(name),
            input=max(0, asked - cached),
            cached=cached,
            output=max(0, count_at(usage, "total_tokens") - asked),
        )
