"""Specs for tests."""

from __future__ import annotations

from pathlib import Path

from runner.model.identity import Identity
from runner.model.policy import Policy
from runner.model.request import Command, ImageSettings, Places, Request
from runner.model.spec import ImageRef, SandboxSpec
from runner.plan import sandbox_spec


def places_in(folder: Path | str) -> Places:
    """The places of a run in `folder`."""
    return Places(
        state=str(folder),
        workspace=f"{folder}/workspace",
        control=f"{folder}/control",
        etc=f"{folder}/etc",
        collector_in=f"{folder}/in",
        collector_out=f"{folder}/out",
        inside=f"{folder}/inside",
        collector=f"{folder}/collector",
        task=f"{folder}/given",
        agent=f"{folder}/agent",
    )


def request_for(
    policy: Policy | None = None,
    *,
    run: str = "2026-11-20-test-k3f9",
    argv: tuple[str, ...] = ("true",),
    folder: Path | str = "/state",
) -> Request:
    """A request as a run would make it."""
    return Request(
        run=run,
        policy=policy or Policy(),
        command=Command(argv=argv),
        image=ImageSettings(
            ref=ImageRef(name="base", id="sha256:base"), environment=("PATH", "LD_PRELOAD"), volumes=("/var/data",)
        ),
        identity=Identity(uid=1000, gid=1000),
        places=places_in(folder),
    )


def spec_for(policy: Policy | None = None, **details: object) -> SandboxSpec:
    """The spec of such a request."""
    return sandbox_spec(request_for(policy, **details))  # type: ignore[arg-type]
