"""What the shim is told on its command line, and what it says by its exit code."""

from __future__ import annotations

import pytest

from runner import plan
from runner.run import take_up
from runner.sandbox import shim


def test_the_host_knows_the_shims_exit_codes() -> None:
    assert (plan.OUT_OF_TIME, take_up.NOT_CONFIRMED) == (shim.OUT_OF_TIME, shim.NOT_CONFIRMED)


@pytest.mark.parametrize(
    ("options", "gateway", "collector", "seconds"),
    [
        ((), "", "", float("inf")),
        (("--deadline", "70"), "", "", 70.0),
        (("--gateway", "/g"), "/g", "", float("inf")),
        (("--collector", "/c"), "", "/c", float("inf")),
        (("--gateway", "/g", "--collector", "/c", "--deadline", "1.5"), "/g", "/c", 1.5),
    ],
)
def test_options_stand_before_the_command(
    options: tuple[str, ...], gateway: str, collector: str, seconds: float
) -> None:
    argv = ["/socket", *options, "--", "sh", "-c", "--deadline"]
    assert shim.parse_arguments(argv) == ("/socket", gateway, collector, seconds, ["sh", "-c", "--deadline"])


@pytest.mark.parametrize("options", [("--deadline",), ("--gateway", "/g", "--other", "1"), ("--deadline", "soon")])
def test_what_is_not_understood_starts_nothing(options: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"usage|could not convert"):
        shim.parse_arguments(["/socket", *options, "--", "true"])
