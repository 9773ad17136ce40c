"""The small files that are mounted into every image's `/etc`."""

from __future__ import annotations

from runner.model.identity import Identity
from runner.sandbox.forges import KNOWN_HOSTS

ACCOUNTS = (
    "root:x:0:0:root:/root:/bin/sh\n"
    "agent:x:{uid}:{gid}:agent:/home/agent:/bin/sh\n"
    "nobody:x:65534:65534::/nonexistent:/bin/false\n"
)
GROUP = "root:x:0:\nagent:x:{gid}:\nnogroup:x:65534:\n"
RESOLV_CONF = "# Nothing outside resolves names for a sandbox.\nnameserver 127.0.0.1\noptions timeout:5 attempts:2\n"
HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
"""An engine writes none where it makes no network."""


def sandbox_etc(identity: Identity) -> dict[str, str]:
    """Every file by its name in the run's folder; which of them a sandbox sees, its spec says."""
    accounts = ACCOUNTS.format(uid=identity.uid, gid=identity.gid)
    return {
        "passwd": accounts,
        "group": GROUP.format(gid=identity.gid),
        "hosts": HOSTS,
        "resolv.conf": RESOLV_CONF,
        "ssh_known_hosts": KNOWN_HOSTS,
    }
