"""What `paddock doctor` concludes from what it found: each finding says what it means and what to do."""

from __future__ import annotations

import re
from enum import StrEnum

from runner.model.base import Record

MIB = 2**20


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Finding(Record):
    """One thing that was looked at."""

    name: str
    level: Level
    value: str
    meaning: str = ""
    advice: str = ""


class Advisory(Record):
    """A published weakness, the component that has it, and the releases that mend it, one for each line."""

    id: str
    component: str
    fixed: tuple[str, ...]
    meaning: str


ADVISORIES: tuple[Advisory, ...] = (
    Advisory(
        id="CVE-2024-21626",
        component="runc",
        fixed=("1.1.12",),
        meaning="a leaked descriptor lets a container reach host files; Debian's 1.1.5+ds1-1+deb12u1 has the fix",
    ),
    Advisory(
        id="CVE-2025-31133, CVE-2025-52565, CVE-2025-52881",
        component="runc",
        fixed=("1.2.8", "1.3.3", "1.4.0"),
        meaning="races while a container's masked paths are mounted; Paddock runs nothing as root in a container",
    ),
    Advisory(
        id="CVE-2024-29018",
        component="engine",
        fixed=("23.0.11", "25.0.5", "26.0.0"),
        meaning="DNS of internal networks reaches the host's resolver; Paddock gives a sandbox no network",
    ),
    Advisory(
        id="CVE-2024-32002, CVE-2024-32004, CVE-2024-32465",
        component="git",
        fixed=("2.39.4", "2.40.2", "2.41.1", "2.42.2", "2.43.4", "2.44.1", "2.45.1"),
        meaning="cloning a hostile repository can run code; Paddock clones nothing that an agent wrote",
    ),
    Advisory(
        id="CVE-2025-48384",
        component="git",
        fixed=("2.43.7", "2.44.4", "2.45.4", "2.46.4", "2.47.3", "2.48.2", "2.49.1", "2.50.1"),
        meaning="a submodule path ending in a carriage return can plant a hook; Paddock updates no submodules, "
        "and distributions ship the fix in older releases (Debian: 2.39.5-0+deb12u3)",
    ),
)


def version_of(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: `20.10.24+dfsg1` is (20, 10, 24)."""
    match = re.match(r"\D*(\d+(?:\.\d+)*)", text)
    return tuple(map(int, match[1].split("."))) if match else ()


def is_fixed(version: str, advisory: Advisory) -> bool:
    """Whether `version` is at least the fix of its own release line, or newer than all lines that were mended."""
    own = version_of(version)
    fixes = sorted(map(version_of, advisory.fixed))
    same_line = [fix for fix in fixes if fix[:2] == own[:2]]
    return own >= same_line[0] if same_line else bool(fixes) and own > fixes[-1]


def advisories_for(component: str, version: str) -> list[Finding]:
    """The advisories that this version, by its number alone, may be open to."""
    return [
        Finding(
            name=advisory.id,
            level=Level.WARNING,
            value=f"{component} {version}",
            meaning=advisory.meaning,
            advice=f"fixed in {', '.join(advisory.fixed)}; your distribution may have the fix in its own release",
        )
        for advisory in ADVISORIES
        if advisory.component == component and version_of(version) and not is_fixed(version, advisory)
    ]
