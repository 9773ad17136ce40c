"""What the host's user settled: flags over `PADDOCK_*` over the user's config file over these defaults."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting; each can be written in the config file, or in the environment as `PADDOCK_<NAME>`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="PADDOCK_")

    state_dir: Path = Field(description="Where runs, the ledger, clones and caches are kept.")
    engine: str = Field(default="unix:///var/run/docker.sock", description="Address of the Docker engine.")
    policy: str = Field(default="offline", description="Policy of a run that names none: a preset or a file.")
    agent: str = Field(default="command", description="Agent of a run that names none.")
    image: str = Field(default="", description="Image of a run that names none; empty means the shipped base image.")
