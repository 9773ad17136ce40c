"""What the fake model says, the same for every wire format: dialogues as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from tests.models.tools import Action, Shell, Write
from tests.models.wire import Usage

TURN = Usage(input=1200, cached=200, output=30)
"""What a turn costs when its dialogue says nothing else."""
SIDE = Usage(input=10, output=2)
"""What a title, a summary and other requests on the side cost."""


@dataclass(frozen=True)
class Turn:
    """One answer: words, an action, or both."""

    text: str = ""
    action: Action | None = None
    usage: Usage = TURN


class Trouble(StrEnum):
    """What goes wrong with a request, instead of an answer."""

    RATE_LIMITED = "rate limited"
    OVERLOADED = "overloaded"
    CUT = "cut in the middle of the stream"
    GARBAGE = "neither JSON nor events"
    SILENT = "accepted, never answered"


class Fault(NamedTuple):
    """A trouble of the agent's requests; those on the side have none, so that `times` is exact."""

    trouble: Trouble
    times: int | None = None
    """The first so many requests; None for all of them."""
    share: float = 0.5
    """How much of an answer is sent before it is cut; at least one byte."""


@dataclass(frozen=True, kw_only=True)
class Dialogue:
    """The turns of one task. The last one is repeated when the agent goes on asking."""

    turns: tuple[Turn, ...]
    fault: Fault | None = None
    endless: bool = False
    """Begin again after the last turn: the work never ends."""
    closing: str = field(default="Done.")
    """What an agent hears that has no tools and finds nothing to write in the turns."""

    def at(self, number: int) -> Turn:
        """The turn of that number, from 0."""
        return self.turns[number % len(self.turns) if self.endless else min(number, len(self.turns) - 1)]

    def files(self) -> dict[str, str]:
        """What is written in the end, for agents that edit by text and not by tools: path to text."""
        return {turn.action.path: turn.action.text for turn in self.turns if isinstance(turn.action, Write)}

    def costing(self, usage: Usage) -> Dialogue:
        """The same with another usage for each turn."""
        return replace(self, turns=tuple(replace(turn, usage=usage) for turn in self.turns))


def commit_work(path: str = "greet.sh", word: str = "Hello", message: str = "Greet politely") -> Dialogue:
    """Edit a file, run a test, fail, fix, commit, say that it is done: six turns with five calls."""
    # without $(), which Gemini CLI refuses
    test = f'sh {path} you | grep -qx "{word}, you" && echo "1 passed" || {{ echo "1 FAILED" >&2; exit 1; }}'
    final = Turn(f"Done: {path} says {word}, and its test passes.")
    return Dialogue(
        turns=(
            Turn(f"I will write {path} and try it.", Write(path, 'echo "oops, $1"\n')),
            Turn("Now the test.", Shell(test, "Run the test")),
            Turn("It failed: the word is wrong.", Write(path, f'echo "{word}, $1"\n')),
            Turn("", Shell(test, "Run the test again")),
            Turn("Passed. I commit.", Shell(f"git add {path} && git commit -q -m '{message}'", "Commit")),
            final,
        ),
        closing=final.text,
    )


def ask_denied_host(host: str = "denied.test", path: str = "page.html") -> Dialogue:
    """Ask a host that is not allowed, commit what came, say what happened."""
    ask = f"curl -sS -m 20 https://{host}/ > {path} || echo 'could not be fetched' > {path}"
    commit = f"git add {path} && git commit -q -m 'Look at {host}'"
    return Dialogue(
        turns=(
            Turn(f"I look at {host}.", Shell(ask, f"Fetch a page of {host}")),
            Turn("", Shell(commit, "Commit")),
            Turn(f"Done: I asked {host}."),
        ),
        closing=f"Done: I cannot ask {host}.",
    )


def never_ends() -> Dialogue:
    """The tool is called again and again, for ever; each time a little differently, since some agents notice a loop."""
    turns = tuple(Turn("", Shell(f"echo {number}", "Count")) for number in range(1000))
    return Dialogue(turns=turns, endless=True, closing="Still at it. ")


def burns_tokens(tokens: int = 1_000_000) -> Dialogue:
    """The same, at so many tokens a turn, one in ten of them output."""
    return never_ends().costing(Usage(input=tokens - tokens // 10, output=tokens // 10))


def prints_environment(*files: str) -> Dialogue:
    """Print all that a key could stand in: variables of every process, and files of the agent and of its task."""
    named = " ".join(files)
    places = '"$HOME" /paddock /run/secrets ${CLAUDE_CONFIG_DIR:-} ${CODEX_HOME:-} ${XDG_DATA_HOME:-}'
    look = f"find {places} {named} -type f -size -64k 2>/dev/null | head -n 200 | xargs -r -d '\\n' tail -n +1 2>&1"
    return Dialogue(
        turns=(
            Turn("", Shell("env; set", "Print the variables")),
            Turn("", Shell("cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'", "More")),
            Turn("", Shell(look, "Print the files")),
            Turn("Done: that is all there is."),
        ),
    )


def big_answer(size: int = 2_000_000) -> Dialogue:
    """One final answer of so many characters, in lines."""
    line = "All work and no play makes a model a dull model.\n"
    text = (line * (size // len(line) + 1))[:size]
    return Dialogue(turns=(Turn(text),), closing=text)


# --- with trouble on the way --------------------------------------------------------------------------------------


def troubled(trouble: Trouble, times: int | None, then: Dialogue | None = None) -> Dialogue:
    """A dialogue (`commit_work` when none is given) whose first `times` requests have a trouble."""
    return replace(then or commit_work(), fault=Fault(trouble, times))


def silent() -> Dialogue:
    """Requests are accepted and never answered."""
    return troubled(Trouble.SILENT, None)


def garbage(times: int | None = None) -> Dialogue:
    """Bytes that are neither JSON nor events, under status 200."""
    return troubled(Trouble.GARBAGE, times)


def rate_limited(times: int = 2) -> Dialogue:
    """429 with `retry-after: 1` for the first requests."""
    return troubled(Trouble.RATE_LIMITED, times)


def overloaded(times: int = 2) -> Dialogue:
    """529 (Anthropic) or 503 (the others) for the first requests."""
    return troubled(Trouble.OVERLOADED, times)


def cut_stream(times: int = 2, share: float = 0.5) -> Dialogue:
    """The connection is closed in the middle of the first answers.

    Seen: codex asks again whatever was cut; Claude Code does so before the first words (`share=0.1`), later it ends
    with an error, or works on when the tool call had come whole; Gemini CLI ends with an error.
    """
    return replace(commit_work(), fault=Fault(Trouble.CUT, times, share))


READY: dict[str, Callable[[], Dialogue]] = {
    "commit_work": commit_work,
    "ask_denied_host": ask_denied_host,
    "never_ends": never_ends,
    "burns_tokens": burns_tokens,
    "prints_environment": prints_environment,
    "big_answer": big_answer,
    "silent": silent,
    "garbage": garbage,
    "rate_limited": rate_limited,
    "overloaded": overloaded,
    "cut_stream": cut_stream,
}
"""Every dialogue by its name, for the command line and for tests of all of them."""
