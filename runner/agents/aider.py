"""The agent `aider`, https://aider.chat/docs/config/options.html: written for 0.86."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from runner.agents.any_provider import api_of, model_of
from runner.agents.base import PROMPT, Assignment, ModelAgent, Reader, git_identity, kept
from runner.agents.json_lines import MOST_TEXT, one_line
from runner.agents.litellm_names import litellm_environment, litellm_model
from runner.agents.providers import Provider, providers_for
from runner.model.activity import Activity, Answered, Edited, Reported, Said, SessionNamed, Trouble
from runner.model.request import Command
from runner.plan import TASK

INSTRUCTION = "instruction.md"
METADATA = "models.json"
SESSION = "chat"
"""It keeps one conversation, in a file, and has no name for it."""
HISTORY = "chat.md"
WINDOW = 200_000
"""Tokens that a model takes which aider does not know: it would fetch a list to find that out."""

QUIET = (
    "--yes-always",
    "--no-check-update",
    "--no-show-release-notes",
    "--analytics-disable",
    "--no-show-model-warnings",
    "--no-gitignore",
    "--no-pretty",
    "--no-fancy-input",
    "--no-suggest-shell-commands",
    "--no-detect-urls",
    "--disable-playwright",
    "--no-attribute-author",
    "--no-attribute-committer",
    "--no-attribute-co-authored-by",
)
ENDED_BADLY = "^> (litellm\\.|The API provider|Empty response received)"
AROUND = f"""\
"$@"
code=$?
rm -rf .aider.tags.cache.v*
tail -n 3 {kept(HISTORY)} | grep -qE '{ENDED_BADLY}' && exit 1
exit $code
"""
"""What aider has no options for: its map of the repository stays in the work tree, and no answer is no error to it."""


class AiderAgent(ModelAgent):
    """aider, without questions, analytics, updates and files of its own in the repository."""

    name = "aider"
    description = "aider, with the model of any provider"
    image = "aider"

    def providers(self, model: str) -> tuple[Provider, ...]:
        """Any."""
        return providers_for(model)

    def command(self, assignment: Assignment) -> Command:
        """`aider --message-file`; it edits and commits by itself, and runs no commands."""
        api = api_of(assignment, self.name)
        model = litellm_model(api, model_of(assignment, api))
        prompt = assignment.task.prompt
        files = {
            # A slash or an exclamation mark in the first place would make it a command of aider's.
            PROMPT: f"\n{prompt}" if prompt[:1] in ("/", "!") else prompt,
            METADATA: json.dumps({model: {"max_input_tokens": WINDOW, "mode": "chat"}}),
        }
        # The weak model writes commit messages: those in aider's own table are older than the APIs.
        options = ["--model", model, "--weak-model", model, "--model-metadata-file", f"{TASK}/{METADATA}"]
        # Of models that it does not know it would have whole files written anew.
        options += ["--edit-format", "diff"]
        options += ["--chat-history-file", kept(HISTORY), "--input-history-file", kept("input")]
        if assignment.instruction:
            files[INSTRUCTION] = assignment.instruction
            options += ["--read", f"{TASK}/{INSTRUCTION}"]
        if assignment.session:
            options.append("--restore-chat-history")
        argv = ("aider", *QUIET, *options, "--message-file", f"{TASK}/{PROMPT}")
        return Command(
            argv=("sh", "-c", AROUND, "sh", *argv),
            environment=git_identity("aider") | litellm_environment(api),
            files=files,
            keeps=True,
        )

    def reader(self) -> Reader:
        """Of what it shows to people: it has no other stream."""
        return AiderReader()


_NUMBER = r"(\d{1,12}(?:\.\d{1,6})?)(k|M)?"
TOKENS = re.compile(
    rf"Tokens: {_NUMBER} sent(?:, {_NUMBER} cache write)?(?:, {_NUMBER} cache hit)?, {_NUMBER} received\."
    r"(?: Cost: \$(\d{1,9}(?:\.\d{1,12})?) message,.*)?"
)
UNITS = {None: 1, "k": 1_000, "M": 1_000_000}
APPLIED = re.compile(r"Applied edit to (.{1,4096})")
COMMITTED = re.compile(r"Commit [0-9a-f]{7,40} ")
FAILED = re.compile(
    r"(?:litellm\.\w{1,80}(?:Error|Exception)\b|Retrying in |The API provider|Empty response received).*"
)
PREAMBLE = re.compile(
    r"(?:Analytics have|Update git |Aider v\d|(?:Main |Weak |Editor )?[Mm]odel: |Git repo: |Repo-map: "
    r"|Added |Restored ).*"
)
"""What it says of itself when it starts."""
MOST_LINES = 500


class AiderReader:
    """Words, in paragraphs; then what they cost; then what became of them."""

    def __init__(self) -> None:
        self._begun = False
        self._words: list[str] = []

    def read(self, line: bytes) -> Iterable[Activity]:
        """See `Reader.read`."""
        text = line[:MOST_TEXT].decode(errors="replace").rstrip()
        if not self._begun:
            self._begun = True
            yield SessionNamed(id=SESSION)
        if found := TOKENS.fullmatch(text):
            yield from self._answered()
            yield _reported(found)
        elif found := APPLIED.fullmatch(text):
            yield Edited(path=found[1])
        elif COMMITTED.match(text):
            yield Said(text=text)
        elif FAILED.fullmatch(text):
            yield Trouble(text=one_line(text))
        elif len(self._words) < MOST_LINES and not PREAMBLE.fullmatch(text):
            self._words.append(text)

    def _answered(self) -> Iterator[Activity]:
        words, self._words = "\n".join(self._words).strip()[:MOST_TEXT], []
        if words:
            yield Said(text=words)
            yield Answered(text=words)


def _reported(found: re.Match[str]) -> Reported:
    sent, written, hit, received = (int(float(found[place] or 0) * UNITS[found[place + 1]]) for place in (1, 3, 5, 7))
    return Reported(
        input=sent,
        cache_write=written,
        cached=hit,
        output=received,
        cost_usd=float(found[9]) if found[9] else None,
    )
