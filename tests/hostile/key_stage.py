"""A key that a run injects: the host that has it, servers that may be given it, and where it must never be found."""

from __future__ import annotations

import base64
import json
import ssl
import tomllib
from dataclasses import replace
from pathlib import Path

import trustme
from docker import APIClient

from runner.run.host import Host
from tests.hostile.case import WORLDS

KEY = "sk-canary-0123456789abcdef"
"""The canary: whoever can read it has won."""
SECRET = "API_KEY"
HANDED = {"handed": {"NOTE": KEY}}
"""What the agents of a world are given beside the gateway, under a name that tells nothing."""


def injected_hosts(world: str) -> list[str]:
    """The hosts of a world whose requests are given the key."""
    policy = tomllib.loads((WORLDS / f"{world}.toml").read_text())
    return [each["host"] for each in policy["network"].get("inject", ())]


def spellings_of_key() -> tuple[bytes, ...]:
    """As it is, and as logs and servers might write it."""
    key = KEY.encode()
    percent = b"".join(b"%%%02x" % byte for byte in key)
    coded = [base64.b64encode(bytes(before) + key)[4:-4] for before in range(3)]
    return (key, key.hex().encode(), key.hex().upper().encode(), percent, percent.upper(), *coded)


class KeyMaker:
    """Authorities and certificates: one that the host trusts by its setting, and one that an attacker made."""

    def __init__(self, hosts: list[str], folder: Path) -> None:
        self._trusted, self._planted = trustme.CA(), trustme.CA()
        self._file = folder / "authority.pem"
        self._trusted.cert_pem.write_to_path(str(self._file))
        self._hosts = hosts
        self.planted = base64.b64encode(self._planted.cert_pem.bytes()).decode()
        """What the attacker plants in his sandbox: PEM, in base64, which is one line."""

    def host(self, host: Host) -> Host:
        """The same host, with the key and the authority."""
        settings = host.settings.model_copy(update={"extra_ca": self._file})
        return replace(host, settings=settings, variable={SECRET: KEY}.get)

    def context(self) -> ssl.SSLContext:
        """TLS of all servers; a host that is named `impostor...` shows a certificate of the attacker's authority."""
        honest, impostor = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._trusted.issue_cert(*self._hosts).configure_cert(honest)
        self._planted.issue_cert(*self._hosts).configure_cert(impostor)

        def choose(sock: ssl.SSLSocket | ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
            if name and name.startswith("impostor"):
                sock.context = impostor

        honest.sni_callback = choose
        return honest


def told_by_engine(client: APIClient, state: Path) -> str:
    """All that the engine says of a state directory's containers, and of the images that they are made of."""
    chosen = {"label": f"paddock.state={state}"}
    rows = [client.inspect_container(row["Id"]) for row in client.containers(all=True, filters=chosen)]
    return json.dumps([(row, client.inspect_image(row["Image"]), client.history(row["Image"])) for row in rows])
