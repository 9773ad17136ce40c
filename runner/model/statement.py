"""What makes a record: its types, the purpose of its signatures, and the one spelling of its JSON."""

from __future__ import annotations

import json
from typing import Any, Final

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "urn:paddock:run-record:v1"
SIGNATURE_NAMESPACE: Final = "run-record@paddock"
"""Signatures made for anything else are none of a record."""


def canonical(value: Any) -> bytes:
    """JSON in ASCII, keys sorted, no blanks, one line feed at the end: what is signed are these bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
