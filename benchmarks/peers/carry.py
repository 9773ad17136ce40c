"""Carries tasks out in a peer's own Docker environment; a program for a Python that has the peers and not Paddock.

Its one argument is a JSON object. Each task: clone the repository, work in the peer's container on the clone, fetch
the commit. So many tasks at one time, each in a thread, as both peers' own batch commands do it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

SECONDS = 120


@dataclass(frozen=True)
class Load:
    """What is to be done."""

    peer: str
    folder: str
    image: str
    number: int
    """Of the round: names that were not there before."""
    tasks: int
    repositories: int
    jobs: int
    work: str
    options: list[str]
    """For `docker run`."""

    def task(self, number: int) -> None:
        """One of them."""
        name = f"{self.peer}-{self.number}-{number}"
        clone, repo = Path(self.folder) / name, Path(self.folder) / f"repo-{number % self.repositories}"
        subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(repo), str(clone)], check=True)
        options = [*self.options, "--volume", f"{clone}:/workspace"]
        code = WORKERS[self.peer](self, options)
        if code != 0:
            raise SystemExit(f"{name}: the command ended with {code}")
        subprocess.run(["git", "-C", str(repo), "fetch", "-q", str(clone), f"HEAD:refs/heads/{name}"], check=True)


def swe_rex(load: Load, options: list[str]) -> int:
    """By the server that SWE-ReX starts in the container; the command's exit code."""
    from swerex.deployment.docker import DockerDeployment  # type: ignore[import-not-found]
    from swerex.runtime.abstract import Command  # type: ignore[import-not-found]

    async def work() -> int:
        deployment = DockerDeployment(image=load.image, pull="never", docker_args=options)
        await deployment.start()
        try:
            command = Command(command=load.work, shell=True, cwd="/workspace", timeout=SECONDS)  # noqa: S604 - theirs
            done = await deployment.runtime.execute(command)
        finally:
            await deployment.stop()
        return int(done.exit_code or 0)

    return asyncio.run(work())


def mini_swe_agent(load: Load, options: list[str]) -> int:
    """By `docker exec`, as mini-swe-agent does it; the command's exit code."""
    from minisweagent.environments.docker import DockerEnvironment  # type: ignore[import-not-found]

    # Its container ends by `docker stop`, and `sleep` does not heed SIGTERM: without this each takes ten seconds more.
    ends = ["--stop-signal", "SIGKILL"]
    place = DockerEnvironment(image=load.image, cwd="/workspace", run_args=["--rm", *ends, *options])
    try:
        return int(place.execute({"command": load.work}, timeout=SECONDS)["returncode"])
    finally:
        place.cleanup()


WORKERS = {"swe-rex": swe_rex, "mini-swe-agent": mini_swe_agent}


def main() -> None:
    """All tasks, once."""
    load = Load(**json.loads(sys.argv[1]))
    os.environ["MSWEA_SILENT_STARTUP"] = "1"
    os.environ["MSWEA_GLOBAL_CONFIG_DIR"] = f"{load.folder}/mini"
    logging.disable()
    with ThreadPoolExecutor(load.jobs) as threads:
        list(threads.map(load.task, range(load.tasks)))


if __name__ == "__main__":
    main()
