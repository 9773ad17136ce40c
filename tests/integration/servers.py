"""Small servers for real programs: pages, events, websockets, git over HTTP, a Python index, an npm registry."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import ClassVar

WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, 1.3."""
PACKAGE = "tiny"
ANSWER = 42
"""What the package says, in both languages."""


class Quiet(BaseHTTPRequestHandler):
    """HTTP/1.1 without a word on standard error."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def page(self, body: bytes, kind: str = "text/plain", code: int = 200) -> None:
        """A whole answer."""
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Web(Quiet):
    """Pages, a stream of events, and an echo over websockets."""

    seen: ClassVar[threading.Event] = threading.Event()

    def do_GET(self) -> None:
        """One of them."""
        if self.path == "/events":
            self.events()
        elif self.headers.get("Upgrade", "").lower() == "websocket":
            self.websocket()
        else:
            if self.path == "/seen":
                self.seen.set()
            self.page(f"you asked {self.headers.get('Host')} for {self.path}\n".encode())

    def events(self) -> None:
        """Two events; the second comes only after somebody who has read the first said so at `/seen`."""
        self.seen.clear()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        seen = self.seen.wait(20)
        self.wfile.write(b"data: second, after the first was seen\n\n" if seen else b"data: too late\n\n")
        self.close_connection = True

    def websocket(self) -> None:
        """One text message, sent back."""
        accept = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + WEBSOCKET_GUID).encode()).digest()  # noqa: S324
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accept).decode())
        self.end_headers()
        _, size = self.rfile.read(2)
        mask, data = self.rfile.read(4), self.rfile.read(size & 127)
        text = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
        self.wfile.write(bytes([0x81, len(text)]) + text + b"\x88\x02\x03\xe8")
        self.rfile.read(8)  # the close frame's answer
        self.close_connection = True


class Index(Quiet):
    """A Python index and an npm registry with one package each; which is asked is in the path."""

    def do_GET(self) -> None:
        """A page of the index, a document of the registry, or an archive."""
        pages = {
            f"/simple/{PACKAGE}/": ("text/html", f'<a href="/{WHEEL_NAME}">{WHEEL_NAME}</a>'.encode()),
            f"/{WHEEL_NAME}": ("application/octet-stream", wheel()),
            f"/{PACKAGE}": ("application/json", packument(self.headers["Host"])),
            f"/{PACKAGE}/-/{PACKAGE}-1.0.0.tgz": ("application/octet-stream", npm_archive()),
        }
        kind, body = pages.get(self.path, ("text/plain", b""))
        self.page(body, kind, 200 if body else 404)


WHEEL_NAME = f"{PACKAGE}-1.0.0-py3-none-any.whl"


def wheel() -> bytes:
    """A wheel with one module."""
    info = f"{PACKAGE}-1.0.0.dist-info"
    files = {
        f"{PACKAGE}.py": f"ANSWER = {ANSWER}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": f"{PACKAGE}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


def npm_archive() -> bytes:
    """A package with one module."""
    files = {
        "package/package.json": json.dumps({"name": PACKAGE, "version": "1.0.0", "main": "index.js"}),
        "package/index.js": f"module.exports = {ANSWER};\n",
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def packument(host: str) -> bytes:
    """What the registry knows of the package; its archive is at the same host."""
    version = {
        "name": PACKAGE,
        "version": "1.0.0",
        "dist": {"tarball": f"https://{host}/{PACKAGE}/-/{PACKAGE}-1.0.0.tgz"},
    }
    return json.dumps({"name": PACKAGE, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}).encode()


def git_server(root: Path) -> type[Quiet]:
    """The repositories below `root` over smart HTTP, by git's own http-backend; anybody may push."""

    class GitServer(Quiet):
        """One request to the backend, as a CGI program."""

        def do_GET(self) -> None:
            """Read."""
            self.backend(b"")

        def do_POST(self) -> None:
            """Fetch or push."""
            self.backend(self.rfile.read(int(self.headers["Content-Length"])))

        def backend(self, body: bytes) -> None:
            """What the backend says."""
            path, _, query = self.path.partition("?")
            done = subprocess.run(
                ["git", "-c", "http.receivepack=true", "-c", "safe.directory=*", "http-backend"],
                input=body,
                capture_output=True,
                check=True,
                env={
                    "PATH": os.environ["PATH"],
                    "GIT_PROJECT_ROOT": str(root),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "PATH_INFO": path,
                    "QUERY_STRING": query,
                    "REQUEST_METHOD": self.command,
                    "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                },
            )
            head, _, rest = done.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.page(rest, fields["Content-Type"], int(fields.get("Status", "200").split()[0]))

    return GitServer
