"""How values from a file are quoted inside a sentence: on one line, in ASCII, and never longer than a line."""

from __future__ import annotations

import json
import re

SHOWN = 60

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}", re.ASCII)


def quoted(text: str) -> str:
    """`text` in double quotes with every control and non-ASCII character escaped, cut after `SHOWN` characters."""
    return json.dumps(text if len(text) <= SHOWN else text[:SHOWN] + "...")


def dotted(path: tuple[str | int, ...]) -> str:
    """A key path as a reader of TOML knows it: `mounts[1].target`, `sandbox.env."odd key"`."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            out += ("." if out else "") + (part if _BARE_KEY.fullmatch(part) else quoted(part))
    return out
