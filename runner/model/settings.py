"""What the host's user settled: flags over `PADDOCK_*` over the user's config file over these defaults."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from runner.model.agent_settings import AgentSettings
from runner.model.base import Record
from runner.model.notify_settings import NotifySettings
from runner.model.wording import quoted


class SecretSource(Record):
    """Where one secret's value is: in a variable, in a file of the user's alone, or in what a command prints."""

    env: str = ""
    file: Path | None = None
    command: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum((bool(self.env), self.file is not None, bool(self.command))) != 1:
            raise ValueError("names one of env, file and command")
        return self


class Settings(Record):
    """Every setting; each can be written in the config file, or in the environment as `PADDOCK_<NAME>`."""

    state_dir: Path = Field(description="Where runs, the ledger, clones and caches are kept.")
    engine: str = Field(
        default="unix:///var/run/docker.sock",
        description="Address of the Docker engine on this machine: `unix://` and its socket.",
    )
    policy: str = Field(default="offline", description="Policy of a run that names none: a preset or a file.")
    agent: str = Field(default="command", description="Agent of a run that names none.")
    secrets: dict[str, SecretSource] = Field(
        default={},
        description="Where the values of secrets are that policies inject, by name: `{ env = ... }`, `{ file = ... }` "
        "or `{ command = [...] }`. A name that is not here is a variable of the environment.",
    )
    extra_ca: Path | None = Field(
        default=None,
        description="A PEM file of authorities that the gateway trusts beside the system's, when it injects.",
    )
    agents: dict[str, AgentSettings] = Field(
        default={},
        description="What is settled for single agents, in tables `[agents.NAME]`: model, API and key of those that "
        "Paddock knows, and agents of your own.",
    )
    signing_key: Path | None = Field(
        default=None,
        description="An SSH private key without a passphrase, with which every run's record is signed.",
    )
    path_map: dict[str, str] = Field(
        default={},
        description="Where folders are on the engine's machine that Paddock, in a container, sees elsewhere, as in "
        '`{ "/workspace" = "/srv/ci/workspace" }`; the state directory has to lie in one of them, or be at the same '
        "place in both.",
    )
    notify: NotifySettings | None = Field(
        default=None,
        description="Who is told when a batch is over, or a task of it fails: `on`, `desktop`, `command`, "
        "`[notify.webhook]`. See [batches](batch.md#notifications).",
    )
    image: str = Field(default="", description="Image of a run that names none; empty means the shipped base image.")

    @model_validator(mode="after")
    def _absolute(self) -> Self:
        for path in (*self.path_map, *self.path_map.values()):
            if not _clean(path):
                raise ValueError(f"path_map: {quoted(path)} is not an absolute path without `..` and double slashes")
        return self


def _clean(path: str) -> bool:
    return path.startswith("/") and posixpath.normpath(path) == path and not path.startswith("//")


def engine_fault(address: str) -> str:
    """Why the engine at `address` cannot carry runs out, in one sentence; empty if it can."""
    if address.startswith("unix:///"):
        return ""
    return (
        f"The engine's address {quoted(address)} is not a socket of this machine, like unix:///var/run/docker.sock: "
        "what is mounted into a sandbox are paths of this machine."
    )
