"""What tests with real programs share: an image that holds the programs, a CA, servers over TLS, a town of names."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import trustme
from docker import APIClient

from runner.egress.addresses import Address
from runner.model.result import RunResult
from runner.sandbox.build_context import content_digest, context_archive, read_context
from runner.sandbox.images import ImageStore
from tests.conftest import engine_api
from tests.integration.internet import Internet
from tests.integration.library import Library
from tests.unit.repo.sources import git, make_repository

FOLDER = Path(__file__).with_name("programs")
NEIGHBOURS = "198.41.0"
"""Public addresses, to which no packet ever goes."""
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

PRELUDE = """\
export CURL_CA_BUNDLE=$PWD/ca.pem GIT_SSL_CAINFO=$PWD/ca.pem NODE_EXTRA_CA_CERTS=$PWD/ca.pem PGSSLROOTCERT=$PWD/ca.pem
export REQUESTS_CA_BUNDLE=$PWD/ca.pem SSL_CERT_FILE=$PWD/ca.pem PIP_CERT=$PWD/ca.pem npm_config_cafile=$PWD/ca.pem
export PIP_RETRIES=1 PIP_DISABLE_PIP_VERSION_CHECK=1 npm_config_fetch_retries=0 npm_config_update_notifier=false
"""
"""Where each program looks for the roots it trusts; nothing here says anything of a proxy."""


def programs_image(client: APIClient, locks: Path, state_dir: Path) -> str:
    """The image's name; built by the first who asks, and again only when it or the base image has changed."""
    with (locks / "programs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        base = ImageStore(engine_api(), print, state_dir=state_dir).base()
        files = read_context(FOLDER, ())
        tag = f"paddock-tests/programs:{content_digest(files, base.id)}"
        if not client.images(tag):
            build_image(client, tag, {"BASE": base.name}, context_archive(files))
    return tag


def build_image(client: APIClient, tag: str, arguments: dict[str, str], archive: bytes) -> None:
    """Build; what the engine said last is in the failure."""
    said = list(
        client.build(
            fileobj=BytesIO(archive),
            custom_context=True,
            tag=tag,
            buildargs=arguments,
            rm=True,
            forcerm=True,
            decode=True,
        )
    )
    assert not any("error" in line for line in said), said[-20:]


class WebServer(ThreadingHTTPServer):
    """A client that hangs up, or does not trust us, is the test's business and not the terminal's."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


class Town(Internet):
    """An internet whose servers speak TLS with certificates of its own CA; some stand behind a Unix socket."""

    def __init__(self) -> None:
        super().__init__()
        self.ca = trustme.CA()
        self.sockets: dict[int, Path] = {}
        """A port to a Unix socket that answers there, whatever the name."""

    def context(self, *names: str, protocols: tuple[str, ...] = ()) -> ssl.SSLContext:
        """A server's end of TLS, for these names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names).configure_cert(context)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def serve(self, name: str, port: int, loopback_port: int, *, address: str = "") -> None:
        """See `Internet.serve`; each name has an address of its own."""
        address = address or self.names.get(name) or f"{NEIGHBOURS}.{len(self.names) + 1}"
        super().serve(name, port, loopback_port, address=address)

    async def dial(self, address: Address, port: int) -> socket.socket:
        """See `Internet.dial`."""
        if port not in self.sockets:
            return await super().dial(address, port)
        self.dialled.append((str(address), port))
        upstream = socket.socket(socket.AF_UNIX)
        upstream.setblocking(False)
        await asyncio.get_running_loop().sock_connect(upstream, str(self.sockets[port]))
        return upstream

    @contextmanager
    def web(self, name: str, handler: type[BaseHTTPRequestHandler]) -> Iterator[None]:
        """`https://name/`."""
        with WebServer(("127.0.0.1", 0), handler) as server:
            server.socket = self.context(name).wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            self.serve(name, 443, server.server_port)
            yield
            server.shutdown()
            thread.join()

    @contextmanager
    def tcp(self, name: str, port: int, serve: Serve, context: ssl.SSLContext | None = None) -> Iterator[None]:
        """`name:port`, answered by a coroutine for each connection."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()

        async def start() -> asyncio.Server:
            return await asyncio.start_server(closing(serve), "127.0.0.1", 0, ssl=context, backlog=2048)

        server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
        self.serve(name, port, server.sockets[0].getsockname()[1])
        yield
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def closing(serve: Serve) -> Serve:
    """`serve`, and the end of the connection when it is done or the client has gone."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    return served


@dataclass
class Bench:
    """A repository that trusts the town's CA, and runs of scripts in it."""

    library: Library
    folder: Path
    image: str
    town: Town = field(default_factory=Town)

    def __post_init__(self) -> None:
        self.repository = make_repository(self.folder / "repository")
        self.put("ca.pem", self.town.ca.cert_pem.bytes())

    def put(self, name: str, data: bytes | str) -> None:
        """A file that the agent finds in its workspace."""
        (self.repository / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        git(self.repository, "add", name)
        git(self.repository, "commit", "--quiet", "--message", f"Add {name}")

    def run(self, script: str, *allow: str, upload: str = "200MiB", image: str = "") -> RunResult:
        """A run whose policy allows these destinations and nothing else."""
        policy = self.folder / "policy.toml"
        network = f'mode = "allow"\nallow = {list(allow)}\nupload_limit = "{upload}"\n'
        policy.write_text(f'extends = "offline"\n[network]\n{network}')
        outside = self.town.outside()
        image = image or self.image
        return self.library.run(self.repository, PRELUDE + script, policy=policy, outside=outside, image=image)


def said(result: RunResult) -> str:
    """What the agent printed, both streams."""
    return Path(result.paths["log"]).read_text()
