"""What the shim is told on its command line, and what it says by its exit code."""

from __future__ import annotations

import socket

import pytest

from runner import plan
from runner.run import take_up
from runner.sandbox.inside import shim, shim_collect


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


def test_what_comes_beside_an_agent_that_has_ended_does_not_begin(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shim, "read", lambda path: "paddock-over\n" if path == "/proc/1/comm" else None)
    assert shim.main(["--exec", "--", "true"]) == shim.NOT_CONFIRMED
    assert "the agent has ended" in capfd.readouterr().err
    assert shim.OVER.encode() == shim_collect.OVER + b"\n"


def test_nobody_is_killed_where_we_are_not_the_first_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shim_collect, "alone", lambda: pytest.fail("everybody would be the machine's"))
    one, other = socket.socketpair()
    with one, other:
        shim_collect.hand_over(one, "/nowhere", 0)
