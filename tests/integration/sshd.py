"""Inside a container of the test: OpenSSH's server on a Unix socket, one process for each connection."""

import shutil
import socketserver
import subprocess
from pathlib import Path

FOLDER = "/srv/ssh"
OPTIONS = (
    "HostKey=/tmp/host_key",
    f"AuthorizedKeysFile={FOLDER}/authorized_keys",
    "StrictModes=no",
    "UsePAM=no",
    "PasswordAuthentication=no",
    "PidFile=none",
    "SetEnv=GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=*",
)


class Session(socketserver.BaseRequestHandler):
    """Hands the connection to sshd, as inetd would."""

    def handle(self) -> None:
        """Serve it to its end."""
        argv = ["/usr/sbin/sshd", "-i", "-e", "-f", "/dev/null"]
        argv += [word for option in OPTIONS for word in ("-o", option)]
        subprocess.run(argv, stdin=self.request, stdout=self.request, check=False)


class Server(socketserver.ThreadingUnixStreamServer):
    """Many at a time."""


if __name__ == "__main__":
    Path(shutil.copy(f"{FOLDER}/host_key", "/tmp/host_key")).chmod(0o600)
    with Server(f"{FOLDER}/sshd.sock", Session) as server:
        Path(f"{FOLDER}/sshd.sock").chmod(0o666)
        server.serve_forever()
