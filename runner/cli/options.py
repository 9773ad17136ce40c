"""The options that several commands share, each with its one help text, and which of them a task's commands take."""

# No `from __future__ import annotations` here: Typer reads these at run time.

from collections.abc import Callable, Collection
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, Optional, TypeVar

import typer

Command = TypeVar("Command", bound=Callable[..., None])

Repo = Annotated[str, typer.Argument(metavar="REPO", help="A path to a git repository, or a URL.", show_default=False)]
Words = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Argument(
        metavar="-- CMD ARGS... | PROMPT", help="The command after --, or a prompt for --agent.", show_default=False
    ),
]
BatchId = Annotated[str, typer.Argument(metavar="ID", help="A batch: its id, a unique beginning of it, or `last`.")]
PolicyOption = Annotated[
    str | None,
    typer.Option(
        "--policy",
        "-p",
        help="A preset's name, a policy file, or `repo`: the repository's, once trusted. [default: offline]",
    ),
]
NoRepoPolicy = Annotated[
    bool, typer.Option("--no-repo-policy", help="Leave out the policy with which the repository tightens yours.")
]
AgentOption = Annotated[
    str | None,
    typer.Option(
        "--agent",
        "-a",
        help="Who works: command, demo, claude, codex, gemini, opencode, aider, mini, or one of your own. "
        "[default: command]",
    ),
]
ModelOption = Annotated[str, typer.Option("--model", "-m", help="The model, as the agent names it.")]
PassSecretOption = Annotated[
    list[str] | None,
    typer.Option("--pass-secret", metavar="NAME", help="Hand a secret to the sandbox itself; may be repeated."),
]
PromptFile = Annotated[Optional[Path], typer.Option("--prompt-file", help="Read the prompt from a file.")]  # noqa: UP045
TemplateOption = Annotated[
    str, typer.Option("--template", help="Put the prompt into a text: research, explain, scout, review, ...")
]
ContextOption = Annotated[
    list[Path] | None,
    typer.Option("--context", metavar="PATH", help="Give a copy of a file or folder, at /context; may be repeated."),
]
WithOption = Annotated[
    list[str] | None,
    typer.Option("--with", metavar="REPO", help="Another repository to read, at /beside; may be repeated."),
]
ArtifactOption = Annotated[
    list[str] | None,
    typer.Option("--artifact", metavar="GLOB", help="Hand these files over beside the commits; may be repeated."),
]
NotesOption = Annotated[bool, typer.Option("--notes", help="Ask the agent to keep plan.md and notes.md.")]
CheckOption = Annotated[
    str, typer.Option("--check", metavar="CMD", help="A shell command that has to succeed on what was committed.")
]
UntilOption = Annotated[
    str, typer.Option("--until", metavar="CMD", help="The same, and while it fails the agent is told and goes on.")
]
RoundsOption = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--max-rounds", min=1, max=100, help="How often the agent may work. [default: 5 with --until]"),
]
ReviewOption = Annotated[
    str, typer.Option("--review", metavar="AGENT", help="Let another agent review the branch, and the first one mend.")
]
NameOption = Annotated[str, typer.Option("--name", help="A name of your own for the run.")]
BaseOption = Annotated[str, typer.Option("--base", help="Begin at this revision. [default: HEAD]")]
DirtyOption = Annotated[bool, typer.Option("--dirty", help="Carry uncommitted changes along as a first commit.")]
EnvOption = Annotated[
    list[str] | None, typer.Option("--env", "-e", metavar="K=V", help="Set a variable inside; may be repeated.")
]
ImageOption = Annotated[
    str,
    typer.Option(
        "--image",
        help="Shipped parts, as in claude+python; an image of your own; or `repo`, the repository's, once trusted.",
    ),
]
ExpectOption = Annotated[bool, typer.Option("--expect-changes", help="Exit with 3 when the agent left nothing.")]
ObserveOption = Annotated[
    bool, typer.Option("--observe", help="Open the network, and tell what the policy would have denied.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Show nothing until the end.")]
RawOption = Annotated[bool, typer.Option("--raw", help="Show the agent's output as it comes.")]
DetachOption = Annotated[
    bool, typer.Option("--detach", help="Print the run's id as soon as there is one, and go on in the background.")
]
TranscriptOption = Annotated[
    bool, typer.Option("--transcript", help="Print the transcript instead: what the agent said and did, as Markdown.")
]
LiveOption = Annotated[bool, typer.Option("--live", help="Print it as it was shown while the agent worked.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result document on stdout, and nothing else.")]
NetworkCheck = Annotated[bool, typer.Option("--network", help="Also let a throw-away sandbox try the network.")]
DoctorJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
RunId = Annotated[
    str, typer.Argument(metavar="ID", help="A run: its id, a unique beginning of it, its name, or `last`.")
]
StateDirOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--state-dir", metavar="DIR", help="Where runs are kept. Beats PADDOCK_STATE_DIR."),
]
EngineOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--engine", metavar="ADDRESS", help="The Docker engine's socket. Beats PADDOCK_ENGINE."),
]

TASK_OPTIONS: dict[str, tuple[Any, object]] = {
    "policy": (PolicyOption, None),
    "no_repo_policy": (NoRepoPolicy, False),
    "agent": (AgentOption, None),
    "model": (ModelOption, ""),
    "prompt_file": (PromptFile, None),
    "template": (TemplateOption, ""),
    "context": (ContextOption, None),
    "beside": (WithOption, None),
    "artifact": (ArtifactOption, None),
    "notes": (NotesOption, False),
    "name": (NameOption, ""),
    "base": (BaseOption, ""),
    "dirty": (DirtyOption, False),
    "env": (EnvOption, None),
    "pass_secret": (PassSecretOption, None),
    "image": (ImageOption, ""),
    "expect_changes": (ExpectOption, False),
    "check": (CheckOption, ""),
    "until": (UntilOption, ""),
    "max_rounds": (RoundsOption, None),
    "review": (ReviewOption, ""),
    "observe": (ObserveOption, False),
    "quiet": (QuietOption, False),
    "raw": (RawOption, False),
    "detach": (DetachOption, False),
    "json": (JsonOption, False),
}
"""What `paddock run` takes: words of `TaskOptions`, each with its option and its default, in the order of the help."""


def takes(names: Collection[str]) -> Callable[[Command], Command]:
    """Give a command those of `TASK_OPTIONS`; they reach it in its `**given`.

    In its help they stand after its own positional parameters and before its keyword-only ones.
    """
    shared = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=option)
        for name, (option, default) in TASK_OPTIONS.items()
        if name in names
    ]

    def with_options(command: Command) -> Command:
        written = signature(command)
        own = [each for each in written.parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
        first = [each for each in own if each.kind is not Parameter.KEYWORD_ONLY]
        command.__signature__ = written.replace(parameters=[*first, *shared, *own[len(first) :]])  # type: ignore[attr-defined]
        return command

    return with_options
