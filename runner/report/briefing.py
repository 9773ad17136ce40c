"""What the agent is told of its sandbox, made from the policy that holds: so that it does not fight the walls. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from runner.escape import escape_text
from runner.model.destinations import TLS_PORT, parse_destination
from runner.model.paths import AGENT_HOME, BESIDE, CONTEXT, WORKSPACE
from runner.model.policy import Limits, Network, Policy
from runner.model.quantities import format_duration, format_size
from runner.model.task import Task

FILE = "briefing.md"
"""Its name below `/paddock/task`."""
PLACE = f"/paddock/task/{FILE}"
MOST_INSTRUCTION = 4096
"""Bytes of an instruction: it goes into every request to the model."""
_ROOM = 700
"""Bytes of it for any one list of names."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a briefing is made from."""

    task: Task
    policy: Policy
    """The effective one, the way to the model included."""
    groups: Mapping[str, Collection[str]] = field(default_factory=dict)
    """What the groups of the policy stand for, as far as it is known; the others are known to the image alone."""
    context: Sequence[str] = ()
    """Names in /context."""
    beside: Mapping[str, str] = field(default_factory=dict)
    """Names in /beside, and the URL that each comes from; empty for one of the host, whose paths are not told."""


def briefing_of(given: Given) -> str:
    """The whole, in Markdown."""
    parts = (
        _opening(),
        _section("The work", _work(given.task, briefly=False)),
        _section("The network", _network(given)),
        _section("Files and folders", _files(given)),
        _section("Limits", _limits(given.policy.limits)),
        _section("What is not there", _missing(given)),
    )
    return "\n".join(parts)


def instruction_of(given: Given) -> str:
    """What is essential, for the agent's system prompt: at most `MOST_INSTRUCTION` bytes."""
    limits = given.policy.limits
    lines = [
        "You work unattended in a closed sandbox: nobody can answer a question. Decide, go on, and say what you "
        f"decided. What this sandbox allows is in {PLACE}: read it before you try to work around something that fails.",
        *_work(given.task, briefly=True),
        _network_in_short(given.policy.network),
        *_given_along(given, briefly=True),
        f"You are stopped after {format_duration(limits.wall_clock)}, and after {format_duration(limits.idle)} in "
        "which nothing is printed.",
        "There is no sudo, and the system's own files cannot be changed.",
    ]
    return "\n".join(f"- {line}" if number else line for number, line in enumerate(lines)) + "\n"


def _opening() -> str:
    return (
        "# Briefing\n\n"
        "You work in a sandbox that Paddock made for this one task: a container without a way out but the one below. "
        "You need no permission for anything in it, and nobody is there to answer a question: decide, go on, and say "
        "in your last message what you decided. What is closed stays closed, whatever is tried; it costs only time.\n"
    )


def _section(title: str, lines: Iterator[str]) -> str:
    """A list; a line that is indented belongs to the one before."""
    return f"## {title}\n\n" + "".join(f"{'  ' * line.startswith('  ')}- {line.strip()}\n" for line in lines)


def _work(task: Task, *, briefly: bool) -> Iterator[str]:
    match task.result:
        case "branch":
            yield (
                f"The repository is at {WORKSPACE}. Commit there, early and often: commits are what is collected, also "
                "when you are stopped. What is left uncommitted becomes one last commit."
            )
            yield "There is nothing to push to, and no remote. Do not rewrite commits that were there before."
        case "answer":
            yield (
                f"The repository is at {WORKSPACE}, to be read and tried. **Your last message is the result**, so make "
                "it complete by itself. Commit nothing."
            )
        case "touched":
            yield (
                f"The repository is at {WORKSPACE}, to be read. **Your last message is the result**: one fenced block "
                "that opens with ```paths and has the path of one file on each line. Commit nothing."
            )
    if task.result != "branch":
        return
    if task.notes:
        yield (
            "Keep two files at the top of the repository and commit them with the work: `plan.md` (what is to be done, "
            "what is done, brought up to date after each step) and `notes.md` (what you found out and decided, why)."
        )
    if task.check:
        command = _plain(task.check)
        shown = f"`{command}`" if not briefly or len(command.encode()) <= _ROOM else "the check in the briefing"
        yield f"In the end this has to succeed on what is committed, in a fresh sandbox without a network: {shown}"


def _network_in_short(network: Network) -> str:
    match network.mode:
        case "none":
            return "There is no network. Do not try to install or fetch anything."
        case "open":
            return "The network is open for every public name, on ports 80 and 443, without a proxy."
        case "allow":
            names = dict.fromkeys((*network.allow, *(each.host for each in network.inject)))
            return (
                f"The network reaches {_few(names) or 'nothing'}. Everything else is refused at once: do not retry it, "
                "and look for no proxy or mirror."
            )


def _network(given: Given) -> Iterator[str]:
    network = given.policy.network
    if network.mode == "none":
        yield "There is none. Nothing can be installed, fetched or looked up; what the image has is all there is."
        return
    if network.mode == "open":
        yield "Every public name can be reached, on port 443 and, for plain HTTP, on port 80."
        yield from (f"Also: {text}" for text in _destinations(network.allow, given.groups))
    else:
        yield "These can be reached by name, and nothing else:"
        yield from (f"  {text}" for text in _destinations(network.allow, given.groups))
        yield from (f"  `{each.host}`, as told below" for each in network.inject)
    yield from (f"Closed all the same: {text}" for text in _destinations(network.deny, given.groups, denied=True))
    yield from (f"On private networks, this may be reached too: `{entry}`" for entry in network.private)
    for each in network.inject:
        yield (
            f"For `{each.host}`, speak plain HTTP to `http://{each.host}`: the gateway adds the real `{each.header}` "
            "and speaks TLS from there on. Whatever key the sandbox holds for it is a placeholder, and is meant to be."
        )
    yield (
        "What is not allowed is refused at once: its name is not found. It will not work later either, so do not "
        "retry, and say in your last message what you would have needed."
    )
    yield "Programs need no proxy setting. Names stand for loopback addresses; others lead nowhere, and `ping` fails."
    yield f"At most {format_size(network.upload_limit)} may be sent out in all."


def _destinations(
    entries: Sequence[str], groups: Mapping[str, Collection[str]], *, denied: bool = False
) -> Iterator[str]:
    for text in entries:
        entry = parse_destination(text)
        if entry.kind == "group" and entry.name in groups:
            members = ", ".join(f"`{member}`" for member in groups[entry.name])
            yield f"`{text}`: {members or 'nothing in this image'}"
        elif entry.kind == "group":
            yield f"`{text}`: the registry that this image's own tools are set to use"
        else:
            yield f"`{text}`" + ("" if denied else _port_words(entry.port))


def _port_words(port: int | None) -> str:
    return f" (port {TLS_PORT})" if port is None else ""


def _files(given: Given) -> Iterator[str]:
    policy = given.policy
    yield f"`{WORKSPACE}`: the repository; can be written."
    yield from _given_along(given, briefly=False)
    yield from (
        f"`{_plain(mount.target)}`: a folder or file of the host; "
        + ("can be written, and stays." if mount.mode == "rw" else "can be read.")
        for mount in policy.mounts
    )
    yield from (
        f"`{cache.target}`: the cache {cache.name!r}; can be written, and is there for later runs on this repository."
        for cache in policy.caches
    )
    yield f"`{AGENT_HOME}` (your HOME) and `/tmp`: memory; can be written, count as memory, and are gone afterwards."
    if policy.sandbox.writable_root:
        yield "Everything else can be written as far as your user may, and is gone afterwards."
    else:
        yield "Everything else is read-only. Put tools that you need below HOME or the repository, not into the system."


def _given_along(given: Given, *, briefly: bool) -> Iterator[str]:
    if given.context:
        names = _few(given.context) if briefly else ", ".join(f"`{_plain(name)}`" for name in given.context)
        yield f"`{CONTEXT}` (read-only) belongs to the task, read it first: {names}."
    if given.beside and briefly:
        yield f"`{BESIDE}` (read-only) has other repositories to look things up in: {_few(given.beside)}."
    elif given.beside:
        yield f"`{BESIDE}` (read-only) has other repositories to look things up in:"
        for name, url in given.beside.items():
            yield f"  `{BESIDE}/{name}`" + (f", from {_plain(url)}" if url else "")


def _limits(limits: Limits) -> Iterator[str]:
    yield f"Time: {format_duration(limits.wall_clock)} in all, then you are stopped and what is there is collected."
    yield f"Silence: {format_duration(limits.idle)} without any output ends the run. Let long commands print something."
    yield f"{limits.cpus:g} CPUs, {format_size(limits.memory)} of memory without swap, {limits.pids} processes."
    yield f"{format_size(limits.disk)} and {limits.files} files in {WORKSPACE}; {format_size(limits.output)} of output."
    if limits.tokens is not None:
        yield f"{limits.tokens} tokens of the model, all kinds together."
    if limits.cost_usd is not None:
        yield f"{limits.cost_usd:g} US dollars for the model."
    yield "Whatever reaches a limit ends the run. What was committed until then is kept."


def _missing(given: Given) -> Iterator[str]:
    yield "No sudo, no root, no Docker, no service manager; no package of the system can be installed."
    yield "No remote, no forge account, no credentials of the user's. Looking for them is no use."
    if given.task.pass_secrets:
        names = ", ".join(f"`{_plain(name)}`" for name in given.task.pass_secrets)
        yield f"Real secrets are in variables, for what they are called: {names}. Print none, commit none."
    yield "No hooks of the user's run: neither on a commit nor when it is collected."


def _few(names: Iterable[str]) -> str:
    """As many of them as there is room for, and how many more there are."""
    shown = [f"`{_plain(name)}`" for name in names]
    fits = 0
    room = _ROOM
    while fits < len(shown) and (room := room - len(shown[fits].encode()) - 2) >= 0:
        fits += 1
    more = [f"{len(shown) - fits} more"] if fits < len(shown) else []
    return ", ".join(shown[:fits] + more)


def _plain(text: str) -> str:
    """One line without what could end a code span."""
    return escape_text(text).replace("`", "'")
