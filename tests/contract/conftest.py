"""Two engines, one bench: every test of this folder runs on the fake engine and on a real one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import runner.sandbox
from runner.model.quantities import Bytes
from runner.model.spec import (
    ROLE_LABEL,
    RUN_LABEL,
    STATE_LABEL,
    Mount,
    Role,
    SandboxLimits,
    SandboxSpec,
    Tmpfs,
)
from runner.sandbox.docker_engine import DockerEngine
from runner.sandbox.engine import Box, Engine
from runner.sandbox.fake import FakeEngine
from runner.settings import load_settings
from tests.contract.programs import FOLDER, SHARED, fake_beside, fake_programs, write_scripts

MIB = 2**20
UID = os.geteuid() or 1000
RUNTIME = os.environ.get("PADDOCK_CONTRACT_RUNTIME", "runc")
"""The runtime that the suite is run with: another one has to keep the same contract."""
INSIDE = Path(runner.sandbox.__file__).with_name("inside")


class Bench:
    """One engine and what a test needs around it; removes what it created."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.state = f"{folder}/state"
        self.run = f"contract-{secrets.token_hex(6)}"
        self._boxes: list[Box] = []
        for name in ("programs", "shared", "control"):
            (folder / name).mkdir()
        if os.geteuid() == 0:
            os.chown(folder / "shared", UID, UID)
        write_scripts(folder / "programs")

    def spec(self, *argv: str, proved: bool = False, **details: object) -> SandboxSpec:
        """The spec of a container that runs one of the programs; `proved` puts the shim before it."""
        mounts = [
            Mount(source=f"{self.folder}/programs", target=FOLDER),
            Mount(source=f"{self.folder}/shared", target=SHARED, mode="rw"),
        ]
        if proved:
            mounts += [
                Mount(source=str(INSIDE), target="/paddock/inside"),
                Mount(source=f"{self.folder}/control", target="/paddock/control"),
            ]
        shim = ("python3", "-I", "-S", "-B", "/paddock/inside/first.py", "/paddock/control/launch.sock", "--")
        plain = SandboxSpec(
            run=self.run,
            role=Role.SANDBOX,
            name=f"paddock-{self.run}-{len(self._boxes)}",
            hostname="contract",
            image=self.engine.image("").ref,
            entrypoint=shim if proved else ("env",),
            argv=(f"{FOLDER}/{argv[0]}", *argv[1:]),
            environment={"PLAIN": "plain value"},
            uid=UID,
            gid=UID,
            workdir="/",
            mounts=tuple(mounts),
            tmpfs=(Tmpfs(target="/tmp", size=Bytes(MIB)),),
            limits=SandboxLimits(
                cpus=1.0,
                memory=Bytes((64 if RUNTIME == "runc" else 128) * MIB),
                pids=64 if RUNTIME == "runc" else 512,  # gVisor's own threads count
                shm=Bytes(MIB),
                open_files=1024,
                file_size=Bytes(64 * MIB),
            ),
            runtime=RUNTIME,
            log_size=Bytes(MIB),
            labels={RUN_LABEL: self.run, ROLE_LABEL: Role.SANDBOX.value, STATE_LABEL: self.state},
        )
        return plain.model_copy(update=details)

    def create(self, *argv: str, secrets: Mapping[str, str] | None = None, **details: object) -> Box:
        """A created container."""
        return self.keep(self.engine.create(self.spec(*argv, **details), secrets or {}))  # type: ignore[arg-type]

    def keep(self, box: Box) -> Box:
        """Remove a container after the test."""
        self._boxes.append(box)
        return box

    def close(self) -> None:
        """Remove what was created."""
        for box in self._boxes:
            box.close()


@pytest.fixture(params=["fake", pytest.param("docker", marks=pytest.mark.docker)])
def bench(request: pytest.FixtureRequest, tmp_path: Path, state_dir: Path) -> Iterator[Bench]:
    """The bench, once with each engine."""
    if request.param == "fake":
        fake = FakeEngine(fake_programs())
        fake.beside = dict(fake_beside())
        bench = Bench(fake, tmp_path)
        yield bench
        bench.close()
        return
    engine = DockerEngine(load_settings().engine, state_dir=state_dir, progress=print)
    bench = Bench(engine, tmp_path)
    yield bench
    bench.close()
