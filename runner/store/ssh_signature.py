"""The one door to ssh-keygen: signs a record with the user's SSH key, and looks at such signatures.

https://man.openbsd.org/ssh-keygen.1#Y. It gets an argv list, an environment made from nothing and a deadline; it has no
terminal, so a key with a passphrase is one that cannot be used.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from runner.bounded_program import ask
from runner.escape import escape_text
from runner.model.base import Record

SECONDS = 15.0
MAX_SIGNATURE = 64 * 1024
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
_BEGIN = b"-----BEGIN SSH SIGNATURE-----\n"


class SignatureError(ValueError):
    """A signature cannot be made, or is not good; the message is escaped text."""


class Signed(Record):
    """A good signature."""

    signer: str
    """Who, by the file of allowed signers; empty where none was given."""
    said: str
    """ssh-keygen's own words, with the key's fingerprint."""


def sign(data: bytes, key: Path, namespace: str) -> bytes:
    """The armoured signature of `data` by the private key in the file `key`. Raises SignatureError."""
    path = _absolute(key)
    signature = _ssh_keygen(["sign", "-f", path, "-n", namespace], data)
    if not signature.startswith(_BEGIN) or len(signature) > MAX_SIGNATURE:
        raise SignatureError("ssh-keygen printed no signature")
    return signature


def check_signature(data: bytes, signature: bytes, namespace: str, signers: Path | None) -> Signed:
    """Whether `signature` is one of `data` for `namespace`, made by an allowed signer where a file of them is given.

    The file is as ssh-keygen(1) describes under ALLOWED SIGNERS. Raises SignatureError with the reason.
    """
    allowed = _absolute(signers) if signers else ""
    with tempfile.TemporaryDirectory(prefix="paddock-") as folder:
        file = Path(folder, "signature")
        file.write_bytes(signature)
        common = ["-n", namespace, "-s", str(file)]
        if not allowed:
            return Signed(signer="", said=_words(_ssh_keygen(["check-novalidate", *common], data)))
        found = _ssh_keygen(["find-principals", "-s", str(file), "-f", allowed], b"")
        signer = found.decode("utf-8", "replace").split("\n")[0].strip()
        if not signer or signer.startswith("-"):
            raise SignatureError("the key that signed it is of none of the allowed signers")
        said = _ssh_keygen(["verify", "-f", allowed, "-I", signer, *common], data)
    return Signed(signer=escape_text(signer), said=_words(said))


def _absolute(path: Path) -> str:
    """A path that no option can be mistaken for. Raises SignatureError."""
    try:
        return str(path.expanduser().absolute())
    except RuntimeError:
        raise SignatureError(f"there is no home directory for {escape_text(str(path))}") from None


def _ssh_keygen(words: list[str], data: bytes) -> bytes:
    """What `ssh-keygen -Y WORDS...` prints; raises SignatureError when it fails or takes too long."""
    try:
        said = ask(["ssh-keygen", "-Y", *words], data, seconds=SECONDS, environment=_ENVIRONMENT)
    except TimeoutError:
        raise SignatureError(f"ssh-keygen took longer than {SECONDS:g} s") from None
    except OSError as error:
        raise SignatureError(f"ssh-keygen cannot be started: {error.strerror}") from error
    if said.code != 0:
        raise SignatureError(_words(said.err or said.out) or f"ssh-keygen ended with {said.code}")
    return said.out


def _words(said: bytes) -> str:
    """The last line of what it said, without what steers a terminal."""
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    return escape_text(lines[-1].strip()[:500]) if lines else ""
