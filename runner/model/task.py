"""What is to be done: a repository, where to begin, who does it, and under which policy."""

from __future__ import annotations

from typing import Literal

from runner.model.base import Record


class Task(Record):
    """One piece of work, as the user asked for it; everything is decided, nothing is looked up."""

    version: Literal[1] = 1
    repo: str
    """An absolute path, or a URL without credentials."""
    base: str = ""
    """A revision of the repository; empty means its HEAD."""
    name: str = ""
    """The user's own name for the run; empty means that one is made from the agent."""
    agent: str = "command"
    argv: tuple[str, ...] = ()
    """For the agent `command`: what to run."""
    prompt: str = ""
    """For every other agent: what is asked of it."""
    dirty: bool = False
    """Carry uncommitted, not ignored changes along as a first commit."""
    environment: dict[str, str] = {}
    policy: str = "offline"
    image: str = ""
    """An image by name; empty means the shipped base image."""
    expect_changes: bool = False
