"""Shipped files are found wherever Paddock is installed."""

from pathlib import Path

import pytest

from runner import shipped as module
from runner.errors import StoreError
from runner.shipped import shipped


def test_a_checkout_has_them_beside_the_package() -> None:
    assert (shipped("policies") / "offline.toml").is_file()
    assert shipped("policies").parent == Path(module.__file__).resolve().parents[1]


def test_an_installed_package_uses_its_own_and_not_what_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("runner/_shipped/policies", "policies", "images"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(module, "__file__", str(tmp_path / "runner" / "shipped.py"))
    assert shipped("policies") == tmp_path.resolve() / "runner/_shipped/policies"


def test_an_incomplete_installation_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runner").mkdir()
    monkeypatch.setattr(module, "__file__", str(tmp_path / "runner" / "shipped.py"))
    with pytest.raises(StoreError, match="folder of shipped policies is missing") as caught:
        shipped("policies")
    assert "install Paddock again" in caught.value.hint
