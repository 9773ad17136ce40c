"""An engine that lacks a file which Paddock sees: told as what it is, and refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from runner.errors import UnenforceableError
from runner.escape import escape_text
from runner.model.spec import SandboxSpec
from runner.sandbox.docker_http import ApiError
from runner.sandbox.same_places import HINT, identity_of

# moby's daemon/volume/mounts/validate.go: errBindSourceDoesNotExist.
_MISSING = re.compile(r"bind source path does not exist")


@contextmanager
def same_files(spec: SandboxSpec) -> Iterator[None]:
    """Raises `UnenforceableError` when the engine misses a mount's source that is there for Paddock."""
    try:
        yield
    except ApiError as error:
        said = error.explanation
        missing = [mount.source for mount in spec.mounts if identity_of(mount.source)]
        if _MISSING.search(said) and len(missing) == len(spec.mounts):
            raise UnenforceableError(
                f"The engine does not see what Paddock sees: {escape_text(said)[:1000]}", hint=HINT
            ) from error
        raise
