"""Pins beside the registries: npm and pip are asked, inside a throw-away container, for the newest versions."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from uuid import uuid4

from runner.errors import ImageError
from runner.model.base import Record
from runner.model.spec import ROLE_LABEL, ImageRef
from runner.sandbox.docker_api import EngineApi
from runner.sandbox.docker_errors import translated
from runner.sandbox.docker_sdk import sdk
from runner.sandbox.pins import Pin

SECONDS = 120
ENOUGH = 2**20
"""More than the answers take."""

SCRIPT = """
import json, subprocess, sys
from concurrent.futures import ThreadPoolExecutor

def newest(asked):
    name, ecosystem, package = asked
    npm = ["npm", "view", "--no-update-notifier", package, "version"]
    pip = ["python3", "-m", "pip", "--disable-pip-version-check", "index", "versions", package]
    done = subprocess.run(npm if ecosystem == "npm" else pip, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    line = (done.stdout.splitlines() or [""])[0].strip()
    found = line if ecosystem == "npm" else line.partition("(")[2].rstrip(")")
    return [name, found if done.returncode == 0 else ""]

with ThreadPoolExecutor(4) as pool:
    print(json.dumps(dict(pool.map(newest, json.loads(sys.argv[1])))))
"""
"""Runs inside, with the standard library: prints the newest version by image, "" where the registry told none."""


class Freshness(Record):
    """One pin, and what its registry has."""

    image: str
    ecosystem: str
    package: str
    pinned: str
    newest: str
    """Empty when the registry did not tell."""

    @property
    def outdated(self) -> bool:
        """Whether the registry has another version than the pin."""
        return self.newest not in {"", self.pinned}


def freshness(api: EngineApi, image: ImageRef, pins: Mapping[str, Pin]) -> tuple[Freshness, ...]:
    """Every pin with the newest version of its package; `image` has npm and pip. Raises `ImageError`."""
    asked = [(name, pin.ecosystem, pin.package) for name, pin in pins.items()]
    newest = _newest(_said(api, image, json.dumps(asked)))
    return tuple(
        Freshness(
            image=name,
            ecosystem=pin.ecosystem,
            package=pin.package,
            pinned=pin.version,
            newest=newest.get(name, ""),
        )
        for name, pin in pins.items()
    )


def _newest(said: bytes) -> dict[str, str]:
    try:
        answers = json.loads(said)
        return {str(name): str(version) for name, version in answers.items()}
    except (ValueError, AttributeError) as error:
        raise ImageError("The registries could not be asked for versions.", hint="Try again.") from error


def _said(api: EngineApi, image: ImageRef, asked: str) -> bytes:
    """The standard output of the script: no rights, no mounts, nothing of the user's; on the engine's own bridge."""
    from docker.errors import APIError

    with translated("ask for versions"), sdk(api) as client:
        created = client.create_container(
            image.id,
            ["python3", "-I", "-B", "-c", SCRIPT, asked],
            name=f"paddock-outdated-{uuid4().hex[:12]}",
            labels={ROLE_LABEL: "outdated"},
            environment={"HOME": "/tmp/home"},  # noqa: S108 - inside
            user="1000:1000",
            host_config=client.create_host_config(
                read_only=True,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                tmpfs={"/tmp": "size=256m"},  # noqa: S108 - inside
                mem_limit="1g",
                pids_limit=256,
            ),
        )
        try:
            client.start(created["Id"])
            client.wait(created["Id"], timeout=SECONDS)
            return bytes(client.logs(created["Id"], stdout=True, stderr=False))[:ENOUGH]
        finally:
            with contextlib.suppress(APIError):  # the first error is the one to tell
                client.remove_container(created["Id"], force=True, v=True)
