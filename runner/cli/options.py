"""The options that several commands share, each with its one help text."""

# No `from __future__ import annotations` here: Typer reads these at run time.

from pathlib import Path
from typing import Annotated, Optional

import typer

Repo = Annotated[str, typer.Argument(metavar="REPO", help="A path to a git repository, or a URL.", show_default=False)]
Words = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Argument(
        metavar="-- CMD ARGS... | PROMPT", help="The command after --, or a prompt for --agent.", show_default=False
    ),
]
PolicyOption = Annotated[
    str | None, typer.Option("--policy", "-p", help="A preset's name or a policy file. [default: offline]")
]
AgentOption = Annotated[str | None, typer.Option("--agent", "-a", help="Who works: command, demo. [default: command]")]
PromptFile = Annotated[Optional[Path], typer.Option("--prompt-file", help="Read the prompt from a file.")]  # noqa: UP045
NameOption = Annotated[str, typer.Option("--name", help="A name of your own for the run.")]
BaseOption = Annotated[str, typer.Option("--base", help="Begin at this revision. [default: HEAD]")]
DirtyOption = Annotated[bool, typer.Option("--dirty", help="Carry uncommitted changes along as a first commit.")]
EnvOption = Annotated[
    list[str] | None, typer.Option("--env", "-e", metavar="K=V", help="Set a variable inside; may be repeated.")
]
ImageOption = Annotated[str, typer.Option("--image", help="Another image than the shipped one.")]
ExpectOption = Annotated[bool, typer.Option("--expect-changes", help="Exit with 3 when the agent left nothing.")]
ObserveOption = Annotated[
    bool, typer.Option("--observe", help="Open the network, and tell what the policy would have denied.")
]
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
