"""The wheel holds all that Paddock needs: installed in a bare environment elsewhere, it carries out a run."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


def call(*argv: str | Path, cwd: Path) -> str:
    """Standard output; anything but exit code 0 fails the test with all that was said."""
    done = subprocess.run(list(map(str, argv)), check=False, cwd=cwd, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (built,) = out.glob("paddock-*.whl")
    return built


@pytest.fixture
def paddock(wheel: Path, tmp_path: Path) -> Path:
    """The installed command, in an environment that holds what the wheel says it needs and nothing else."""
    place = tmp_path / "elsewhere"
    venv.create(place, with_pip=False, symlinks=True)
    python = place / "bin" / "python"
    call(sys.executable, "-m", "pip", "--python", python, "install", "-qq", "--no-deps", "--no-index", wheel, cwd=place)
    (site,) = place.glob("lib/python*/site-packages")
    (metadata,) = site.glob("paddock-*.dist-info")
    for entry in needed(PathDistribution(metadata)):
        (site / entry.name).symlink_to(entry)
    return place / "bin" / "paddock"


def needed(installed: Distribution) -> set[Path]:
    """What the dependencies of a distribution, and theirs, have put into this environment's site-packages."""
    entries: set[Path] = set()
    found: dict[str, Distribution] = {}
    waiting = [installed]
    while waiting:
        for requirement in map(Requirement, waiting.pop().requires or ()):
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if wanted and requirement.name not in found:
                found[requirement.name] = distribution(requirement.name)
                waiting.append(found[requirement.name])
    for one in found.values():
        tops = {file.parts[0] for file in one.files or () if file.parts[0] not in {"..", "__pycache__"}}
        entries |= {Path(str(one.locate_file(top))) for top in tops}
    return entries


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    repository = tmp_path / "sample"
    repository.mkdir()
    (repository / "README").write_text("sample\n")
    call("git", "init", "-q", "-b", "main", cwd=repository)
    call("git", "add", "README", cwd=repository)
    call("git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "first", cwd=repository)
    return repository


def test_the_wheel_ships_images_policies_and_templates_and_nothing_of_the_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert "runner/_shipped/images/base/Dockerfile" in names
    assert "runner/_shipped/policies/offline.toml" in names
    assert "runner/templates/research.md" in names
    assert {name.split("/")[0] for name in names} == {"runner", "paddock-0.1.0.dist-info"}


def test_an_installed_wheel_carries_out_a_run(paddock: Path, repository: Path, tmp_path: Path, state_dir: Path) -> None:
    code = "import runner.shipped as s; print(s.shipped('policies'))"
    shipped = Path(call(paddock.parent / "python", "-c", code, cwd=tmp_path).strip())
    script = "echo hi > f; git add f; git commit -m x"
    result = json.loads(call(paddock, "run", repository, "--json", "--", "sh", "-c", script, cwd=tmp_path))

    assert shipped.is_relative_to(paddock.parents[1])
    assert result["outcome"] == "completed"
    assert call("git", "show", f"{result['branch']}:f", cwd=repository) == "hi\n"
