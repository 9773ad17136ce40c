"""What a case's repository brings, and the ceiling that its host is under."""

from __future__ import annotations

import shutil
from dataclasses import replace

from runner.run.host import Host
from tests.hostile.case import Case
from tests.hostile.stage import Stage
from tests.unit.repo.sources import commit


def with_bounds(case: Case, stage: Stage, host: Host) -> Host:
    """Commit the files of `repository/` to the user's repository; the same host below `ceiling.toml`."""
    brought, ceiling = case.folder / "repository", case.folder / "ceiling.toml"
    if brought.is_dir():
        shutil.copytree(brought, stage.user, dirs_exist_ok=True)
        commit(stage.user, "what the repository brings")
    if not ceiling.exists():
        return host
    place = stage.place / "administrator" / "ceiling.toml"
    place.parent.mkdir(mode=0o755)
    shutil.copyfile(ceiling, place)
    place.chmod(0o644)
    return replace(host, ceilings=(place,))
