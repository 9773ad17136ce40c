"""Reads what git's plumbing prints about the quarantine: every byte of it may be an attacker's. Pure."""

from __future__ import annotations

import re
from itertools import islice

from runner.escape import escape_text
from runner.repo.evidence import Change, Commit


class ListingError(ValueError):
    """git printed something that its documentation does not have."""


_SIGNATURE_HEADERS = (b"gpgsig", b"gpgsig-sha256", b"mergetag")
_IDENT_TAIL = re.compile(rb" (-?[0-9]{1,19}) [+-][0-9]{1,10}\Z")
_CLAIM = re.compile(
    rb"^[ \t]*((?:signed-off|reviewed|acked|tested|approved|verified|authored|co-authored|committed)-by"
    rb"[ \t]*:[^\n]{1,300})",
    re.IGNORECASE | re.MULTILINE,
)
SUBJECT_KEPT = 500
MAX_CLAIMS = 5
MESSAGE_READ = 64 * 1024


def parse_commit(sha: str, raw: bytes) -> Commit:
    """One raw commit object. Never fails: what is missing is empty."""
    head, _, message = raw.partition(b"\n\n")
    first: dict[bytes, bytes] = {}
    parents: list[str] = []
    signatures: dict[str, int] = {}
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"parent":
            parents.append(value.decode("ascii", "replace"))
        elif key in _SIGNATURE_HEADERS:
            signatures[key.decode()] = signatures.get(key.decode(), 0) + 1
        first.setdefault(key, value)
    author, authored = _ident(first.get(b"author", b""))
    committer, committed = _ident(first.get(b"committer", b""))
    claims = (found[1].strip() for found in islice(_CLAIM.finditer(message[-MESSAGE_READ:]), MAX_CLAIMS))
    return Commit(
        sha=sha,
        parents=tuple(parents),
        author=author,
        authored=authored,
        committer=committer,
        committed=committed,
        subject=escape_text(message.lstrip(b"\n").partition(b"\n")[0][:SUBJECT_KEPT]).strip(),
        encoding=escape_text(first.get(b"encoding", b"")[:100]),
        claims=tuple(escape_text(claim) for claim in claims),
        signatures=signatures,
    )


def _ident(value: bytes) -> tuple[str, int | None]:
    """Who, escaped, and when, of `Ada <ada@example.com> 1700000000 +0000`."""
    tail = _IDENT_TAIL.search(value[-64:])
    who = value[: len(value) - len(tail[0])] if tail else value
    return escape_text(who[:SUBJECT_KEPT]), int(tail[1]) if tail else None


def parse_batch(output: bytes) -> dict[str, bytes]:
    """Object id -> content, from `git cat-file --batch`; missing objects are left out."""
    found: dict[str, bytes] = {}
    at = 0
    while at < len(output):
        end = output.find(b"\n", at)
        words = output[at:end].split(b" ") if end >= 0 else []
        if len(words) == 2 and words[1] == b"missing":
            at = end + 1
            continue
        if len(words) != 3 or not words[2].isdigit():
            raise ListingError("git cat-file --batch said something unexpected")
        size = int(words[2])
        found[words[0].decode("ascii", "replace")] = output[end + 1 : end + 1 + size]
        at = end + 1 + size + 1
    return found


def parse_raw_diff(output: bytes) -> list[Change]:
    """The entries of `git diff-tree -r -z --raw --no-renames --no-abbrev`."""
    changes = []
    fields = output.split(b"\0")
    if fields.pop() != b"" or len(fields) % 2:
        raise ListingError("git diff-tree --raw stopped in the middle")
    for info, path in zip(fields[::2], fields[1::2], strict=True):
        words = info.split(b" ")
        if len(words) != 5 or not words[0].startswith(b":"):
            raise ListingError("git diff-tree --raw said something unexpected")
        changes.append(
            Change(
                path=path,
                status=words[4].decode("ascii", "replace"),
                old_mode=int(words[0][1:], 8),
                new_mode=int(words[1], 8),
                sha=words[3].decode("ascii", "replace"),
                old_sha=words[2].decode("ascii", "replace"),
            )
        )
    return changes


def parse_numstats(output: bytes, shas: list[str]) -> dict[str, tuple[int, int, int]]:
    """Commit -> (files, insertions, deletions), from `git diff-tree --stdin -r -z --numstat --no-renames`.

    Every entry of a file has two tabs before its name, and a commit's line has none, so no file name can pass for a
    commit. Binary files count without lines.
    """
    stats = dict.fromkeys(shas, (0, 0, 0))
    current = ""
    for entry in output.split(b"\0"):
        added, tab, rest = entry.partition(b"\t")
        if not tab:
            current = entry.decode("ascii", "replace").strip() or current
            continue
        if current not in stats:
            raise ListingError("git diff-tree --numstat named a commit that was not asked for")
        files, plus, minus = stats[current]
        stats[current] = (files + 1, plus + _lines(added), minus + _lines(rest.partition(b"\t")[0]))
    return stats


def _lines(number: bytes) -> int:
    return int(number) if number.isdigit() else 0


def packed_sizes(shown: bytes, pack_size: int) -> list[tuple[str, int]]:
    """Object id and bytes in the pack, from `git show-index`; a pack ends in a checksum, which counts for the last."""
    offsets = []
    for line in shown.splitlines():
        words = line.split(b" ")
        if len(words) < 2 or not words[0].isdigit():
            raise ListingError("git show-index said something unexpected")
        offsets.append((int(words[0]), words[1].decode("ascii", "replace")))
    offsets.sort()
    ends = [offset for offset, _ in offsets[1:]] + [pack_size]
    return [(sha, end - offset) for (offset, sha), end in zip(offsets, ends, strict=True)]
