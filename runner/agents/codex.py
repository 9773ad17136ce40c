"""The agent `codex`: Codex CLI, https://developers.openai.com/codex/noninteractive, written for 0.169."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from runner.agents.base import PROMPT, Api, Assignment, ModelAgent, Reader, fed, git_identity
from runner.agents.json_lines import at, count_at, detail_of, document, items_at, one_line, text_at
from runner.agents.providers import OPENAI, Provider
from runner.model.activity import Activity, Answered, Edited, Reported, Said, SessionNamed, ToolUsed, Trouble
from runner.model.request import Command
from runner.plan import AGENT

CONFIG = "config.toml"
REQUEST_TRIES = 2
ANSWER_TRIES = 10
"""The pauses double from 0.2 s on: some four minutes in all, long enough for most limits on a rate."""


UNTOLD = frozenset({"agent_message", "command_execution", "reasoning", "todo_list"})
"""Items that are no tool, or were told when they began."""
MOST_CHANGES = 50


class CodexAgent(ModelAgent):
    """Codex, without its own sandbox, approvals, telemetry, updates and plug-ins."""

    name = "codex"
    description = "Codex CLI, by OpenAI"
    image = "codex"

    def providers(self, model: str) -> tuple[Provider, ...]:  # noqa: ARG002 - one API, whatever the model
        """OpenAI's."""
        return (OPENAI,)

    def command(self, assignment: Assignment) -> Command:
        """`codex exec`, the prompt on standard input; a conversation goes on by `codex exec resume`."""
        session = ("resume", assignment.session) if assignment.session else ()
        # A resumed conversation takes no `--sandbox`, but both take this.
        options = ("--dangerously-bypass-approvals-and-sandbox", "--json")
        return Command(
            argv=fed(("codex", "exec", *session, *options, "-")),
            environment=git_identity("Codex") | {"CODEX_HOME": AGENT} | (assignment.api.key if assignment.api else {}),
            files={PROMPT: _prompt(assignment)},
            state={CONFIG: _config(assignment)},
            keeps=True,
        )

    def reader(self) -> Reader:
        """Of `--json`."""
        return CodexReader()


def _prompt(assignment: Assignment) -> str:
    """A resumed conversation keeps the instructions that it began with, and what the first run's policy allowed."""
    asked, instruction = assignment.task.prompt, assignment.instruction
    return f"{instruction}\n\n{asked}" if instruction and assignment.session else asked


def _config(assignment: Assignment) -> str:
    """See https://developers.openai.com/codex/config-reference; below `/paddock/agent`, since Codex writes to it."""
    settings: dict[str, Any] = {
        "check_for_update_on_startup": False,
        "analytics.enabled": False,
        "features.plugins": False,
        # Else it waits for ever where the API cannot be reached.
        "features.unbounded_connection_retries": False,
        "web_search": "live" if assignment.search else "disabled",
    }
    if assignment.model:
        settings["model"] = assignment.model
    if assignment.instruction:
        settings["developer_instructions"] = assignment.instruction
    if assignment.api:
        settings |= {"model_provider": "paddock", **_provider(assignment.api)}
    return "".join(f"{key} = {_toml(value)}\n" for key, value in settings.items())


def _provider(api: Api) -> dict[str, Any]:
    """A provider of our own: Codex heeds no variable for the address."""
    fields = {
        "name": "Paddock",
        "base_url": api.url,
        "env_key": api.variable,
        "wire_api": "responses",
        "request_max_retries": REQUEST_TRIES,
        "stream_max_retries": ANSWER_TRIES,
    }
    return {f"model_providers.paddock.{name}": value for name, value in fields.items()}


def _toml(value: str | int | bool) -> str:
    """A JSON string without characters beyond ASCII is a TOML string too, but for DEL and halves of pairs."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


class CodexReader:
    """One item a line, told when it begins and when it is done; the tokens of a turn come at its end."""

    def __init__(self) -> None:
        self._words = ""

    def read(self, line: bytes) -> Iterable[Activity]:
        """See `Reader.read`."""
        event = document(line)
        if event is None:
            return
        kind, item = text_at(event, "type"), at(event, "item")
        if kind == "thread.started" and (session := text_at(event, "thread_id")):
            yield SessionNamed(id=session)
        elif kind == "item.started" and text_at(item, "type") == "command_execution":
            yield ToolUsed(name="shell", detail=_command(text_at(item, "command")))
        elif kind == "item.completed":
            yield from self._completed(item)
        elif kind == "turn.completed":
            yield from self._turn_completed(event)
        elif kind in ("error", "turn.failed"):
            text = text_at(event, "message") or text_at(event, "error", "message")
            yield Trouble(text=one_line(text or "an error"))

    def _completed(self, item: Any) -> Iterator[Activity]:
        kind = text_at(item, "type")
        if kind == "agent_message" and (words := text_at(item, "text")):
            self._words = words
            yield Said(text=words)
        elif kind == "file_change":
            changed = islice(items_at(item, "changes"), MOST_CHANGES)
            yield from (Edited(path=path) for change in changed if (path := text_at(change, "path")))
        elif kind == "error":
            yield Trouble(text=one_line(text_at(item, "message") or "an error"))
        elif kind and kind not in UNTOLD:
            yield ToolUsed(name=text_at(item, "tool") or kind, detail=detail_of(item))
        if text_at(item, "status") == "failed":
            yield Trouble(text=_failure(item))

    def _turn_completed(self, event: Any) -> Iterator[Activity]:
        usage = (event, "usage")
        cached, written = count_at(*usage, "cached_input_tokens"), count_at(*usage, "cache_write_input_tokens")
        yield Reported(
            input=max(0, count_at(*usage, "input_tokens") - cached - written),
            cached=cached,
            cache_write=written,
            output=count_at(*usage, "output_tokens"),
        )
        if self._words:
            yield Answered(text=self._words)


def _command(text: str) -> str:
    """Without the shell around it: `/bin/bash -lc 'make test'` is `make test`."""
    try:
        words = shlex.split(text)
    except ValueError:
        return one_line(text)
    return one_line(words[2] if len(words) == 3 and words[1] in ("-c", "-lc") else text)


def _failure(item: Any) -> str:
    output, code = text_at(item, "aggregated_output"), at(item, "exit_code")
    if isinstance(code, int):
        return one_line(f"Exit code {code} {output}")
    return one_line(text_at(item, "error", "message") or "a tool failed")
