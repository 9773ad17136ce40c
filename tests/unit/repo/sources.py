"""Repositories of a user's, to start runs from, and a way to see that nothing in them has changed."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from pathlib import Path

IDENTITY = {
    "GIT_AUTHOR_NAME": "User",
    "GIT_AUTHOR_EMAIL": "user@example.com",
    "GIT_COMMITTER_NAME": "User",
    "GIT_COMMITTER_EMAIL": "user@example.com",
}
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "protocol.file.allow",
    "GIT_CONFIG_VALUE_0": "always",
    "GIT_CONFIG_KEY_1": "safe.directory",
    "GIT_CONFIG_VALUE_1": "*",
    **IDENTITY,
}


def git(place: Path, *argv: str) -> str:
    """What the user's git says in `place`."""
    done = subprocess.run(["git", "-C", str(place), *argv], capture_output=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, os.fsdecode(done.stderr)
    return os.fsdecode(done.stdout).strip()


def make_repository(place: Path, *, object_format: str = "sha1") -> Path:
    """Two commits on main, one on other, a tag, and a stash that is nobody's business."""
    place.mkdir(parents=True)
    git(place, "init", "-q", "-b", "main", f"--object-format={object_format}")
    (place / "file").write_text("one\n")
    (place / "tool").write_text("#!/bin/sh\n")
    (place / "tool").chmod(0o755)
    (place / "link").symlink_to("file")
    (place / "folder").mkdir()
    (place / "folder" / "deep").write_text("deep\n")
    (place / ".gitignore").write_text("*.log\n.env*\nignored/\n")
    commit(place, "first")
    (place / "file").write_text("two\n")
    commit(place, "second")
    git(place, "tag", "-a", "v1", "-m", "version 1")
    git(place, "switch", "-q", "-c", "other")
    (place / "other").write_text("other\n")
    commit(place, "on other")
    git(place, "switch", "-q", "main")
    (place / "file").write_text("stashed secret\n")
    git(place, "stash", "-q")
    return place


def commit(place: Path, message: str) -> str:
    """Commits everything and returns the id."""
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", message)
    return git(place, "rev-parse", "HEAD")


def fingerprint(place: Path) -> dict[str, str]:
    """Every path below `place` with kind, mode, content; for the index and the refs the time of change too."""
    found = {}
    for folder, folders, files in os.walk(place):
        for name in (*folders, *files):
            path = Path(folder, name)
            status = path.lstat()
            content = str(path.readlink()) if path.is_symlink() else ""
            if stat.S_ISREG(status.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            timed = ".git" in path.parts and "objects" not in path.parts
            found[str(path)] = f"{status.st_mode:o} {content} {status.st_mtime_ns if timed else ''}"
    return found


def objects_of(place: Path) -> set[str]:
    """The ids of all objects in a repository, reachable or not."""
    listed = git(place, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
    return set(listed.split())
