"""The real engine, through its HTTP API (`docker_api.py`): what a run asks of Docker, and what it makes of the answers.

`docker cp`, `export` and `commit` are never called: each lets a container's content act on the host
(CVE-2018-15664 and its successors).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import ContainerGoneError, EngineError, PaddockError, RefusedError, UnenforceableError
from runner.model.settings import engine_fault
from runner.model.spec import ROLE_LABEL, RUN_LABEL, STATE_LABEL, ImageRef, SandboxSpec
from runner.sandbox.docker_api import EngineApi
from runner.sandbox.docker_args import create_request, differences
from runner.sandbox.docker_ends import exit_of
from runner.sandbox.docker_errors import translated
from runner.sandbox.docker_exec import DockerInside, start_exec
from runner.sandbox.docker_facts import facts_of, usage_of
from runner.sandbox.docker_http import Answer, ApiError, NotFoundError
from runner.sandbox.docker_streams import frames
from runner.sandbox.engine import EngineFacts, Exit, Found, ImageFacts, Output, Times, Usage
from runner.sandbox.host_processes import freeze_beside, kill_beside, processes_beside
from runner.sandbox.images import ImageStore
from runner.sandbox.same_places import as_the_engine_sees, mapped
from runner.sandbox.unseen import same_files

if TYPE_CHECKING:
    from runner.model.offer import Offer


class DockerEngine:
    """An `Engine` at `address` (`unix:///var/run/docker.sock`); nothing is opened before the first call."""

    def __init__(
        self,
        address: str,
        *,
        state_dir: Path,
        progress: Callable[[str], None],
        path_map: Mapping[str, str] | None = None,
    ) -> None:
        self._address = address
        self._path_map = path_map or {}
        self._state_dir = state_dir
        self._progress = progress

    @cached_property
    def client(self) -> EngineApi:
        """The engine's API, once it has answered. Raises `RefusedError` for another machine's."""
        if fault := engine_fault(self._address):
            raise RefusedError(f"{fault.removesuffix('.')}.")
        api = EngineApi(self._address)
        with translated("be reached", self._address):
            _ = api.api_version
        return api

    @cached_property
    def images(self) -> ImageStore:
        """The images of this engine."""
        return ImageStore(self.client, state_dir=self._state_dir, progress=self._progress)

    def facts(self) -> EngineFacts:
        """See `Engine.facts`."""
        client = self.client
        with translated("describe itself"):
            info, version = client.info(), client.version()
        return facts_of(info, version)

    def image(self, name: str) -> ImageFacts:
        """See `Engine.image`."""
        return self._facts_of(self.images.resolve(name), shipped=self.images.ships(name))

    def offered(self, offer: Offer, parts: str = "") -> ImageFacts:
        """See `Engine.offered`."""
        from runner.sandbox.foreign_images import ForeignImages  # few runs ask for it

        image = ForeignImages(self.client, self.images, self._progress).obtain(offer)
        return self._facts_of(self.images.onto(image, parts) if parts else image)

    def _facts_of(self, ref: ImageRef, *, shipped: bool = False) -> ImageFacts:
        with translated("inspect the image"):
            config = self.client.inspect_image(ref.id or ref.name)["Config"] or {}
        pairs = [entry.partition("=") for entry in config.get("Env") or []]
        values, volumes = {name: value for name, _, value in pairs}, tuple(sorted(config.get("Volumes") or {}))
        return ImageFacts(ref=ref, environment=values, volumes=volumes, shipped=shipped)

    def registries(self, image: ImageRef) -> Mapping[str, tuple[str, ...]]:
        """See `Engine.registries`."""
        from runner.sandbox.registries import registries_of  # only where a policy names such a group

        return registries_of(self, image, self._state_dir)

    def create(self, spec: SandboxSpec, secrets: Mapping[str, str]) -> DockerBox:
        """See `Engine.create`."""
        request = create_request(as_the_engine_sees(spec, self._path_map), secrets)
        with translated("create the container"), same_files(spec):
            answer = self.client.create_container(request, spec.name)
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
        labels = [
            f"{RUN_LABEL}={run}" if run else RUN_LABEL,
            *([f"{STATE_LABEL}={mapped(state, self._path_map)}"] if state else []),
        ]
        with translated("list its containers"):
            rows = self.client.containers({"label": labels})
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

    def __init__(self, client: EngineApi, container: str, request: dict[str, Any] | None) -> None:
        self._client = client
        self._request = request
        self._stream: Answer | None = None
        self._pid: int | None = None
        self._killed = self._frozen = False
        """Whether that was done to it without Docker, which does not know."""
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
            self._stream = stream = self._client.attach(self.id)
        stream.wait_for_ever()  # the idle limit is the watchdog's
        return _attached(stream)

    def replay(self) -> Iterator[Output]:
        """See `Box.replay`."""
        from runner.sandbox.docker_logs import open_kept  # only where a Paddock died

        if self._stream is not None:
            self._stream.close()
        with translated("read the container's output"):
            kept = open_kept(self._client, self.id)
        self._stream = kept.answer
        return kept.pieces()

    def times(self) -> Times:
        """See `Box.times`."""
        from runner.sandbox.docker_logs import times_of

        with translated("inspect the container"):
            return times_of(self._client, self.id)

    def variables(self) -> dict[str, str]:
        """See `Box.variables`."""
        with translated("inspect the container"):
            entries = self._client.inspect_container(self.id)["Config"]["Env"] or []
        return {name: value for name, _, value in (entry.partition("=") for entry in entries)}

    def start(self) -> bool:
        """See `Box.start`."""
        with translated("start the container"):
            return self._client.start(self.id)

    def signal(self, name: str) -> None:
        """See `Box.signal`."""
        if name == "SIGKILL" and self._pid and kill_beside(self._pid, self.id):
            self._killed = True
            if self._freeze(frozen=False):  # what stands still does not die
                return
        try:
            self._client.kill(self.id, name)
        except ApiError as error:
            if error.status_code not in {404, 409}:  # gone, or not running
                raise EngineError(f"Docker could not send {name} to the container: {error.explanation}") from error
        except OSError as error:
            raise EngineError(f"Docker could not send {name} to the container.") from error

    def wait(self, deadline: float) -> Exit | None:
        """See `Box.wait`."""
        with translated("wait for the container"):
            try:
                self._client.wait(self.id, max(deadline, 0.01))
            except TimeoutError:
                return None
            self._pid = 0  # there are no processes any more
            return exit_of(self._client, self.id, signalled=self._killed)

    def usage(self) -> Usage | None:
        """See `Box.usage`."""
        try:
            stats = self._client.stats(self.id)
        except (ApiError, OSError):
            return None
        return usage_of(stats)

    def written(self) -> int:
        """See `Box.written`."""
        with translated("measure the container"):
            rows = self._client.containers({"id": [self.id]}, size=True)
        return int(rows[0].get("SizeRw") or 0) if rows else 0

    def processes(self) -> list[int]:
        """See `Box.processes`."""
        if self._pid is None:
            with translated("inspect the container"):
                self._pid = int(self._client.inspect_container(self.id)["State"].get("Pid") or 0) or None
        return processes_beside(self._pid or 0, self.id)

    def pause(self) -> None:
        """See `Box.pause`. Without the engine where that can be done: it needs a tenth of a second or more for it."""
        if self._frozen:
            raise EngineError("Docker could not pause the container: it is paused.")
        if self._freeze(frozen=True):
            return
        with translated("pause the container"):
            self._client.pause(self.id)

    def unpause(self) -> None:
        """See `Box.unpause`."""
        if self._frozen and self._freeze(frozen=False):
            return
        try:
            with translated("let the container go on"):
                self._client.unpause(self.id)
        finally:
            self._freeze(frozen=False)  # another Paddock may have frozen it

    def _freeze(self, *, frozen: bool) -> bool:
        with contextlib.suppress(PaddockError):
            self.processes()  # from now on the first one is known
        done = freeze_beside(self._pid or 0, self.id, frozen=frozen)
        self._frozen = frozen and done
        return done

    def exec(self, argv: Sequence[str], environment: Mapping[str, str], *, terminal: bool = False) -> DockerInside:
        """See `Box.exec`."""
        return start_exec(self._client, self.id, argv, environment, terminal=terminal)

    def hang_up(self) -> None:
        """See `Box.hang_up`."""
        if self._stream is not None:
            self._stream.hang_up()

    def close(self) -> None:
        """See `Box.close`."""
        if self._stream is not None:
            self._stream.close()
        with contextlib.suppress(ContainerGoneError), translated("remove the container"):
            self._remove()

    def _remove(self) -> None:
        """Remove; "removal in progress" and "device or resource busy" pass by themselves."""
        try:
            self._remove_once()
        except ApiError:
            from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_chain, wait_fixed

            self._freeze(frozen=False)  # a Paddock that died may have frozen it, which an old runc cannot kill
            time.sleep(0.1)
            pauses = wait_chain(wait_fixed(0.5), wait_fixed(2.0))
            failed = retry_if_exception_type(ApiError)
            Retrying(stop=stop_after_attempt(3), wait=pauses, retry=failed, reraise=True)(self._remove_once)

    def _remove_once(self) -> None:
        with contextlib.suppress(NotFoundError):
            self._client.remove_container(self.id)


def _attached(stream: Answer) -> Iterator[Output]:
    yield from frames(stream.raw)
    stream.close()
