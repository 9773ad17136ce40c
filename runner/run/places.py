"""Where things are: the sources of a policy's mounts and caches, and the paths that a run's containers see."""

from __future__ import annotations

import hashlib
from pathlib import Path

from runner import repo, sandbox
from runner.model.request import Places
from runner.model.settings import Settings
from runner.model.spec import Mount
from runner.repo.source import Source
from runner.run.host import Host
from runner.run.programs import are_lent, compile_ahead, lend, lent_place
from runner.store.policy_files import LoadedPolicy
from runner.store.runs import RunPaths


def resolve_mounts(loaded: LoadedPolicy, source: Source, host: Host) -> tuple[Mount, ...]:
    """The policy's mounts with real sources, and its caches as directories of this repository's own."""
    mounts = [
        Mount(source=real_source(mount.source, loaded, source, host), target=mount.target, mode=mount.mode)
        for mount in loaded.policy.mounts
    ]
    folder = cache_folder(host.settings.state_dir, source)
    mounts += [Mount(source=str(folder / c.name), target=c.target, mode="rw") for c in loaded.policy.caches]
    return tuple(mounts)


def real_source(given: str, loaded: LoadedPolicy, source: Source, host: Host) -> str:
    """Where the source of a policy's mount really is. Raises `PolicyError` for what no mount may show."""
    from runner.store.mount_sources import check_mount_source  # few policies have mounts

    real = check_mount_source(
        given,
        home=host.home,
        state_dir=host.settings.state_dir,
        source_git_dir=source.common_dir,
        engine_socket=engine_socket(host.settings.engine),
        policy_files=(*loaded.files, *host.ceilings, *([host.trust.parent] if host.trust else [])),
    )
    return str(real)


def cache_folder(state: Path, source: Source) -> Path:
    """Where the caches of one repository are: no other repository's runs ever see them."""
    return state / "caches" / hashlib.sha256(str(source.common_dir).encode()).hexdigest()[:16]


def engine_socket(address: str) -> Path | None:
    """The engine's socket, when it has one on this machine."""
    return Path(address.removeprefix("unix://")) if address.startswith("unix://") else None


def places_of(settings: Settings, paths: RunPaths) -> Places:
    """The run's paths as its containers' mounts need them."""
    inside, collector = programs(settings)
    return Places(
        state=str(settings.state_dir),
        workspace=str(paths.workspace),
        control=str(paths.control),
        etc=str(paths.etc),
        collector_in=str(paths.collector_in),
        collector_out=str(paths.collector_out),
        inside=str(inside),
        collector=str(collector),
        task=str(paths.given),
        agent=str(paths.agent),
    )


def programs(settings: Settings) -> tuple[Path, Path]:
    """The folders of the shim and of the collector: where the engine can mount them from."""
    inside, collector = _own_programs()
    if not are_lent(settings):
        return inside, collector
    lent = lent_place((inside, collector), settings)
    return lent / inside.name, lent / collector.name


def ready_programs(settings: Settings) -> None:
    """See to it that they are there, and compiled where that can be. Raises `StoreError`."""
    folders = programs(settings)
    if are_lent(settings):
        lend(_own_programs(), folders[0].parent)
    for folder in folders:
        compile_ahead(folder)


def _own_programs() -> tuple[Path, Path]:
    """The folders of what a sandbox's first process runs, and of what a collector container does."""
    return (
        Path(sandbox.__file__).with_name("inside").resolve(),
        Path(repo.__file__).with_name("collector").resolve(),
    )
