"""Programs that containers mount are lent from the state directory where the engine may not see ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import UsageError
from runner.model.settings import Settings
from runner.run import programs as module
from runner.run.places import places_of, programs, ready_programs
from runner.settings import load_settings
from runner.store.runs import run_paths


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if these tests ran in no container."""
    monkeypatch.setattr(module, "SIGNS", ())


def settings_with(state: Path, **more: object) -> Settings:
    return Settings.model_validate({"state_dir": state, **more})


def test_outside_of_containers_they_are_mounted_from_where_they_are(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)
    ready_programs(settings)
    assert programs(settings)[0].read_bytes().startswith(b'"""The first program in a sandbox')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mapped", [True, False])
def test_elsewhere_they_are_copies_which_everybody_can_read(
    tmp_path: Path, mapped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not mapped:
        monkeypatch.setattr(module, "SIGNS", (tmp_path,))
    settings = settings_with(tmp_path / "state", **({"path_map": {"/a": "/b"}} if mapped else {}))
    places = places_of(settings, run_paths(settings.state_dir, "x"))
    assert not settings.state_dir.exists(), "a plan makes nothing"

    ready_programs(settings)
    ready_programs(settings)

    plain = settings_with(tmp_path / "other")
    monkeypatch.setattr(module, "SIGNS", ())
    for lent, ours in zip((places.shim, places.collector), programs(plain), strict=True):
        copy = Path(lent)
        assert copy.is_relative_to(settings.state_dir / "programs")
        names = [path.name for path in ours.iterdir() if path.suffix == ".py"] if ours.is_dir() else [""]
        for name in names:
            assert (copy / name).read_bytes() == (ours / name).read_bytes()
            assert (copy / name).stat().st_mode & 0o777 == 0o644
    assert Path(places.shim_network).is_file()
    assert len(list((settings.state_dir / "programs").iterdir())) == 1


@pytest.mark.parametrize("path", ["relative", "/a/../b", "//a", "/a/"])
def test_a_map_holds_absolute_paths(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PADDOCK_STATE_DIR", str(tmp_path))
    for text in (f'{{"{path}": "/x"}}', f'{{"/x": "{path}"}}'):
        monkeypatch.setenv("PADDOCK_PATH_MAP", text)
        with pytest.raises(UsageError, match="path_map"):
            load_settings()
