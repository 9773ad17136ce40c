"""What a sandbox may do: the whole policy schema, closed unless a policy says otherwise (DESIGN 5)."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from runner.model.base import Record
from runner.model.destinations import TLS_PORT, parse_destination, parse_exact_name, parse_private
from runner.model.environment import environment_fault
from runner.model.faults import Faults, refuse
from runner.model.gates import GateWords
from runner.model.names import check_cache_name, check_description, check_header, check_secret_name
from runner.model.paths import check_glob, check_source, check_target, is_within
from runner.model.quantities import Bytes, Duration, Seconds, Size
from runner.model.secret_names import is_secret_name
from runner.model.wording import dotted, quoted

GIB = 2**30
MIB = 2**20


def _allowed(text: str) -> str:
    destination = parse_destination(text)
    return str(destination.model_copy(update={"port": None}) if destination.port == TLS_PORT else destination)


def _denied(text: str) -> str:
    return str(parse_destination(text))


def _whole_milliseconds(seconds: float) -> float:
    # Files carry milliseconds; a finer value would not survive being written and read back.
    if seconds < 1:
        raise ValueError("is shorter than one second, the least that can be watched")
    return Seconds(round(seconds * 1000) / 1000)


def _engine_minimum(size: int) -> int:
    if size < 6 * MIB:
        raise ValueError('is less than "6MiB", which the engine refuses')
    return size


def _variable_fault(name: str, value: str) -> str:
    if fault := environment_fault(name, value):
        return fault
    if is_secret_name(name):
        return f"{name} is the name of a secret, and secrets do not stand in policies; hand it over with --env"
    return ""


Target = Annotated[str, AfterValidator(check_target)]
Period = Annotated[Duration, AfterValidator(_whole_milliseconds)]


class Injection(Record):
    """One credential that the gateway adds to requests for one host, so that the sandbox never holds it."""

    host: Annotated[str, AfterValidator(parse_exact_name)] = Field(
        description="The one host that receives the value, over TLS only."
    )
    header: Annotated[str, AfterValidator(check_header)] = Field(description="The header that carries the value.")
    secret: Annotated[str, AfterValidator(check_secret_name)] = Field(
        description="The secret's name; where values come from is the host's settings."
    )


class Network(Record):
    """What can be reached from inside."""

    mode: Literal["none", "allow", "open"] = Field(
        default="none",
        description="`none`: nothing. `allow`: what `allow` lists. `open`: any public name, through the same gateway "
        "and with the same record.",
    )
    allow: tuple[Annotated[str, AfterValidator(_allowed)], ...] = Field(
        default=(),
        description="Names that may be reached: `name` (port 443), `name:port`, `*.name` (every sub-domain, not "
        "the name itself), `@group`. An empty list under `allow` means that everything is denied.",
    )
    deny: tuple[Annotated[str, AfterValidator(_denied)], ...] = Field(
        default=(), description="Names that may not be reached, on every port unless one is written; beats `allow`."
    )
    private: tuple[Annotated[str, AfterValidator(parse_private)], ...] = Field(
        default=(),
        description="Private networks (`10.1.0.0/16`) or names on them that may be reached; "
        "closed in every mode otherwise.",
    )
    upload_limit: Size = Field(
        default=Bytes(200 * MIB), description="How much may be sent out in one run, all hosts together."
    )
    inject: tuple[Injection, ...] = Field(
        default=(), max_length=32, description="Credentials that the gateway adds; the sandbox holds a placeholder."
    )

    @field_validator("allow", "deny", "private")
    @classmethod
    def _once_each(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(entries))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        faults: Faults = []
        if self.mode == "none":
            useless = [key for key in ("allow", "deny", "private", "inject") if getattr(self, key)]
            why = 'has no effect with network.mode = "none"; set the mode, or make this empty'
            faults += [((key,), why) for key in useless]
        seen = set()
        for index, injection in enumerate(self.inject):
            if (injection.host, injection.header) in seen:
                faults.append((("inject", index), f"{injection.header} for {injection.host} is injected twice"))
            seen.add((injection.host, injection.header))
        refuse(faults)
        return self


class PolicyMount(Record):
    """One directory or file of the host, seen inside."""

    source: Annotated[str, AfterValidator(check_source)] = Field(
        description="The path on the host: absolute, below `~/`, or relative to the policy file. It must exist, and "
        "system directories, home directories, credentials and the engine's socket are refused, symlinks resolved."
    )
    target: Target = Field(description="The absolute path inside the sandbox, as in `/data`.")
    mode: Literal["ro", "rw"] = Field(default="ro", description="`ro`: can be read. `rw`: can be changed, for good.")


class Cache(Record):
    """One named folder that outlives a run, shared between runs of the same repository only."""

    name: Annotated[str, AfterValidator(check_cache_name)] = Field(description="Small letters, digits and hyphens.")
    target: Target = Field(description="The absolute path inside the sandbox, as in `/home/agent/.cache/uv`.")


class Limits(Record):
    """What a run may use up. Every limit is always on; reaching one ends the run with an outcome of its own."""

    cpus: float = Field(
        default=2.0, strict=True, ge=0.01, le=4096, allow_inf_nan=False, description="CPUs' worth of time."
    )
    memory: Annotated[Size, AfterValidator(_engine_minimum)] = Field(
        default=Bytes(4 * GIB), description="Memory with tmpfs and page cache; swap is off."
    )
    pids: int = Field(default=512, strict=True, ge=1, le=4_194_304, description="Processes and threads at one time.")
    disk: Size = Field(
        default=Bytes(10 * GIB),
        description="Bytes on a disk: the workspace, the agent's own folder, the writable layer where there is one, "
        "and what is added to caches and `rw` mounts. tmpfs counts as memory.",
    )
    files: int = Field(
        default=1_000_000,
        strict=True,
        ge=1,
        le=1_000_000_000,
        description="Files and directories, counted where `limits.disk` counts, git's own included.",
    )
    output: Size = Field(default=Bytes(64 * MIB), description="What the agent may print.")
    wall_clock: Period = Field(default=Seconds(3600), description="How long the agent may run.")
    idle: Period = Field(default=Seconds(900), description="How long the agent may be silent.")
    cost_usd: float | None = Field(
        default=None,
        strict=True,
        gt=0,
        le=1_000_000,
        allow_inf_nan=False,
        description="US dollars, by the gateway's count of tokens and the list of prices; unset: not watched.",
    )
    tokens: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=10**12,
        description="Tokens of the model, all kinds together, as the gateway counts them in the answers that it "
        "passes on; unset: not watched.",
    )
    grace: Period = Field(default=Seconds(10), description="Time between the polite signal and the kill.")


class SandboxOptions(Record):
    """How the container is made."""

    runtime: Literal["runc", "runsc", "kata"] = Field(
        default="runc", description="The engine's runtime; refused where the engine lacks it, never replaced."
    )
    writable_root: bool = Field(
        default=False,
        strict=True,
        description="Whether the image's own files may be changed inside, for this run only.",
    )
    env: dict[str, str] = Field(
        default={},
        max_length=256,
        description="Environment variables. Names that steer the loader, the shell, git, Python, Node.js "
        "or Paddock are refused, and so are names of secrets, like `API_TOKEN`: `--env` hands those over.",
    )

    @field_validator("env")
    @classmethod
    def _harmless(cls, env: dict[str, str]) -> dict[str, str]:
        refuse([((name,), fault) for name, value in env.items() if (fault := _variable_fault(name, value))])
        return env


class WorkspaceOptions(Record):
    """What of the repository the agent is given."""

    history: Literal["full", "branch", "shallow"] = Field(
        default="branch",
        description="`branch`: the base and its ancestors. `full`: all branches and tags. "
        "`shallow`: the base commit alone.",
    )
    include: tuple[Annotated[str, AfterValidator(check_glob)], ...] = Field(
        default=(),
        max_length=256,
        description="Globs of git-ignored files to carry along, as in `.env.example`, relative to the "
        "repository's top.",
    )


class Policy(Record):
    """What one sandbox may do. The switches that would end the sandbox are not fields."""

    description: Annotated[str, AfterValidator(check_description)] = Field(
        default="", max_length=1000, description="What the policy is for, in plain words."
    )
    artifacts: tuple[Annotated[str, AfterValidator(check_glob)], ...] = Field(
        default=(),
        max_length=64,
        description="Globs of files that are handed over beside the commits, as in `report.md` or `out/*.png`, "
        "relative to the repository's top; a folder means all files in it.",
    )
    network: Network = Field(default=Network(), description="What can be reached from inside.")
    mounts: tuple[PolicyMount, ...] = Field(
        default=(), max_length=64, description="Directories and files of the host that are seen inside."
    )
    caches: tuple[Cache, ...] = Field(
        default=(), max_length=64, description="Named folders that outlive a run, for runs of the same repository only."
    )
    limits: Limits = Field(default=Limits(), description="What a run may use up.")
    sandbox: SandboxOptions = Field(default=SandboxOptions(), description="How the container is made.")
    workspace: WorkspaceOptions = Field(
        default=WorkspaceOptions(), description="What of the repository the agent is given."
    )
    gates: GateWords = Field(
        default={},
        description="Gates of which a hit keeps the work out of the repository, where it would be flagged otherwise, "
        'as in `secrets = "block"`. A gate that blocks anyway cannot be softened.',
    )

    @model_validator(mode="after")
    def _targets_apart(self) -> Self:
        faults: Faults = []
        places: list[tuple[str, str]] = []
        tables: dict[str, tuple[PolicyMount | Cache, ...]] = {"mounts": self.mounts, "caches": self.caches}
        for table, entries in tables.items():
            for index, entry in enumerate(entries):
                if sentence := _collision(entry.target, places):
                    faults.append(((table, index, "target"), sentence))
                places.append((entry.target, dotted((table, index))))
        names = [cache.name for cache in self.caches]
        for index, name in enumerate(names):
            if name in names[:index]:
                faults.append((("caches", index, "name"), f"{quoted(name)} names another cache already"))
        refuse(faults)
        return self

    def digest(self) -> str:
        """`sha256:...` of the canonical JSON form: equal policies have equal digests, wherever they came from."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def _collision(target: str, places: list[tuple[str, str]]) -> str:
    for other, owner in places:
        if target == other:
            return f"{quoted(target)} is taken by {owner} already"
        # A mount point inside another mount would have to be created there: in the host's directory.
        if is_within(target, other) or is_within(other, target):
            return f"{quoted(target)} and {quoted(other)} of {owner} lie within each other; choose separate directories"
    return ""
