"""What the sandbox got is what Paddock sees: paths are mapped, and another file of the same name is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import UnenforceableError
from runner.model.spec import STATE_LABEL, Mount, SandboxSpec
from runner.sandbox.docker_http import ApiError
from runner.sandbox.fake_proof import fake_proof
from runner.sandbox.proof import Proof
from runner.sandbox.same_places import as_the_engine_sees, elsewhere, mapped
from runner.sandbox.unseen import same_files
from tests.unit.sandbox.specs import spec_for

MAP = {"/workspace": "/srv/ci/workspace", "/workspace/cache": "/fast", "/": "/rest"}


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/workspace", "/srv/ci/workspace"),
        ("/workspace/state/runs", "/srv/ci/workspace/state/runs"),
        ("/workspace/cache/x", "/fast/x"),
        ("/workspaces/x", "/rest/workspaces/x"),
        ("/", "/rest"),
    ],
)
def test_the_longest_folder_counts(path: str, there: str) -> None:
    assert mapped(path, MAP) == there


def test_what_lies_in_no_folder_stays_as_it_is() -> None:
    assert mapped("/elsewhere/x", {"/workspace": "/srv"}) == "/elsewhere/x"
    assert mapped("/workspace/x", {"/workspace": "/"}) == "/x"


def spec_with(*mounts: Mount) -> SandboxSpec:
    return spec_for().model_copy(update={"mounts": mounts})


def test_sources_and_owner_are_mapped_and_nothing_else() -> None:
    spec = spec_with(Mount(source="/workspace/a", target="/data"))
    spec = spec.model_copy(update={"labels": {**spec.labels, STATE_LABEL: "/workspace/state"}})

    there = as_the_engine_sees(spec, {"/workspace": "/srv"})

    assert there.mounts == (Mount(source="/srv/a", target="/data"),)
    assert there.labels == {**spec.labels, STATE_LABEL: "/srv/state"}
    same = {"mounts": spec.mounts, "labels": spec.labels}
    assert there.model_copy(update=same) == spec
    assert as_the_engine_sees(spec, {}) is spec


def test_the_same_folder_is_the_same_and_another_one_is_told(tmp_path: Path) -> None:
    ours, other = tmp_path / "ours", tmp_path / "other"
    ours.mkdir()
    other.mkdir()
    spec = spec_with(Mount(source=str(ours), target="/data"))
    proof = Proof.model_validate(fake_proof(spec))
    assert elsewhere(spec, proof) == []

    stat = other.stat()
    for places in ({"/data": (stat.st_dev, stat.st_ino)}, {}):
        (told,) = elsewhere(spec, proof.model_copy(update={"places": places}))
        assert told == f"The engine did not mount {ours} at /data, but something else of that name."


def test_a_kernel_that_is_not_ours_numbers_its_files_itself(tmp_path: Path) -> None:
    spec = spec_with(Mount(source=str(tmp_path), target="/data")).model_copy(update={"runtime": "runsc"})
    assert elsewhere(spec, Proof.model_validate({**fake_proof(spec), "places": {}})) == []


def refusal(source: str) -> ApiError:
    text = f'invalid mount config for type "bind": bind source path does not exist: {source}'
    return ApiError(400, text)


def test_an_engine_that_misses_what_paddock_sees_is_refused(tmp_path: Path) -> None:
    spec = spec_with(Mount(source=str(tmp_path), target="/data"))
    with pytest.raises(UnenforceableError, match="does not see what Paddock sees") as caught, same_files(spec):
        raise refusal(str(tmp_path))
    assert "path_map" in caught.value.hint


def test_what_is_missing_for_both_is_the_engines_own_error(tmp_path: Path) -> None:
    with pytest.raises(ApiError), same_files(spec_with(Mount(source=f"{tmp_path}/no", target="/data"))):
        raise refusal(f"{tmp_path}/no")
