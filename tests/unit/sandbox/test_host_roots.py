"""Certificates of the host go into images as far as they can be read; one that cannot is left out, and that is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.sandbox import images
from runner.sandbox.images import readable_roots


def test_what_cannot_be_read_is_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "company.crt").write_text("PEM", encoding="utf-8")
    (tmp_path / "folder.crt").mkdir()
    (tmp_path / "gone.crt").symlink_to(tmp_path / "nowhere")
    secret = tmp_path / "secret.crt"
    secret.write_text("PEM", encoding="utf-8")
    opened = Path.open

    def forbidding(self: Path, mode: str = "r") -> object:  # root reads everything
        if self == secret:
            raise PermissionError(13, "Permission denied")
        return opened(self, mode)

    monkeypatch.setattr(images, "HOST_ROOTS", tmp_path)
    monkeypatch.setattr(Path, "open", forbidding)
    said: list[str] = []
    assert readable_roots(said.append) == (tmp_path / "company.crt",)
    assert f"{secret} is left out of the image: Permission denied" in said
    assert len(said) == 3
