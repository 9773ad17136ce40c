"""The webhook: one POST to one host, verified, bounded, a few times at most; nothing that it answers has an effect."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from pydantic import ValidationError

from runner.model.notification import Notification
from runner.model.notify_settings import Webhook, url_fault
from runner.notify import webhook
from runner.notify.webhook import Receiver, tell_webhook

MESSAGE = Notification(
    event="end",
    batch="2026-11-21-night-aaaa",
    file="/tasks.toml",
    state="ended",
    title="Paddock: it ended",
    text="1 of 1",
    total=1,
    succeeded=1,
    failed=0,
    cost_usd=0.0,
)


class Server(ThreadingHTTPServer):
    """Answers with these codes, the last one again and again, and keeps what it was sent."""

    def __init__(self, *codes: int, location: str = "", tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.socket = tls.wrap_socket(self.socket, server_side=True) if tls else self.socket
        self.codes, self.location = list(codes), location
        self.seen: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?key=1"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.seen.append((self.path, dict(self.headers), body))
        codes = server.codes
        self.send_response(codes.pop(0) if len(codes) > 1 else codes[0])
        if server.location:
            self.send_header("Location", server.location)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving(*codes: int, location: str = "", tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    with Server(*codes, location=location, tls=tls) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "PAUSES", (0.01, 0.01))


def test_the_document_is_posted_once_with_its_header() -> None:
    with serving(204) as server:
        assert tell_webhook(Receiver(url=server.url, headers={"X-Key": "value"}), MESSAGE, 5) == ""
    ((path, headers, body),) = server.seen
    assert (path, headers["X-Key"], headers["Content-Type"]) == ("/hook?key=1", "value", "application/json")
    assert Notification.model_validate_json(body) == MESSAGE
    assert json.loads(body)["version"] == 1


@pytest.mark.parametrize(
    ("codes", "times", "trouble"),
    [
        ((503, 429, 200), 3, ""),
        ((500,), 3, "answers 500"),
        ((403,), 1, "answers 403"),
    ],
)
def test_what_may_pass_is_tried_again_a_few_times(codes: tuple[int, ...], times: int, trouble: str) -> None:
    with serving(*codes) as server:
        told = tell_webhook(Receiver(url=server.url), MESSAGE, 5)
    assert (told.endswith(trouble), bool(told), len(server.seen)) == (True, bool(trouble), times)


def test_a_redirect_is_not_followed_and_no_secret_goes_there() -> None:
    with serving(200) as elsewhere, serving(307, location=elsewhere.url) as server:
        told = tell_webhook(Receiver(url=server.url, headers={"X-Key": "value"}), MESSAGE, 5)
    assert told == "the webhook at 127.0.0.1 answers 307, and redirects are not followed"
    assert elsewhere.seen == []


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 200 OK\r\n"])
def test_a_server_that_never_comes_to_its_end_is_left(says: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def dawdle() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(says)
                while says and not over.wait(0.1):  # each byte in time for a bound on single reads
                    try:
                        connection.sendall(b"X-More: 1\r\n")
                    except OSError:
                        return
                over.wait(10)

        thread = threading.Thread(target=dawdle)
        thread.start()
        began = time.monotonic()
        told = tell_webhook(Receiver(url=f"http://127.0.0.1:{listener.getsockname()[1]}/"), MESSAGE, 0.5)
        took = time.monotonic() - began
        over.set()
        thread.join()
    assert "127.0.0.1" in told
    assert took < 5


@pytest.mark.parametrize("name", ["localhost", "other.test"])
def test_a_certificate_has_to_be_trusted_and_to_name_the_host(name: str, tmp_path: Path) -> None:
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    with serving(200, tls=context) as server:
        url = f"https://localhost:{server.server_port}/"
        known = tell_webhook(Receiver(url=url, authorities=file), MESSAGE, 5)
        unknown = tell_webhook(Receiver(url=url), MESSAGE, 5)
    refusal = "the webhook at localhost has a certificate that is not trusted"
    assert (known, unknown) == ("" if name == "localhost" else refusal, refusal)
    assert len(server.seen) == (name == "localhost")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://example.com/",
        "https://",
        "https://user:password@example.com/",
        "https://example.com/a b",
        "https://example.com/\r\nX-More: 1",
        "https://example.com:port/",
        "file:///etc/passwd",
        "https://ex\u0430mple.com/",
    ],
)
def test_a_url_that_nothing_can_be_posted_to_safely_is_refused_without_being_repeated(url: str) -> None:
    assert url_fault(url)
    with pytest.raises(ValidationError) as refused:
        Webhook(url=url)
    assert "user" not in refused.value.errors()[0]["msg"]


@pytest.mark.parametrize("header", ["", "X Y", "X:", "Host", "content-length", "X\r\nY"])
def test_a_header_that_would_say_something_else_is_refused(header: str) -> None:
    with pytest.raises(ValidationError):
        Webhook(url="https://example.com/", header=header)


def test_a_receiver_shows_neither_its_url_nor_its_headers() -> None:
    receiver = Receiver(url="https://example.com/s3cr3t", headers={"X": "s3cr3t"})
    assert "s3cr3t" not in repr(receiver) + receiver.shown
