"""Agents that the user defines in the config file: a program, and where its prompt, model and key go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from runner.agents.any_provider import model_of
from runner.agents.base import PROMPT, Assignment, ModelAgent, Reader, fed, git_identity
from runner.agents.json_lines import MOST_TEXT
from runner.agents.providers import PROVIDERS, Key, Provider
from runner.errors import UsageError
from runner.model.activity import Activity, Said
from runner.model.agent_settings import AgentSettings
from runner.model.request import Command
from runner.model.task import LONGEST_ARGUMENT
from runner.plan import TASK

INSTRUCTION = "instruction.md"
_WORD = re.compile(r"\{(model|url|prompt|prompt_file|instruction_file)\}")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}", re.ASCII)


class OwnAgent(ModelAgent):
    """An agent of the user's own."""

    def __init__(self, name: str, settings: AgentSettings) -> None:
        """Raises `UsageError` for what only a look at all agents and providers can tell."""
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"Setting agents.{name}: not a name for an agent.",
                hint="Small letters, digits and hyphens, a letter first, at most 40.",
            )
        if settings.provider and settings.provider not in PROVIDERS:
            raise UsageError(
                f"Setting agents.{name}.provider: there is no provider {settings.provider!r}.",
                hint=f"Known ones: {', '.join(PROVIDERS)}. For another API say url, secret and header instead.",
            )
        self.name = name
        self.description = settings.description or f"your own: {settings.argv[0]}"
        self.image = settings.image
        self._settings = settings

    def providers(self, model: str) -> tuple[Provider, ...]:  # noqa: ARG002 - the user said whose
        """The one of the settings, if there is one."""
        mine = self._settings
        if mine.provider:
            provider = PROVIDERS[mine.provider]
            return (replace(provider, keys=tuple(_key(each, mine) for each in provider.keys)),)
        if not mine.url:
            return ()
        return (Provider(name=self.name, url=mine.url, keys=(_key(Key(variable=mine.secret, header=""), mine),)),)

    def command(self, assignment: Assignment) -> Command:
        """The user's argv, with what was asked for in the place of the words in braces."""
        mine, api = self._settings, assignment.api
        used = set(_WORD.findall("\n".join((*mine.argv, *mine.environment.values()))))
        prompt = assignment.task.prompt
        files = {PROMPT: prompt}
        if "instruction_file" in used:
            files[INSTRUCTION] = assignment.instruction
        elif assignment.instruction:
            files[PROMPT] = prompt = f"{assignment.instruction}\n\n{prompt}"
        if "prompt" in used and len(prompt.encode()) > LONGEST_ARGUMENT:
            raise UsageError(
                f"The prompt is too long for an argument of `{self.name}`.",
                hint=f"Write {{prompt_file}} instead of {{prompt}} in agents.{self.name}.argv, or neither.",
            )
        words = {
            "model": model_of(assignment, api) if api and "model" in used else assignment.model,
            "url": api.url if api else "",
            "prompt": prompt,
            "prompt_file": f"{TASK}/{PROMPT}",
            "instruction_file": f"{TASK}/{INSTRUCTION}",
        }
        argv = tuple(_filled(word, words) for word in mine.argv)
        environment = {name: _filled(value, words) for name, value in mine.environment.items()}
        return Command(
            argv=argv if used & {"prompt", "prompt_file"} else fed(argv),
            environment=git_identity(self.name) | (api.key if api else {}) | environment,
            files=files,
            keeps=mine.keeps,
        )

    def reader(self) -> Reader:
        """Of the agent that it prints like."""
        match self._settings.reader:  # each brings its module along
            case "claude":
                from runner.agents.claude import ClaudeReader

                return ClaudeReader()
            case "codex":
                from runner.agents.codex import CodexReader

                return CodexReader()
            case "gemini":
                from runner.agents.gemini import GeminiReader

                return GeminiReader()
            case "opencode":
                from runner.agents.opencode import OpencodeReader

                return OpencodeReader()
            case "text":
                return TextReader()


class TextReader:
    """Every line is words."""

    def read(self, line: bytes) -> Iterable[Activity]:
        """See `Reader.read`."""
        text = line[:MOST_TEXT].decode(errors="replace").rstrip()
        return (Said(text=text),) if text else ()


def _key(key: Key, mine: AgentSettings) -> Key:
    return Key(variable=mine.variable or key.variable, header=mine.header or key.header)


def _filled(text: str, words: Mapping[str, str]) -> str:
    """Once from left to right: what a prompt has in braces stays."""
    return _WORD.sub(lambda found: words[found[1]], text)
