"""What a collector that was taken over might hand out: structured mutations of what a real one does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.packs import Thing, bundle, delta, pack, packed

Draw = Callable[[st.SearchStrategy[Any]], Any]

ODD_TEXTS = (
    "",
    "x" * 300,
    "x" * 21_000,
    "\x1b[2J\x07",
    "\u202emoc",
    "../../x",
    "-x",
    "refs/heads/main",
    "a\nb",
    "a\0b",
    "main.lock",
    "é" * 150,
    "HEAD",
    "\ud800",
)
ODD_NAMES = (
    b".git",
    b"..",
    b".",
    b"",
    b"a/b",
    b"GIT~1",
    b"x" * 5000,
    b"\x1b[2J",
    b"\xff",
    b".gitmodules",
    b"a\nb",
    b"CON",
)
LEGAL_NAMES = (
    b"a",
    b"A",
    b"readme.txt",
    b"README.TXT",
    b"\x1b[2J",
    b"\xff\xfe",
    b"x" * 255,
    b"x" * 256,
    b"y" * 200_000,
    b"a\nb",
    b"a\tb",
    b'a"b',
    b"-rf",
    b"CON",
    b".gitattributes",
    b".gitignore",
    b".envrc",
    b"conftest.py",
    "\u202ecod".encode(),
    "e\u0301".encode(),
    "é".encode(),
)
ODD_BLOBS = (
    b"",
    b"/etc/passwd",
    b"../../x",
    b"\0" * 5000,
    b"a\0b",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1\n",
    b"AKIA" + b"Q7" * 8 + b"\n",
    b"-----BEGIN PRIVATE KEY-----\n",
    "\u202e\u2066x\n".encode(),
    b"* filter=x diff=x\n",
    b"x" * 100_000,
)
LEGAL_TEXTS = (
    "",
    "\n\n",
    "x" * 30_000,
    "\x1b]0;x\x07",
    "a\rb",
    "\u202e",
    "Reviewed-by: " + "x" * 900,
    "::set-output name=a::b",
)
ODD_MODES = (b"100644", b"100777", b"120000", b"160000", b"40000", b"040000", b"000000", b"107777", b"1", b"")
ODD_VALUES: tuple[Any, ...] = (None, True, 0, -1, 10**30, 1.5, [], {}, [[]], *ODD_TEXTS)


@dataclass(frozen=True)
class Sample:
    """What a real collector handed out, and what it is made of."""

    report: dict[str, Any]
    bundle: bytes
    start: str
    private: str
    """A commit of the user's repository that the agent never had."""
    things: tuple[Thing, ...]
    """The new objects; the first is the tip of the primary branch."""


@dataclass(frozen=True)
class Handout:
    """The two files."""

    report: bytes
    bundle: bytes | None


def handouts(sample: Sample) -> st.SearchStrategy[Handout]:
    """Wrong in one or a few ways."""

    @st.composite
    def made(draw: Draw) -> Handout:
        how = draw(
            st.sampled_from(
                [of_odd_objects, of_odd_objects, of_objects, of_bytes, of_header, of_deltas, of_report, of_raw_report]
            )
        )
        out: Handout = how(draw, sample, Handout(json.dumps(sample.report).encode(), sample.bundle))
        if draw(st.integers(0, 4)) == 0:
            out = of_report(draw, sample, out)
        return replace(out, bundle=None) if draw(st.integers(0, 40)) == 0 else out

    return made()


def of_raw_report(draw: Draw, sample: Sample, out: Handout) -> Handout:
    """A report of other bytes."""
    return replace(out, report=spoiled(draw, out.report))


def of_report(draw: Draw, sample: Sample, out: Handout) -> Handout:
    """A report in which some values are others, are missing or are there twice."""
    try:
        report = json.loads(out.report)
    except ValueError:
        return out
    for _ in range(draw(st.integers(1, 3))):
        change_value(draw, sample, report)
    return replace(out, report=json.dumps(report).encode())


def change_value(draw: Draw, sample: Sample, report: Any) -> None:
    """Change one value somewhere in a document."""
    place = report
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or draw(st.integers(0, 3)) == 0:
            break
        place = place[key]
    ids = (sample.start, sample.private, "0" * 40, "f" * 64, *(thing.sha for thing in sample.things))
    action = draw(st.sampled_from(["set", "set", "set", "drop", "twice"]))
    if action == "drop":
        del place[key]
    elif action == "twice" and isinstance(place, list):
        place += [place[key]] * draw(st.sampled_from([1, 150]))
    else:
        place[key] = draw(st.sampled_from([*ODD_VALUES, *ids]))


def of_bytes(draw: Draw, sample: Sample, out: Handout) -> Handout:
    """A bundle of other bytes."""
    return replace(out, bundle=spoiled(draw, sample.bundle))


def spoiled(draw: Draw, data: bytes) -> bytes:
    """Cut off, with some bytes changed, or with some more."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(changed) - 1, 0)))
        match draw(st.sampled_from(["cut", "flip", "flip", "more", "out"])):
            case "cut":
                del changed[at:]
            case "flip" if changed:
                changed[at] ^= 1 << draw(st.integers(0, 7))
            case "more":
                changed[at:at] = draw(st.binary(max_size=40))
            case _:
                del changed[at : at + draw(st.integers(1, 40))]
    return bytes(changed)


def of_header(draw: Draw, sample: Sample, out: Handout) -> Handout:
    """A bundle whose head has other lines."""
    head, _, rest = sample.bundle.partition(b"\n\n")
    lines = head.split(b"\n")
    ids = (sample.start, sample.private, "0" * 40, "zz", "1" * 64)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        name = draw(st.sampled_from(ODD_TEXTS)).encode("utf-8", "surrogatepass")
        sha = draw(st.sampled_from(ids)).encode()
        line = draw(
            st.sampled_from([b"-" + sha, sha + b" " + name, b"@object-format=sha256", b"@filter=blob:none", name])
        )
        match draw(st.sampled_from(["set", "add", "twice", "drop"])):
            case "set":
                lines[at] = line
            case "add":
                lines.insert(at, line)
            case "twice":
                lines.insert(at, lines[at])
            case _:
                del lines[at]
        lines = lines or [b""]
    return replace(out, bundle=b"\n".join(lines) + b"\n\n" + rest)


def of_objects(draw: Draw, sample: Sample, out: Handout) -> Handout:
    """A bundle and a report that fit together, with a tip of the attacker's own making."""
    tip = next(thing for thing in sample.things if thing.kind == b"commit")
    trees = [thing for thing in sample.things if thing.kind == b"tree"]
    made = list(sample.things)
    tree = draw(st.sampled_from(trees))
    for _ in range(draw(st.integers(0, 3))):
        tree = Thing(b"tree", tree.data + odd_entry(draw, sample))
    if draw(st.booleans()):
        tree = Thing(b"tree", spoiled(draw, tree.data))
    lines = [b"tree " + tree.sha.encode(), *tip.data.partition(b"\n\n")[0].split(b"\n")[1:]]
    for _ in range(draw(st.integers(0, 3))):
        lines.insert(draw(st.integers(0, len(lines))), odd_line(draw, sample))
    text = draw(st.sampled_from(ODD_TEXTS)).encode("utf-8", "surrogatepass")
    commit = Thing(b"commit", b"\n".join(lines) + b"\n\n" + text)
    if draw(st.integers(0, 9)) == 0:
        commit = Thing(draw(st.sampled_from([b"tree", b"blob", b"tag"])), commit.data)
    made += [tree, commit]
    draw(st.randoms(use_true_random=False)).shuffle(made)
    return aimed(sample, commit.sha, pack([packed(thing) for thing in made]))


def of_odd_objects(draw: Draw, sample: Sample, out: Handout) -> Handout:
    """As `of_objects`, but nothing in it is against git's rules: it comes as far as the gates."""
    tip = next(thing for thing in sample.things if thing.kind == b"commit")
    blobs = [Thing(b"blob", draw(st.one_of(st.binary(max_size=60), st.sampled_from(ODD_BLOBS)))) for _ in range(3)]
    modes = st.sampled_from([b"100644", b"100755", b"120000", b"160000"])
    entries = {
        draw(st.sampled_from(LEGAL_NAMES)): (draw(modes), draw(st.sampled_from(blobs)).sha)
        for _ in range(draw(st.integers(0, 6)))
    }
    tree = Thing(
        b"tree",
        b"".join(mode + b" " + name + b"\0" + bytes.fromhex(sha) for name, (mode, sha) in sorted(entries.items())),
    )
    commits = [tip]
    for _ in range(draw(st.integers(1, 3))):
        parents = draw(st.sampled_from([[commits[-1].sha], [commits[-1].sha, sample.private], [sample.private], []]))
        commits.append(Thing(b"commit", legal_commit(draw, tree.sha, parents)))
    made = [*sample.things, *blobs, tree, *commits[1:]]
    return aimed(sample, commits[-1].sha, pack([packed(thing) for thing in dict.fromkeys(made)]))


def legal_commit(draw: Draw, tree: str, parents: list[str]) -> bytes:
    """A commit that fsck lets through, with odd words and dates."""
    words = st.sampled_from(["A", "\x1b[2J", "\u202eA", "x" * 5000, "A\x9b", ""])
    ident = [
        f"{draw(words)} <{draw(words)}> {draw(st.sampled_from([0, 1, 1700000000, 4102444800]))} +0000" for _ in "12"
    ]
    lines = [f"tree {tree}", *(f"parent {sha}" for sha in parents), f"author {ident[0]}", f"committer {ident[1]}"]
    lines += ["gpgsig x"] * draw(st.integers(0, 4)) + ["mergetag x"] * draw(st.integers(0, 2))
    lines += ["encoding utf-7"] * draw(st.integers(0, 1))
    text = str(draw(st.one_of(st.sampled_from(LEGAL_TEXTS), st.text(max_size=60)))).replace("\0", "")
    return ("\n".join(lines) + "\n\n" + text).encode("utf-8", "surrogatepass")


def odd_entry(draw: Draw, sample: Sample) -> bytes:
    """A line of a tree."""
    shas = [sample.start, sample.private, "0" * 40, *(thing.sha for thing in sample.things)]
    mode, name = draw(st.sampled_from(ODD_MODES)), draw(st.one_of(st.sampled_from(ODD_NAMES), st.binary(max_size=30)))
    return bytes(mode + b" " + name + b"\0" + bytes.fromhex(draw(st.sampled_from(shas))))


def odd_line(draw: Draw, sample: Sample) -> bytes:
    """A line of a commit's head."""
    shas = [sample.start, sample.private, "0" * 40, "xyz", *(thing.sha for thing in sample.things)]
    text = draw(st.sampled_from(ODD_TEXTS)).encode("utf-8", "surrogatepass")
    key = draw(st.sampled_from([b"parent", b"tree", b"author", b"committer", b"encoding", b"gpgsig", b"mergetag"]))
    when = draw(st.sampled_from([b"1 +0000", b"-1 +0000", b"99999999999999999999 +9999", b"x", b""]))
    value = draw(st.sampled_from([draw(st.sampled_from(shas)).encode(), text, b"A <a@b> " + when, b"utf-16"]))
    return bytes(key + b" " + value)


def of_deltas(draw: Draw, sample: Sample, out: Handout) -> Handout:
    """A bundle with deltas that ask for too much, build upon themselves or upon nothing, and counts that lie."""
    entries = [packed(thing) for thing in sample.things]
    bases = ["0" * 40, sample.private, *(thing.sha for thing in sample.things)]
    for _ in range(draw(st.integers(1, 4))):
        sizes = st.sampled_from([0, 1, 100, 2**24, 2**40, 2**63])
        steps = draw(st.one_of(st.binary(max_size=20), st.just(b"\xf0\xff\xff\xff" * 300)))
        entries.append(delta(draw(st.sampled_from(bases)), draw(sizes), draw(sizes), steps))
    count = draw(st.sampled_from([None, None, 0, 1, len(entries) + 1, 2**31, 2**32 - 1]))
    data = pack(entries, count=count, version=draw(st.sampled_from([2, 2, 2, 3, 4])))
    return replace(out, bundle=bundle(refs_of(sample.report), [sample.start], data))


def refs_of(report: dict[str, Any]) -> dict[str, str]:
    """Refs that a report says the bundle has."""
    return {branch["ref"]: branch["sha"] for branch in report["branches"]}


def aimed(sample: Sample, sha: str, data: bytes) -> Handout:
    """A handout whose primary branch is at `sha`."""
    branches = [{**sample.report["branches"][0], "sha": sha}, *sample.report["branches"][1:]]
    report = {**sample.report, "branches": branches}
    return Handout(json.dumps(report).encode(), bundle(refs_of(report), [sample.start], data))
