"""Control legs: the attack in a setup without Paddock, where it must succeed."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from docker import APIClient

from tests.hostile.case import INSIDE, Case
from tests.hostile.stage import Stage, host_environment

NAIVE_SECONDS = 10.0
WAITS_SECONDS = 2.0
CONTAINER_SECONDS = 60.0
LABEL = ("--label", "paddock.role=test")


def type_naively(case: Case, stage: Stage, home: Path) -> tuple[str, bool]:
    """Run the attack on the host in a clone, then the case's lines there: all output, and whether the last one hung."""
    workspace = stage.clone()
    environment = host_environment(home, **stage.environment())
    planted, _ = _run(case.argv, workspace, environment, NAIVE_SECONDS)
    assert "planted" in planted.splitlines(), planted
    output, hung = "", False
    lines = case.file.control.naive or ()
    for line in lines:
        last = line is lines[-1]
        said, hung = _run(
            ("sh", "-c", line),
            workspace,
            environment,
            WAITS_SECONDS if case.file.control.hangs and last else NAIVE_SECONDS,
        )
        output += said
    return output, hung


def _run(argv: Iterable[str], place: Path, environment: Mapping[str, str], seconds: float) -> tuple[str, bool]:
    """Output of one command, and whether it had to be killed."""
    with subprocess.Popen(
        list(argv),
        cwd=place,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            output, hung = b"", True
        else:
            hung = False
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return output.decode("utf-8", "backslashreplace"), hung


def run_openly(
    cases: list[Case], options: Iterable[str], image: str, environment: Mapping[str, str], socket: str
) -> dict[str, list[str]]:
    """What each attack prints in one open container. `plant.sh` of the cases runs there first."""
    options = [option.format(socket=socket) for option in options]
    network = [] if any(option.startswith("--network") for option in options) else ["--network=none"]
    variables = [f"--env={name}={value}" for name, value in environment.items()]
    driver = (INSIDE / "driver.py").read_text()
    attacks = [json.dumps([case.name, case.argv]) for case in cases]
    script = "\n".join(case.plant for case in cases) + f'\nexec python3 -c {shlex.quote(driver)} "$@"\n'
    done = subprocess.run(
        [
            "docker",
            "run",
            "--rm",
            *LABEL,
            *network,
            *options,
            *variables,
            image,
            "sh",
            "-ec",
            script,
            "sh",
            *attacks,
        ],
        capture_output=True,
        timeout=CONTAINER_SECONDS,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "DOCKER_HOST": f"unix://{socket}"},
    )
    said = sort_lines(done.stdout.decode("utf-8", "backslashreplace"))
    return {case.name: said.get(case.name, [done.stderr.decode("utf-8", "backslashreplace")]) for case in cases}


def sort_lines(text: str) -> dict[str, list[str]]:
    """The driver's output, by attack."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, bar, rest = line.partition("|")
        if bar:
            found.setdefault(name, []).append(rest)
    return found


def build_image(client: APIClient, dockerfile: str, base: str) -> str:
    """An image of the attacker's; the caller removes it."""
    name = f"paddock-test:{uuid.uuid4().hex[:12]}"
    file = BytesIO(dockerfile.format(base=base).encode())
    said = list(client.build(fileobj=file, tag=name, network_mode="none", rm=True, forcerm=True, decode=True))
    assert not [line for line in said if "error" in line], said
    return name
