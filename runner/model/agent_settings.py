"""What a user settles for one agent, in the table `[agents.NAME]` of the config file."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from runner.model.base import Record
from runner.model.environment import environment_fault
from runner.model.names import check_header, check_secret_name
from runner.model.wording import quoted

OwnReader = Literal["text", "claude", "codex", "gemini", "opencode"]

MODEL_KEYS = frozenset({"model", "url", "secret", "header"})
"""What can be settled for an agent that Paddock knows, too."""
_URL = re.compile(r"https://[^\s/?#@]+(/[^\s?#]*)?", re.ASCII)


class AgentSettings(Record):
    """One agent's settings; all are optional. One with `argv` is an agent of the user's own."""

    model: str = Field(default="", description="The model of a run that names none.")
    url: str = Field(default="", description="The model's API, where it is not its maker's own: `https://...`.")
    secret: str = Field(default="", description="The name of the secret that is its key.")
    header: str = Field(default="", description="The header that carries the key.")
    argv: tuple[str, ...] = Field(
        default=(),
        description="An agent of your own: its program and arguments. `{model}`, `{url}`, `{prompt}`, `{prompt_file}` "
        "and `{instruction_file}` are replaced; without one of the prompt's, the prompt is its standard input.",
    )
    description: str = Field(default="", description="Your own agent in a few words, for lists.")
    image: str = Field(default="", description="The image that has your own agent; empty: the base image.")
    provider: str = Field(
        default="",
        description="Whose API your own agent uses, such as `openai`; empty: `url`, `secret` and `header` say it.",
    )
    variable: str = Field(default="", description="The variable in which your own agent looks for its key.")
    environment: dict[str, str] = Field(
        default={}, description="Variables of your own agent; the same words are replaced as in `argv`."
    )
    reader: OwnReader = Field(default="text", description="What your own agent prints: words, or a known agent's JSON.")
    keeps: bool = Field(
        default=False, description="Whether your own agent keeps something in `/paddock/agent` for `paddock continue`."
    )

    @field_validator("url")
    @classmethod
    def _an_address(cls, text: str) -> str:
        if text and not _URL.fullmatch(text):
            raise ValueError(f'{quoted(text)} is not the address of an API, like "https://models.example.com/v1"')
        return text.rstrip("/")

    @field_validator("secret")
    @classmethod
    def _a_secret(cls, text: str) -> str:
        return check_secret_name(text) if text else text

    @field_validator("header")
    @classmethod
    def _a_header(cls, text: str) -> str:
        return check_header(text) if text else text

    @field_validator("argv")
    @classmethod
    def _a_program(cls, argv: tuple[str, ...]) -> tuple[str, ...]:
        if argv and not argv[0]:
            raise ValueError("the first word is the program, and it is empty")
        if any("\0" in word for word in argv):
            raise ValueError("a word contains NUL")
        return argv

    @field_validator("environment")
    @classmethod
    def _variables(cls, environment: dict[str, str]) -> dict[str, str]:
        for name, value in environment.items():
            if fault := environment_fault(name, value):
                raise ValueError(fault)
        return environment

    @model_validator(mode="after")
    def _whole(self) -> Self:
        given = {name for name in self.model_fields_set if getattr(self, name) != type(self).model_fields[name].default}
        if not self.argv and (only_own := sorted(given - MODEL_KEYS)):
            raise ValueError(f"{only_own[0]} is for an agent of your own, which says its program in argv")
        if self.argv and self.url and not self.provider and not (self.secret and self.header):
            raise ValueError("with url and no provider, secret and header say how the API knows you")
        if self.argv and not self.url and not self.provider:
            if needless := sorted(given & (MODEL_KEYS | {"variable"})):
                raise ValueError(f"{needless[0]} says nothing without a provider or a url")
            if "{url}" in " ".join((*self.argv, *self.environment.values())):
                raise ValueError("{url} is the address of an API: name its provider, or its url")
        return self
