"""Programs that containers mount are lent from the state directory where the engine may not see ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runner.errors import UsageError
from runner.model.settings import Settings
from runner.run import programs as module
from runner.run.places import places_of, programs, ready_programs
from runner.run.programs import compile_ahead
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
    assert (programs(settings)[0] / "shim.py").read_bytes().startswith(b'"""The first program in a sandbox')
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
    for lent, ours in zip((places.inside, places.collector), programs(plain), strict=True):
        copy = Path(lent)
        assert copy.is_relative_to(settings.state_dir / "programs")
        for name in [path.name for path in ours.iterdir() if path.suffix == ".py"]:
            assert (copy / name).read_bytes() == (ours / name).read_bytes()
            assert (copy / name).stat().st_mode & 0o777 == 0o644
    assert len(list((settings.state_dir / "programs").iterdir())) == 1


@pytest.fixture
def compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where nobody has told Python to keep no compiled forms."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


def taken_from(folder: Path, module: str) -> str:
    """Where a sandbox's Python has a module of that folder from, as it says itself."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import {module}"
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-v", "-c", code], capture_output=True, text=True, check=True
    )
    return next(line for line in said.stderr.splitlines() if f"{module}." in line and "code object from" in line)


@pytest.mark.usefixtures("compiling")
def test_what_is_mounted_is_compiled_ahead_and_again_once_it_has_changed(tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text("x = 1\n")
    assert "__pycache__" not in taken_from(tmp_path, "first")

    compile_ahead(tmp_path)
    (compiled,) = (tmp_path / "__pycache__").iterdir()
    before = compiled.stat()
    assert f"code object from {str(compiled)!r}" in taken_from(tmp_path, "first")

    compile_ahead(tmp_path)
    assert compiled.stat().st_ino == before.st_ino, "it is made anew although nothing has changed"

    (tmp_path / "first.py").write_text("x = 12\n")
    assert "__pycache__" not in taken_from(tmp_path, "first")
    compile_ahead(tmp_path)
    assert f"code object from {str(compiled)!r}" in taken_from(tmp_path, "first")


@pytest.mark.usefixtures("compiling")
def test_the_shim_and_the_collector_are_compiled_ahead(tmp_path: Path) -> None:
    settings = settings_with(tmp_path / "state", path_map={"/a": "/b"})
    ready_programs(settings)
    inside, collector = programs(settings)
    for name in ("shim", "shim_network", "shim_collect"):
        assert "__pycache__" in taken_from(inside, name)
    assert "__pycache__" in taken_from(collector, "bundle")


@pytest.mark.usefixtures("compiling")
@pytest.mark.parametrize("how", ["umask", "epoch", "cut"])
def test_what_is_compiled_is_whole_and_everybody_can_read_it(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the umask is, a build's SOURCE_DATE_EPOCH says, or a full disk leaves of it."""
    (tmp_path / "first.py").write_text("x = [" + ", ".join(map(str, range(5000))) + "]\n")
    (tmp_path / "first.py").chmod(0o644)
    code = "import sys, resource; from pathlib import Path; from runner.run.programs import compile_ahead\n"
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))\n" if how == "cut" else ""
    environment = {"SOURCE_DATE_EPOCH": "1"} if how == "epoch" else {}
    work = f"{code}{limit}sys.dont_write_bytecode = False; compile_ahead(Path({str(tmp_path)!r}))"
    program = [sys.executable, "-c", "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" + work]
    subprocess.run(program, check=True, env={**environment, "PYTHONPATH": ":".join(sys.path)}, umask=0o077)

    cache = tmp_path / "__pycache__"
    if how == "cut":
        assert list(cache.iterdir()) == []
        compile_ahead(tmp_path)
    (compiled,) = cache.iterdir()
    assert f"code object from {str(compiled)!r}" in taken_from(tmp_path, "first")
    assert (cache.stat().st_mode & 0o777, compiled.stat().st_mode & 0o777) == (0o755, 0o644)
    before = compiled.stat().st_ino
    compile_ahead(tmp_path)
    assert compiled.stat().st_ino == before


@pytest.mark.usefixtures("compiling")
def test_another_pythons_compiled_form_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text("x = 1\n")
    compile_ahead(tmp_path)
    (compiled,) = (tmp_path / "__pycache__").iterdir()
    whole = compiled.read_bytes()
    compiled.write_bytes(b"\0\0\r\n" + whole[4:])
    compile_ahead(tmp_path)
    assert compiled.read_bytes() == whole


@pytest.mark.usefixtures("compiling")
def test_where_nothing_can_be_compiled_nothing_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "good.py").write_text("x = 1\n")
    (tmp_path / "bad.py").write_text("x = \n")
    (tmp_path / "__pycache__").write_text("no folder")
    compile_ahead(tmp_path)

    (tmp_path / "__pycache__").unlink()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    compile_ahead(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.py", "good.py"]


@pytest.mark.parametrize("path", ["relative", "/a/../b", "//a", "/a/"])
def test_a_map_holds_absolute_paths(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PADDOCK_STATE_DIR", str(tmp_path))
    for text in (f'{{"{path}": "/x"}}', f'{{"/x": "{path}"}}'):
        monkeypatch.setenv("PADDOCK_PATH_MAP", text)
        with pytest.raises(UsageError, match="path_map"):
            load_settings()
