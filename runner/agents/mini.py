"""The agent `mini`: mini-swe-agent, https://mini-swe-agent.com/latest/usage/mini/, written for 2.4."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from runner.agents.any_provider import api_of, model_of
from runner.agents.base import Assignment, ModelAgent, Reader, git_identity, kept
from runner.agents.json_lines import MOST_TEXT, one_line
from runner.agents.litellm_names import litellm_environment, litellm_model
from runner.agents.providers import Provider, providers_for
from runner.model.activity import Activity, Answered, Reported, Said, ToolUsed, Trouble
from runner.model.request import Command
from runner.plan import TASK

BASE_CONFIG = "../config/mini.yaml"
"""Its own. It looks for `mini.yaml` in the repository first, for this name in no place that a repository has."""
CONFIG = "paddock.yaml"
COMMAND_SECONDS = 600
"""Its own 30 seconds kill most test suites."""
TRIES = 5
"""It waits 4 to 60 seconds in between; its own 10 keep a run without a model waiting for six minutes."""
WIDTH = 200
"""Columns: what does not fit is broken into lines."""

HEADER = re.compile(r"mini-swe-agent \(step \d{1,9}, \$(?P<cost>\d{1,9}\.\d\d)\):|(?P<role>System|User|Tool|Exit):")
RULE = re.compile("─+")
SAVED = re.compile("Saved trajectory to ")
FAILED = re.compile(r"[A-Za-z_.]{1,80}(?:Error|Exception): ")
"""How it ends when it can't ask the model; it exits with 1 then."""
FENCE = "```"
FINE = frozenset({"0", "-1"})
"""-1 is also how a command that ends the work is told."""
GAVE_UP = frozenset({"LimitsExceeded", "TimeExceeded", "RepeatedFormatError"})
MOST_LINES = 500


class MiniAgent(ModelAgent):
    """mini-swe-agent, without questions and limits of its own."""

    name = "mini"
    description = "mini-swe-agent, with the model of any provider"
    image = "mini"

    def providers(self, model: str) -> tuple[Provider, ...]:
        """Any."""
        return providers_for(model)

    def command(self, assignment: Assignment) -> Command:
        """`mini`, the task in a second configuration file; it cannot go on with an earlier conversation."""
        api = api_of(assignment, self.name)
        model = litellm_model(api, model_of(assignment, api))
        options = ["--yolo", "--exit-immediately", "--output", kept("trajectory.json"), "--model", model]
        environment = {
            "MSWEA_CONFIGURED": "true",
            "MSWEA_SILENT_STARTUP": "1",
            "MSWEA_COST_TRACKING": "ignore_errors",
            "MSWEA_GLOBAL_CONFIG_DIR": kept("config"),
            "MSWEA_MODEL_RETRY_STOP_AFTER_ATTEMPT": str(TRIES),
            "COLUMNS": str(WIDTH),
            "NO_COLOR": "1",
        }
        return Command(
            argv=("mini", "--config", BASE_CONFIG, "--config", f"{TASK}/{CONFIG}", *options),
            environment=git_identity("mini-swe-agent") | environment | litellm_environment(api),
            files={CONFIG: json.dumps(_config(assignment))},  # JSON is YAML
            keeps=True,
        )

    def reader(self) -> Reader:
        """Of what it shows to people: it has no other stream."""
        return MiniReader()


def _config(assignment: Assignment) -> dict[str, Any]:
    """Over its own `mini.yaml`."""
    asked = assignment.task.prompt
    return {
        "run": {"task": f"{assignment.instruction}\n\n{asked}" if assignment.instruction else asked},
        "agent": {"cost_limit": 0, "step_limit": 0},
        "environment": {"timeout": COMMAND_SECONDS},
        # With any tool litellm 1.106 looks for MCP servers, and for that imports a package that it does not require.
        "model": {"model_kwargs": {"drop_params": True, "num_retries": 0, "_skip_mcp_handler": True}},
    }


class MiniReader:
    """Messages under a line that says whose they are; a command is what stands between fences."""

    def __init__(self) -> None:
        self._role = ""
        self._words: list[str] = []
        self._command: list[str] | None = None
        self._last_words = ""
        self._cost = 0.0

    def read(self, line: bytes) -> Iterable[Activity]:
        """See `Reader.read`."""
        text = line[:MOST_TEXT].decode(errors="replace").rstrip()
        if header := HEADER.fullmatch(text):
            yield from self._spoken()
            yield from self._begin(header)
        elif self._role == "agent":
            yield from self._of_agent(text)
        elif self._role == "Exit":
            yield from self._of_exit(text)
        elif self._role == "Tool":
            if self._words[-1:] == ["<returncode>"] and text not in FINE:
                yield Trouble(text=one_line(f"the command ended with {text}"))
            self._words = [text]
        elif self._role == "Complaint" and text:
            self._role = ""
            yield Trouble(text=one_line(text))

    def _begin(self, header: re.Match[str]) -> Iterator[Activity]:
        # Of the user there is the task, before the agent says a word, and later what was wrong with its answers.
        self._role = "Complaint" if header["role"] == "User" and self._role else header["role"] or "agent"
        if self._role in ("System", "User"):
            self._role = ""
        cost = float(header["cost"] or 0)
        if cost > self._cost:
            yield Reported(cost_usd=round(cost - self._cost, 2))
            self._cost = cost

    def _of_agent(self, text: str) -> Iterator[Activity]:
        if text == FENCE and self._command is not None:
            yield ToolUsed(name="bash", detail=one_line("\n".join(self._command)))
            self._command = None
        elif self._command is not None:
            self._command += [text] if len(self._command) < MOST_LINES else []
        elif text == FENCE:
            yield from self._spoken()
            self._command = []
        elif len(self._words) < MOST_LINES and not RULE.fullmatch(text):
            self._words.append(text)

    def _spoken(self) -> Iterator[Activity]:
        words, role = "\n".join(self._words).strip()[:MOST_TEXT], self._role
        self._words, self._command = [], None
        if words and role == "agent":
            self._last_words = words
            yield Said(text=words)

    def _of_exit(self, text: str) -> Iterator[Activity]:
        if SAVED.match(text):
            words = "\n".join(self._words).strip()[:MOST_TEXT]
            self._role, self._words = "", []
            if words in GAVE_UP:
                yield Trouble(text=words)
            elif words or self._last_words:
                yield Answered(text=words or self._last_words)
        elif FAILED.match(text):
            self._role = ""
            yield Trouble(text=one_line(text))
        elif len(self._words) < MOST_LINES:
            self._words.append(text)
