"""A model's API over TLS on loopback, and a host that has its key: what tests of injection share."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme

from runner.model.result import RunResult
from runner.model.task import Task
from runner.run.execute import run_task
from tests.integration.internet import Internet
from tests.integration.library import Library

KEY = "sk-test-0123456789abcdef"
POLICY = """\
extends = "offline"
[network]
mode = "allow"
allow = []
[[network.inject]]
host = "api.test"
header = "x-api-key"
secret = "API_KEY"
[[network.inject]]
host = "api.test"
header = "authorization"
secret = "API_KEY"
"""


class Model(BaseHTTPRequestHandler):
    """A model's API that repeats every header that it was given."""

    protocol_version = "HTTP/1.1"
    heard: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.heard.append({"path": self.path, "headers": self.headers.items(), "body": body.decode()})
        answer = json.dumps(dict(self.headers.items())).encode()
        self.send_response(307 if self.path == "/away" else 200)
        self.send_header("Location", "http://other.test/steal")
        self.send_header("X-Echo", self.headers.get("X-Api-Key", ""))
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def model_server(authority: trustme.CA, name: str) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """The API over TLS on loopback: its port, and what it hears."""
    heard: list[dict[str, Any]] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Heard", (Model,), {"heard": heard})) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port, heard
        server.shutdown()
        thread.join()


class Desk:
    """A host that has the key, and an internet with the API in it."""

    def __init__(self, library: Library, folder: Path, authority: trustme.CA) -> None:
        self.library = library
        self.folder = folder
        self.internet = Internet()
        self.policy = folder / "policy.toml"
        self.policy.write_text(POLICY)
        self.variables = {"API_KEY": KEY}
        self.ca = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self.ca))

    def run(self, repo: Path, script: str, **settings: Any) -> RunResult:
        host = self.library.host
        host = replace(
            host,
            outside=self.internet.outside(),
            variable=self.variables.get,
            settings=host.settings.model_copy(update={"extra_ca": self.ca, **settings}),
        )
        return run_task(Task(repo=str(repo), argv=("sh", "-c", script), policy=str(self.policy)), host)
