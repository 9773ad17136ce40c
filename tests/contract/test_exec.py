"""The contract of `Box.exec` and `Inside`: a program beside the container's own, for both engines."""

from __future__ import annotations

import pytest

from runner.errors import ContainerGoneError
from runner.sandbox.engine import Box, Inside
from tests.contract.conftest import Bench
from tests.contract.programs import EVERY_BYTE, FOLDER
from tests.contract.test_engine import SECONDS, started, streams


def beside(box: Box, name: str, *argv: str, **environment: str) -> Inside:
    """A program beside the container's own."""
    return box.exec((f"{FOLDER}/{name}", *argv), environment)


@pytest.fixture
def box(bench: Bench) -> Box:
    """A container that runs."""
    box = bench.create("sleep")
    started(box)
    return box


def test_both_streams_and_the_exit_code_are_the_programs_own(box: Box) -> None:
    inside = beside(box, "beside-both")

    assert streams(inside.output()) == {1: b"to the first\n", 2: b"to the second\n"}
    assert inside.exit_code() == 7
    inside.close()


def test_what_is_printed_at_once_is_never_lost(box: Box) -> None:
    found = []
    for _ in range(10):
        inside = beside(box, "beside-binary")
        found.append(streams(inside.output())[1] == EVERY_BYTE)
        inside.close()

    assert found == [True] * 10


def test_input_arrives_byte_for_byte_and_has_an_end(box: Box) -> None:
    inside = beside(box, "beside-echo")
    inside.write(EVERY_BYTE)
    inside.end_input()

    assert streams(inside.output())[1] == EVERY_BYTE
    assert inside.exit_code() == 0
    inside.close()


def test_variables_are_added_to_the_containers_own(box: Box) -> None:
    inside = beside(box, "beside-environment", "PLAIN", "ADDED", ADDED="added value")

    assert streams(inside.output())[1] == b"plain value\nadded value\n"
    inside.close()


def test_closing_ends_the_output_for_whoever_reads(box: Box) -> None:
    inside = beside(box, "beside-echo")
    output = inside.output()
    inside.write(b"something")
    assert next(output).data == b"something"
    inside.close()

    assert list(output) == []


def test_with_the_container_ends_what_runs_beside(box: Box) -> None:
    inside = beside(box, "beside-echo")
    output = inside.output()
    inside.write(b"something")
    assert next(output).data == b"something"
    box.signal("SIGKILL")

    assert list(output) == []
    inside.close()


@pytest.mark.parametrize("begun", [False, True])
def test_beside_nothing_there_is_nothing(bench: Bench, begun: bool) -> None:
    box = bench.create("end", "0")
    if begun:
        box.start()
        box.wait(SECONDS)

    with pytest.raises(ContainerGoneError):
        beside(box, "beside-both")
