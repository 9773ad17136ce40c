"""One request to the fake model over plain HTTP or TLS, and a strict reading of its server-sent events."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any, NamedTuple

from tests.models.server import ModelServer


class Raw(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    server: ModelServer,
    path: str,
    body: Any = None,
    *,
    method: str = "POST",
    tls: ssl.SSLContext | None = None,
    timeout: float = 10,
) -> Raw:
    """One request on a connection of its own. Raises what `http.client` raises."""
    connection = (
        http.client.HTTPSConnection("127.0.0.1", server.port, timeout=timeout, context=tls)
        if tls
        else http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
    )
    try:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, data if method == "POST" else None, {"X-Api-Key": "sk-test-0123456789abcdef"})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Raw(response.status, headers, response.read())
    finally:
        connection.close()


def events(body: bytes) -> list[tuple[str, Any]]:
    """Server-sent events: name and data. Every byte must belong to one."""
    assert body.endswith(b"\n\n")
    found = []
    for block in body.decode().removesuffix("\n\n").split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        assert set(lines) <= {"event", "data"}
        data = lines["data"]
        found.append((lines.get("event", ""), data if data == "[DONE]" else json.loads(data)))
    return found
