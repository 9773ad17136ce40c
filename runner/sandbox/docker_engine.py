"""The real engine, through the docker SDK's low-level client. All of Docker that Paddock uses is on this page.

`docker cp`, `export` and `commit` are never called: each lets a container's content act on the host
(CVE-2018-15664 and its successors).
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests.exceptions

from runner.errors import ContainerGoneError, EngineError, UnenforceableError
from runner.model.offer import Offer
from runner.model.spec import ROLE_LABEL, RUN_LABEL, STATE_LABEL, ImageRef, SandboxSpec
from runner.sandbox.docker_args import create_request, differences
from runner.sandbox.docker_errors import translated
from runner.sandbox.docker_exec import DockerInside, start_exec
from runner.sandbox.docker_streams import frames, hang_up, read_some
from runner.sandbox.engine import EngineFacts, Exit, Found, ImageFacts, Output, Usage
from runner.sandbox.images import ImageStore

API_TIMEOUT = 60
_LIMIT_FLAGS = {"memory": "MemoryLimit", "swap": "SwapLimit", "cpus": "CPUCfsQuota", "pids": "PidsLimit"}


class DockerEngine:
    """An `Engine` at `address` (`unix:///var/run/docker.sock`); nothing is opened before the first call."""

    def __init__(self, address: str, *, state_dir: Path, progress: Callable[[str], None]) -> None:
        self._address = address
        self._state_dir = state_dir
        self._progress = progress

    @cached_property
    def client(self) -> docker.APIClient:
        """The SDK's client, with the newest API that both sides speak."""
        with translated("be reached", self._address):
            client = docker.APIClient(base_url=self._address, version="auto", timeout=API_TIMEOUT)
        # requests would look at proxy variables and ~/.netrc for every call; the engine is asked without them.
        client.trust_env = False
        return client

    @cached_property
    def images(self) -> ImageStore:
        """The images of this engine."""
        return ImageStore(self.client, state_dir=self._state_dir, progress=self._progress)

    def facts(self) -> EngineFacts:
        """See `Engine.facts`."""
        client = self.client
        with translated("describe itself"):
            info, version = client.info(), client.version()
        return _facts(info, version)

    def image(self, name: str) -> ImageFacts:
        """See `Engine.image`."""
        return self._facts_of(self.images.resolve(name) if name else self.images.base())

    def offered(self, offer: Offer, parts: str = "") -> ImageFacts:
        """See `Engine.offered`."""
        from runner.sandbox.foreign_images import ForeignImages  # few runs ask for it

        image = ForeignImages(self.client, self.images, self._progress).obtain(offer)
        return self._facts_of(self.images.onto(image, parts) if parts else image)

    def _facts_of(self, ref: ImageRef) -> ImageFacts:
        with translated("inspect the image"):
            config = self.client.inspect_image(ref.id or ref.name)["Config"] or {}
        pairs = [entry.partition("=") for entry in config.get("Env") or []]
        return ImageFacts(
            ref=ref,
            environment={name: value for name, _, value in pairs},
            volumes=tuple(sorted(config.get("Volumes") or {})),
        )

    def registries(self, image: ImageRef) -> Mapping[str, tuple[str, ...]]:
        """See `Engine.registries`."""
        from runner.sandbox.registries import registries_of  # only where a policy names such a group

        return registries_of(self, image, self._state_dir)

    def create(self, spec: SandboxSpec, secrets: Mapping[str, str]) -> DockerBox:
        """See `Engine.create`."""
        request = create_request(spec, secrets)
        with translated("create the container"):
            answer = self.client.create_container_from_config(request, spec.name)
        box = DockerBox(self.client, answer["Id"], request)
        if answer.get("Warnings"):
            # The engine says here, and nowhere else, that it dropped a limit (promise 9).
            box.close()
            raise UnenforceableError("Docker would not apply all limits: " + "; ".join(answer["Warnings"]))
        return box

    def open(self, container: str) -> DockerBox:
        """See `Engine.open`."""
        with translated("find the container"):
            self.client.inspect_container(container)
        return DockerBox(self.client, container, None)

    def find(self, *, run: str = "", state: str = "") -> list[Found]:
        """See `Engine.find`."""
        labels = [f"{RUN_LABEL}={run}" if run else RUN_LABEL, *([f"{STATE_LABEL}={state}"] if state else [])]
        with translated("list its containers"):
            rows = self.client.containers(all=True, filters={"label": labels})
        return [
            Found(
                id=row["Id"],
                name=(row.get("Names") or [""])[0].lstrip("/"),
                run=row["Labels"][RUN_LABEL],
                role=row["Labels"].get(ROLE_LABEL, ""),
                running=row.get("State") in {"running", "paused", "restarting"},
            )
            for row in rows
        ]


class DockerBox:
    """One container of the real engine; see `Box`."""

    def __init__(self, client: docker.APIClient, container: str, request: dict[str, Any] | None) -> None:
        self._client = client
        self._request = request
        self._stream: Any = None
        self.id = container

    def differences(self) -> list[str]:
        """See `Box.differences`."""
        if self._request is None:
            return []
        with translated("inspect the container"):
            return differences(self._request, self._client.inspect_container(self.id))

    def attach(self) -> Iterator[Output]:
        """See `Box.attach`. Attached at once, not at the first `next`: nothing that is printed may be missed."""
        with translated("attach to the container"):
            self._stream = self._client.attach_socket(self.id, params={"stdout": 1, "stderr": 1, "stream": 1})
        # A silent agent is not a broken connection: the idle limit is the watchdog's.
        self._stream._sock.settimeout(None)
        return _attached(self._stream)

    def start(self) -> None:
        """See `Box.start`."""
        with translated("start the container"):
            self._client.start(self.id)

    def signal(self, name: str) -> None:
        """See `Box.signal`."""
        try:
            self._client.kill(self.id, name)
        except docker.errors.APIError as error:
            if error.status_code not in {404, 409}:  # gone, or not running
                raise EngineError(f"Docker could not send {name} to the container: {error.explanation}") from error
        except requests.exceptions.RequestException as error:
            raise EngineError(f"Docker could not send {name} to the container.") from error

    def wait(self, deadline: float) -> Exit | None:
        """See `Box.wait`."""
        with translated("wait for the container"):
            try:
                self._client.wait(self.id, timeout=max(deadline, 0.01))  # type: ignore[arg-type] # seconds, a float will do
            except (requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError) as error:
                if not _timed_out(error):
                    raise
                return None
            state = self._client.inspect_container(self.id)["State"]
        return Exit(code=state["ExitCode"], out_of_memory=bool(state.get("OOMKilled")), error=state.get("Error") or "")

    def usage(self) -> Usage | None:
        """See `Box.usage`."""
        try:
            stats = self._client.stats(self.id, stream=False, one_shot=True)
        except (docker.errors.DockerException, requests.exceptions.RequestException):
            return None
        return _usage(stats)

    def written(self) -> int:
        """See `Box.written`."""
        with translated("measure the container"):
            rows = self._client.containers(all=True, size=True, filters={"id": self.id})
        return int(rows[0].get("SizeRw") or 0) if rows else 0

    def exec(self, argv: Sequence[str], environment: Mapping[str, str], *, terminal: bool = False) -> DockerInside:
        """See `Box.exec`."""
        return start_exec(self._client, self.id, argv, environment, terminal=terminal)

    def hang_up(self) -> None:
        """See `Box.hang_up`."""
        if self._stream is not None and not self._stream.closed:
            with contextlib.suppress(OSError):
                self._stream._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """See `Box.close`."""
        if self._stream is not None:
            hang_up(self._stream)
        with contextlib.suppress(ContainerGoneError), translated("remove the container"):
            self._remove()

    def _remove(self) -> None:
        """Remove; "removal in progress" and "device or resource busy" pass by themselves."""
        try:
            self._remove_once()
        except docker.errors.APIError:
            from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_chain, wait_fixed

            time.sleep(0.1)
            pauses = wait_chain(wait_fixed(0.5), wait_fixed(2.0))
            failed = retry_if_exception_type(docker.errors.APIError)
            Retrying(stop=stop_after_attempt(3), wait=pauses, retry=failed, reraise=True)(self._remove_once)

    def _remove_once(self) -> None:
        with contextlib.suppress(docker.errors.NotFound):
            self._client.remove_container(self.id, v=True, force=True)


def _timed_out(error: BaseException) -> bool:
    """The SDK reports a passed deadline in two ways, by where urllib3 noticed it."""
    return isinstance(error, requests.exceptions.ReadTimeout) or "Read timed out" in str(error)


def _attached(stream: Any) -> Iterator[Output]:
    yield from frames(partial(read_some, stream))
    hang_up(stream)


def _facts(info: dict[str, Any], version: dict[str, Any]) -> EngineFacts:
    return EngineFacts(
        version=version.get("Version", ""),
        api_version=version.get("ApiVersion", ""),
        cpus=int(info.get("NCPU") or 0),
        memory=int(info.get("MemTotal") or 0),
        storage_driver=info.get("Driver", ""),
        root_dir=info.get("DockerRootDir", ""),
        cgroup_version=str(info.get("CgroupVersion") or "1"),
        runtimes=tuple(sorted(info.get("Runtimes") or {})),
        default_runtime=info.get("DefaultRuntime", ""),
        security=tuple(info.get("SecurityOptions") or ()),
        missing_limits=tuple(name for name, flag in _LIMIT_FLAGS.items() if info.get(flag) is False),
        components={row["Name"]: row["Version"] for row in version.get("Components") or []},
    )


def _usage(stats: dict[str, Any]) -> Usage | None:
    memory = stats.get("memory_stats") or {}
    if not memory:
        return None
    writes = [
        int(row["value"])
        for row in (stats.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
        if row.get("op", "").lower() == "write"
    ]
    nanoseconds = (stats.get("cpu_stats") or {}).get("cpu_usage", {}).get("total_usage")
    return Usage(
        memory=memory.get("max_usage") or memory.get("usage"),
        pids=(stats.get("pids_stats") or {}).get("current"),
        cpu_seconds=None if nanoseconds is None else nanoseconds / 1e9,
        bytes_written=sum(writes) if writes else None,
    )
