"""How programs and servers repeat a value that they were given: every spelling is as secret as the value. Pure."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

from runner.redact import MIN_LENGTH


def spellings(value: str) -> tuple[str, ...]:
    """The value as it is, escaped, percent-encoded in part and in whole, in hex, and in base64 wherever it stands.

    None is short.
    """
    data = value.encode()
    escaped = json.dumps(value)[1:-1]
    forms = [value, escaped, escaped.replace("/", "\\/"), quote(value), quote(value, safe="")]
    forms += [data.hex(), data.hex().upper()]
    every = data.hex("%", 1)
    forms += [f"%{every}", f"%{every.upper()}"]
    for before in range(3):
        # Of the first and the last letter some bits belong to what stands around the value; the others are its own.
        text = base64.b64encode(bytes(before) + data).decode()
        own = text[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6]
        forms += [own, own.replace("+", "-").replace("/", "_")]
    return tuple(dict.fromkeys(form for form in forms if len(form) >= MIN_LENGTH))
