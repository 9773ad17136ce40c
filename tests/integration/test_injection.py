"""A credential that the sandbox never holds: added outside, for its own host alone, and masked on the way back."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme

from runner.errors import PolicyError, RefusedError
from runner.model.result import Outcome
from runner.model.settings import SecretSource
from tests.integration.injection_kit import KEY, POLICY, Desk, model_server
from tests.integration.internet import PUBLIC


def texts_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_the_server_gets_the_key_and_the_sandbox_never_sees_it(
    desk: Desk, repository: Path, authority: trustme.CA
) -> None:
    script = """
        curl -sS -i -m 10 -H 'X-Api-Key: mine' -H 'Authorization: Bearer mine' -H 'Cookie: a=b' \
            -H 'Accept-Encoding: gzip' -d question http://api.test/v1/messages
        env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null; ls /paddock /paddock/control
    """
    with model_server(authority, "api.test") as (port, heard):
        desk.internet.serve("api.test", 443, port)
        result = desk.run(repository, script)
    assert (result.outcome, len(heard)) == (Outcome.NO_CHANGES, 1)
    headers = {name.lower(): value for name, value in heard[0]["headers"]}
    assert (headers["x-api-key"], headers["authorization"]) == (KEY, f"Bearer {KEY}")
    assert (headers["accept-encoding"], "cookie" in headers, heard[0]["body"]) == ("identity", False, "question")
    assert [name.lower() for name, _ in heard[0]["headers"]].count("x-api-key") == 1
    log = Path(result.paths["log"]).read_text()
    assert "200 OK" in log
    assert f'"x-api-key": "{"*" * len(KEY)}"' in log.lower()
    assert KEY.encode() not in texts_below(Path(result.paths["run"]))
    assert desk.internet.dialled == [(PUBLIC, 443)]


def test_a_redirect_is_the_sandboxs_to_follow_and_the_key_stays_behind(
    desk: Desk, repository: Path, authority: trustme.CA
) -> None:
    with model_server(authority, "api.test") as (port, heard):
        desk.internet.serve("api.test", 443, port)
        result = desk.run(repository, "curl -sS -L -m 10 http://api.test/away; echo $?")
    assert [each["path"] for each in heard] == ["/away"]
    assert [(row.name, row.reason) for row in result.denials] == [("other.test", "not-listed")]


@pytest.mark.parametrize("name", ["other.test"])
def test_a_server_that_is_not_the_host_gets_nothing(
    desk: Desk, repository: Path, authority: trustme.CA, name: str
) -> None:
    with model_server(authority, name) as (port, heard):
        desk.internet.serve("api.test", 443, port)
        result = desk.run(repository, "curl -sS -m 10 http://api.test/ && exit 9; exit 0")
    assert (result.agent_exit_code, heard) == (0, [])
    assert ("api.test", 80, "upstream: certificate") in {(row.name, row.port, row.reason) for row in result.denials}


def test_an_authority_that_nobody_named_is_not_trusted(desk: Desk, repository: Path, authority: trustme.CA) -> None:
    with model_server(authority, "api.test") as (port, heard):
        desk.internet.serve("api.test", 443, port)
        desk.run(repository, "curl -sS -m 10 http://api.test/", extra_ca=None)
    assert heard == []


ATTACKS = {
    "absolute": b"GET http://other.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n",
    "host": b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n",
    "two-hosts": b"GET / HTTP/1.1\r\nHost: api.test\r\nHost: other.test\r\n\r\n",
    "trace": b"TRACE / HTTP/1.1\r\nHost: api.test\r\n\r\n",
    "space": b"GET / HTTP/1.1\r\nHost: api.test\r\nX-Api-Key : mine\r\n\r\n",
    "fold": b"GET / HTTP/1.1\r\nHost: api.test\r\nX-A: 1\r\n X-Api-Key: mine\r\n\r\n",
    "lengths": b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "trailer": b"POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Api-Key: mine\r\n\r\n",
    "websocket": b"GET / HTTP/1.1\r\nHost: api.test\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    "h2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}
SEND = """
import socket, sys
for word in sys.argv[1:]:
    with socket.create_connection(("api.test", 80), 10) as end:
        end.sendall(bytes.fromhex(word))
        try:
            print(end.recv(65536)[:12])
        except OSError:
            print(b'')
"""


def test_a_request_that_could_be_read_in_two_ways_is_given_no_key(
    desk: Desk, repository: Path, authority: trustme.CA
) -> None:
    words = " ".join(attack.hex() for attack in (*ATTACKS.values(), b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n"))
    with model_server(authority, "api.test") as (port, heard):
        desk.internet.serve("api.test", 443, port)
        result = desk.run(repository, f"cat > /tmp/send.py <<'EOF'\n{SEND}\nEOF\npython3 /tmp/send.py {words}")
    assert Path(result.paths["log"]).read_text().splitlines()[-1] == "b'HTTP/1.1 200'"
    whole = [each for each in heard if dict(each["headers"]).get("x-api-key") == KEY]
    assert len(whole) == 1, whole


def test_a_missing_secret_refuses_the_run_before_anything_starts(desk: Desk, repository: Path) -> None:
    desk.variables.clear()
    with pytest.raises(RefusedError, match="API_KEY: the variable API_KEY is not set"):
        desk.run(repository, "true")
    assert not (desk.library.host.settings.state_dir / "runs").exists()


def test_a_secret_may_come_from_a_file_or_a_command(desk: Desk, repository: Path, authority: trustme.CA) -> None:
    file = desk.folder / "key"
    file.write_text(KEY + "\n")
    file.chmod(0o600)
    desk.variables.clear()
    with model_server(authority, "api.test") as (port, heard):
        desk.internet.serve("api.test", 443, port)
        for source in (SecretSource(file=file), SecretSource(command=("cat", str(file)))):
            desk.run(repository, "curl -sS -m 10 http://api.test/", secrets={"API_KEY": source})
    assert [dict(each["headers"])["x-api-key"] for each in heard] == [KEY, KEY]


@pytest.mark.parametrize("denied", ["api.test", "api.test:443"])
def test_deny_beats_inject(desk: Desk, repository: Path, denied: str) -> None:
    desk.policy.write_text(POLICY.replace("allow = []", f'deny = ["{denied}"]'))
    with pytest.raises(PolicyError, match=r"api\.test is in network\.deny"):
        desk.run(repository, "true")


def test_a_stream_arrives_while_it_is_being_sent(desk: Desk, repository: Path, authority: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("api.test").configure_cert(context)
    asked = threading.Event()

    def serve(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with context.wrap_socket(peer, server_side=True) as end:
            end.recv(65536)
            end.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: one\n\n")
            end.recv(65536)  # the second word, which is only sent when the first event has arrived
            asked.set()
            end.sendall(b"data: two\n\n")

    program = (
        "import socket\n"
        "end = socket.create_connection(('api.test', 80), 10)\n"
        "end.sendall(b'POST / HTTP/1.1\\r\\nHost: api.test\\r\\nContent-Length: 3\\r\\n\\r\\n')\n"
        "seen = b''\n"
        "while b'one' not in seen: seen += end.recv(4096)\n"
        "end.sendall(b'yes')\n"
        "while b'two' not in seen: seen += end.recv(4096)\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        desk.internet.serve("api.test", 443, listener.getsockname()[1])
        result = desk.run(repository, f'python3 -c "{program}"')
        thread.join(5)
    assert (result.outcome, asked.is_set()) == (Outcome.NO_CHANGES, True)
