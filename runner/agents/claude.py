"""The agent `claude`: Claude Code, https://code.claude.com/docs/en/cli-reference, written for 2.1.329."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from runner.agents.base import PROMPT, Assignment, ModelAgent, Reader, fed, git_identity
from runner.agents.json_lines import at, count_at, detail_of, document, dollars_at, items_at, one_line, text_at
from runner.agents.providers import ANTHROPIC, Provider
from runner.model.activity import Activity, Answered, Edited, Reported, Said, SessionNamed, ToolUsed, Trouble
from runner.model.request import Command
from runner.plan import AGENT, TASK

INSTRUCTION = "instruction.md"
LONGEST_WAIT = 600
"""Seconds that it waits in all for an API that is overloaded or limits its rate; its own end comes after three 529s."""
WRITERS = frozenset({"Write", "Edit", "MultiEdit", "NotebookEdit"})
SYNTHETIC = "<synthetic>"
"""The model of messages that Claude Code makes up, from errors that it tells again at the end."""
MOST_MODELS = 50


class ClaudeAgent(ModelAgent):
    """Claude Code, without prompts, telemetry and updates."""

    name = "claude"
    description = "Claude Code, by Anthropic"
    image = "claude"

    def providers(self, model: str) -> tuple[Provider, ...]:  # noqa: ARG002 - one API, whatever the model
        """Anthropic's."""
        return (ANTHROPIC,)

    def command(self, assignment: Assignment) -> Command:
        """`claude -p`, the prompt on standard input."""
        files = {PROMPT: assignment.task.prompt}
        if assignment.instruction:
            files[INSTRUCTION] = assignment.instruction
        environment = {
            "CLAUDE_CONFIG_DIR": AGENT,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_RETRY_WATCHDOG": "1",
            "CLAUDE_CODE_RETRY_WATCHDOG_SCOPE": "capacity",
            "CLAUDE_CODE_RETRY_WATCHDOG_MAX_WAIT_MS": str(LONGEST_WAIT * 1000),
        }
        if assignment.api:
            environment |= {"ANTHROPIC_BASE_URL": _rooted(assignment.api.url), **assignment.api.key}
        return Command(
            argv=fed(("claude", "-p", *_options(assignment))),
            environment=git_identity("Claude Code") | environment,
            files=files,
            keeps=True,
        )

    def reader(self) -> Reader:
        """Of `--output-format stream-json`."""
        return ClaudeReader()


def _rooted(url: str) -> str:
    """Its maker's own host gets the dot that ends a full name, and is the same host.

    Without the dot the CLI first asks that host for its organization's settings and limits, over TLS, which nobody
    answers here, and goes on without them after 20 seconds.
    """
    return url.replace("http://api.anthropic.com", "http://api.anthropic.com.", 1)


def _options(assignment: Assignment) -> Iterator[str]:
    yield from ("--dangerously-skip-permissions", "--output-format", "stream-json", "--verbose")
    if not assignment.search:
        yield from ("--disallowedTools", "WebSearch")
    if assignment.model:
        yield from ("--model", assignment.model)
    if assignment.instruction:
        yield from ("--append-system-prompt-file", f"{TASK}/{INSTRUCTION}")
    if assignment.session:
        # Else the first run's instruction would be sent again, with what the first run's policy allowed.
        yield from ("--resume", assignment.session, "--system-prompt-snapshot", "off")


class ClaudeReader:
    """One part of a message a line; a message's tokens are repeated with each of its parts."""

    def __init__(self) -> None:
        self._message = ""
        self._told = Reported()

    def read(self, line: bytes) -> Iterable[Activity]:
        """See `Reader.read`."""
        event = document(line)
        if event is None:
            return
        kind = text_at(event, "type")
        if kind == "system":
            yield from _system(event)
        elif kind == "assistant" and text_at(event, "message", "model") != SYNTHETIC:
            for part in items_at(event, "message", "content"):
                yield from _part(part)
            yield from self._tokens(event)
        elif kind == "user":
            for part in items_at(event, "message", "content"):
                if part.get("is_error") is True:
                    yield Trouble(text=one_line(_words(part) or "a tool failed"))
        elif kind == "result":
            yield from self._result(event)

    def _tokens(self, event: dict[str, Any]) -> Iterator[Activity]:
        message = text_at(event, "message", "id")
        if message and message != self._message:
            self._message = message
            usage = (event, "message", "usage")
            report = Reported(
                model=text_at(event, "message", "model"),
                input=count_at(*usage, "input_tokens"),
                cached=count_at(*usage, "cache_read_input_tokens"),
                cache_write=count_at(*usage, "cache_creation_input_tokens"),
                output=count_at(*usage, "output_tokens"),
            )
            self._told = _added(self._told, report)
            yield report

    def _result(self, event: dict[str, Any]) -> Iterator[Activity]:
        """The last word, and the tokens that no message told: most of the output, and requests on the side."""
        text = text_at(event, "result")
        if event.get("is_error") is True:
            yield Trouble(text=one_line(text or text_at(event, "subtype") or "an error"))
        elif text:
            yield Answered(text=text)
        total, told = _total(event), self._told
        self._told = Reported()
        yield Reported(
            input=max(0, total.input - told.input),
            cached=max(0, total.cached - told.cached),
            cache_write=max(0, total.cache_write - told.cache_write),
            output=max(0, total.output - told.output),
            cost_usd=total.cost_usd,
        )


def _system(event: dict[str, Any]) -> Iterator[Activity]:
    kind = text_at(event, "subtype")
    if kind == "init" and (session := text_at(event, "session_id")):
        yield SessionNamed(id=session)
    elif kind == "api_retry":
        why = f"{text_at(event, 'error')} {count_at(event, 'error_status') or ''}"
        seconds = count_at(event, "retry_delay_ms") / 1000
        yield Trouble(text=one_line(f"The model did not answer, asking again in {seconds:.0f} s: {why}"))


def _part(part: dict[str, Any]) -> Iterator[Activity]:
    """What one part of the model's message does: words, or a tool."""
    if text := text_at(part, "text"):
        yield Said(text=text)
    elif text_at(part, "type") == "tool_use":
        name, used_on = text_at(part, "name"), part.get("input")
        path = text_at(used_on, "file_path") or text_at(used_on, "notebook_path")
        yield Edited(path=path) if name in WRITERS and path else ToolUsed(name=name, detail=detail_of(used_on))


def _words(part: dict[str, Any]) -> str:
    """What a tool answered: a text, or a list of them."""
    return text_at(part, "content") or " ".join(text_at(each, "text") for each in islice(items_at(part, "content"), 10))


def _total(event: dict[str, Any]) -> Reported:
    """All tokens of all models since the last result: `total_cost_usd` counts the earlier runs of a session too."""
    models = at(event, "model_usage_since_last_result")
    total = Reported()
    for usage in islice(models.values(), MOST_MODELS) if isinstance(models, dict) else ():
        report = Reported(
            input=count_at(usage, "inputTokens"),
            cached=count_at(usage, "cacheReadInputTokens"),
            cache_write=count_at(usage, "cacheCreationInputTokens"),
            output=count_at(usage, "outputTokens"),
            cost_usd=dollars_at(usage, "costUSD"),
        )
        total = _added(total, report)
    return total


def _added(one: Reported, other: Reported) -> Reported:
    costs = [cost for cost in (one.cost_usd, other.cost_usd) if cost is not None]
    return Reported(
        input=one.input + other.input,
        cached=one.cached + other.cached,
        cache_write=one.cache_write + other.cache_write,
        output=one.output + other.output,
        cost_usd=sum(costs) if costs else None,
    )
