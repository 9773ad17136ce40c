"""Rules for the paths and globs that a policy may write; text only, the disk is looked at elsewhere."""

from __future__ import annotations

import posixpath

from runner.model.wording import quoted

WORKSPACE = "/workspace"
AGENT_HOME = "/home/agent"
CONTEXT = "/context"
"""Copies of what `--context` names, where it names anything."""
BESIDE = "/beside"
"""Clones of what `--with` names, where it names anything."""

# Nothing may be put at these or below them. What they hold decides what the sandbox is.
_RESERVED = {
    "/proc": "the kernel's own view",
    "/sys": "the kernel's own view",
    "/dev": "the devices",
    "/etc": "the system's configuration",
    "/run": "run-time state",
    "/var/run": "run-time state",
    "/var/lock": "run-time state",
    WORKSPACE: "the repository that the agent works in",
    "/paddock": "Paddock's own files",
    "/out": "what is collected",
    "/bin": "the system's programs",
    "/sbin": "the system's programs",
    "/lib": "the system's programs",
    "/lib32": "the system's programs",
    "/lib64": "the system's programs",
    "/libx32": "the system's programs",
    "/usr/bin": "the system's programs",
    "/usr/sbin": "the system's programs",
    "/usr/lib": "the system's programs",
}
# These themselves are taken, parents of reserved places among them, but other directories below them are free.
_TAKEN = frozenset({"/", "/usr", "/var", "/tmp", "/home", AGENT_HOME})  # noqa: S108 - inside the container

_STEERING = {":": "a colon", ",": "a comma", '"': "a quote", "'": "a quote", "`": "a quote", "\\": "a backslash"}


def check_characters(text: str) -> None:
    """Raises ValueError for what a mount's text form would take for a separator, and for control characters."""
    if not text:
        raise ValueError("the path is empty")
    if any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in text):
        raise ValueError(f"{quoted(text)} contains a control character")
    for character, word in _STEERING.items():
        if character in text:
            raise ValueError(f"{quoted(text)} contains {word}, which mounts cannot carry safely")
    if len(text) > 4095:
        raise ValueError(f"{quoted(text)} is longer than 4095 characters")


def _normal(text: str) -> str:
    if ".." in text.split("/"):
        raise ValueError(f'{quoted(text)} contains ".."; write where it really leads')
    return posixpath.normpath("/" + text.lstrip("/"))


def check_source(text: str) -> str:
    """The normal form of an absolute path of the host; raises ValueError."""
    check_characters(text)
    if text.startswith("~"):
        raise ValueError(f'{quoted(text)}: only "~/" is understood, the home directory of whoever runs Paddock')
    if not text.startswith("/"):
        raise ValueError(f"{quoted(text)} is not an absolute path")
    return _normal(text)


def check_target(text: str) -> str:
    """The normal form of a path inside the sandbox at which something may be put; raises ValueError."""
    check_characters(text)
    if not text.startswith("/"):
        raise ValueError(f'{quoted(text)} is not an absolute path inside the sandbox, like "/data"')
    path = _normal(text)
    if path in _TAKEN:
        raise ValueError(
            f"{quoted(path)} itself cannot be replaced; choose a directory of its own below it or elsewhere"
        )
    for reserved, what in _RESERVED.items():
        if is_within(path, reserved):
            raise ValueError(f'{quoted(path)} would cover {quoted(reserved)} ({what}); choose another, like "/data"')
    return path


def is_within(path: str, parent: str) -> bool:
    """Whether `path` is `parent` or below it; both in normal form."""
    return path == parent or path.startswith(parent.rstrip("/") + "/")


def check_glob(text: str) -> str:
    """A glob for names inside the repository; raises ValueError for one that could lead out of it or into `.git`."""
    if not text:
        raise ValueError("an empty pattern names no file; remove it")
    if any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 or character == "\\" for character in text):
        raise ValueError(f"{quoted(text)} contains a control character or a backslash")
    if text.startswith(("/", "~")):
        raise ValueError(f"{quoted(text)}: patterns are relative to the top of the repository")
    if text[0] in ":!-":
        raise ValueError(f"{quoted(text)} begins with {quoted(text[0])}, which git would read as an instruction")
    parts = text.split("/")
    if ".." in parts:
        raise ValueError(f'{quoted(text)} contains ".."; patterns stay inside the repository')
    if any(part.lower().rstrip(" .") in {".git", "git~1"} for part in parts):
        raise ValueError(f"{quoted(text)} names the repository's own .git, which is never carried")
    return text
