"""A prompt with a place for the user's own words, and what is wanted of whoever gets it. Text only."""

from __future__ import annotations

import re
import tomllib
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from runner.errors import UsageError
from runner.escape import escape_text
from runner.model.base import Record

FENCE = "+++"
NAME = re.compile(r"[a-z][a-z0-9-]{0,40}", re.ASCII)
_PLACE = re.compile(r"\{(prompt|check)\}")

ResultKind = Literal["branch", "answer", "touched"]


class Head(Record):
    """What stands between the two `+++` at the top of a template, in TOML."""

    description: str = Field(min_length=1, max_length=200)
    result: ResultKind = "branch"
    usual: str = ""
    """Stands in for the user's words when there are none; without it, words are needed."""


class Template(Head):
    """A whole template."""

    name: str
    text: str
    """With `{prompt}` where the user's words go, and `{check}` in lines that are left out without a check."""

    @model_validator(mode="after")
    def _has_a_place(self) -> Template:
        if "{prompt}" not in self.text:
            raise ValueError("there is no {prompt} in it, so the user's words would be lost")
        return self


def parse_template(name: str, content: str, *, place: str) -> Template:
    """Reads the head and the text of one file. Raises `UsageError` that names the file and what is wrong with it."""
    opening, _, rest = content.replace("\r\n", "\n").partition("\n")
    head, closing, text = rest.partition(f"\n{FENCE}\n")
    if opening.strip() != FENCE or not closing:
        raise _wrong(place, f"it begins with a head in TOML between two lines {FENCE}, like the shipped ones")
    try:
        known = Head.model_validate(tomllib.loads(head))
        return Template(**known.model_dump(), name=name, text=text.strip() + "\n")
    except tomllib.TOMLDecodeError as error:
        raise _wrong(place, str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise _wrong(place, f"{key}: {first['msg']}" if key else first["msg"].removeprefix("Value error, ")) from error


def render(template: Template, prompt: str, *, check: str = "") -> tuple[str, ResultKind]:
    """The prompt for the agent, and what kind of result is wanted. Raises `UsageError` where words are missing.

    What is put in is not looked at again: braces in the user's words stay as they are.
    """
    words = prompt.strip() or template.usual
    if not words:
        raise UsageError(
            f"The template `{template.name}` needs words of yours beside it.",
            hint=f'As in: paddock run REPO --template {template.name} "what you want"',
        )
    lines = [line for line in template.text.split("\n") if check or "{check}" not in line]
    values = {"prompt": words, "check": check}
    return _PLACE.sub(lambda found: values[found[1]], "\n".join(lines)), template.result


def _wrong(place: str, why: str) -> UsageError:
    return UsageError(
        f"Template {escape_text(place)}: {escape_text(why)}.", hint="See one: `paddock template show implement`."
    )
