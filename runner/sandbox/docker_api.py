"""The part of the engine's API that a run needs, call by call; see https://docs.docker.com/reference/api/engine/.

The Docker SDK speaks the rest of it (`docker_sdk.py`): loading it takes longer than all that a run asks in this way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from runner.sandbox.docker_http import UPGRADE, Answer, ApiError, Request, send

API_TIMEOUT = 60.0
RAN_ALREADY = 304
SCHEME = "unix://"

Query = Mapping[str, str | int]
Filters = Mapping[str, Sequence[str]]

_VERSION = re.compile(r"\d{1,3}\.\d{1,3}", re.ASCII)


class EngineApi:
    """The engine at `address` (`unix:///var/run/docker.sock`). Threads may share it: each call has its own connection.

    Every call raises `ApiError` when the engine refuses it, `NotFoundError` for what is not there, and `OSError` when
    it gives no proper answer, or is silent for 60 seconds; see `docker_http.py`.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    @cached_property
    def api_version(self) -> str:
        """The newest version of the API that the engine speaks, in which everything is asked. Asked once.

        Raises `OSError` alone: whoever gives no answer here is no engine.
        """
        try:
            with closing(self._send("GET", "/_ping", versioned=False)) as answer:
                version = answer.header("Api-Version")
        except (ApiError, TimeoutError) as error:
            raise ConnectionError(str(error)) from error
        if not _VERSION.fullmatch(version):
            raise ConnectionError("The engine does not tell which version of the API it speaks.")
        return version

    def info(self) -> Any:
        """The engine and its machine."""
        return self._get("/info")

    def version(self) -> Any:
        """The versions of the engine and its parts."""
        return self._get("/version")

    def events(self, *, until: str, filters: Filters) -> list[Any]:
        """What it remembers to have happened, up to a moment in seconds since 1970."""
        with closing(self._send("GET", "/events", {"since": 0, "until": until, "filters": _words(filters)})) as answer:
            return answer.documents()

    def inspect_image(self, name: str) -> Any:
        """One image. Raises `ImageNotFoundError`."""
        return self._get(f"/images/{quote(name, safe='/:')}/json")

    def images(self, filters: Filters) -> Any:
        """The images that match, in short."""
        return self._get("/images/json", {"filters": _words(filters)})

    def containers(self, filters: Filters, *, size: bool = False) -> Any:
        """The containers that match, running or not, in short; `size` has them measured."""
        return self._get("/containers/json", {"all": 1, "size": int(size), "filters": _words(filters)})

    def create_container(self, request: Mapping[str, Any], name: str) -> Any:
        """Make a container; answers its `Id` and `Warnings`."""
        return self._post("/containers/create", {"name": name}, request)

    def inspect_container(self, container: str) -> Any:
        """One container."""
        return self._get(_of("containers", container, "json"))

    def attach(self, container: str) -> Answer:
        """The output from now on, on a connection that is taken over."""
        query = {"stdout": 1, "stderr": 1, "stream": 1}
        return self._send("POST", _of("containers", container, "attach"), query, upgrade=True)

    def logs(self, container: str, *, follow: bool = False, tail: str = "all") -> Answer:
        """What was printed, as far as it is kept, each line with its time; with `follow` all that is to come, too."""
        query: Query = {"stdout": 1, "stderr": 1, "timestamps": 1, "follow": int(follow), "tail": tail}
        return self._send("GET", _of("containers", container, "logs"), query)

    def start(self, container: str) -> bool:
        """Start its first process; whether that was done: somebody else may have started it before."""
        with closing(self._send("POST", _of("containers", container, "start"))) as answer:
            answer.read()
            return answer.status != RAN_ALREADY

    def kill(self, container: str, signal: str) -> None:
        """Send a signal to its first process."""
        self._do("POST", _of("containers", container, "kill"), {"signal": signal})

    def wait(self, container: str, timeout: float) -> None:
        """Wait for its end. Raises `TimeoutError` when it does not come within `timeout` seconds."""
        with closing(self._send("POST", _of("containers", container, "wait"), timeout=timeout)) as answer:
            answer.document()  # the head comes at once

    def stats(self, container: str) -> Any:
        """What it uses, at this moment."""
        return self._get(_of("containers", container, "stats"), {"stream": 0, "one-shot": 1})

    def pause(self, container: str) -> None:
        """Make it stand still."""
        self._do("POST", _of("containers", container, "pause"))

    def unpause(self, container: str) -> None:
        """Let it go on."""
        self._do("POST", _of("containers", container, "unpause"))

    def remove_container(self, container: str) -> None:
        """Kill and remove it, with its anonymous volumes."""
        self._do("DELETE", _of("containers", container), {"v": 1, "force": 1})

    def exec_create(self, container: str, request: Mapping[str, Any]) -> Any:
        """Prepare another program in it; answers its `Id`."""
        return self._post(_of("containers", container, "exec"), {}, request)

    def exec_start(self, identifier: str, *, terminal: bool) -> Answer:
        """Start a program that was prepared; its input and output are the connection, which is taken over."""
        body = {"Tty": terminal, "Detach": False}
        return self._send("POST", _of("exec", identifier, "start"), body=body, upgrade=True)

    def exec_inspect(self, identifier: str) -> Any:
        """One such program."""
        return self._get(_of("exec", identifier, "json"))

    def exec_resize(self, identifier: str, rows: int, columns: int) -> None:
        """Set the size of its terminal."""
        self._do("POST", _of("exec", identifier, "resize"), {"h": rows, "w": columns})

    def _get(self, path: str, query: Query | None = None) -> Any:
        with closing(self._send("GET", path, query)) as answer:
            return answer.document()

    def _post(self, path: str, query: Query, body: Mapping[str, Any]) -> Any:
        with closing(self._send("POST", path, query, body=body)) as answer:
            return answer.document()

    def _do(self, method: str, path: str, query: Query | None = None) -> None:
        with closing(self._send(method, path, query)) as answer:
            answer.read()

    def _send(  # noqa: PLR0913 - each is a part of a request
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        timeout: float = API_TIMEOUT,
        upgrade: bool = False,
        versioned: bool = True,
    ) -> Answer:
        prefix = f"/v{self.api_version}" if versioned else ""
        headers = dict(UPGRADE) if upgrade else {"Connection": "close"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = None if body is None else json.dumps(body).encode()
        target = f"{prefix}{path}" + (f"?{urlencode(query)}" if query else "")
        return send(self.address.removeprefix(SCHEME), Request(method, target, headers, data), timeout)


def _of(kind: str, identifier: str, *more: str) -> str:
    """The path of one thing. An id is one word of it, whatever stands in it."""
    return "/".join(("", kind, quote(identifier, safe=""), *more))


def _words(filters: Filters) -> str:
    return json.dumps({name: list(values) for name, values in filters.items()})
