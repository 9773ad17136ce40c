"""The contract of `Engine` and `Box`: one suite for both engines, so that the fake one cannot lie."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from threading import Timer

import pytest

from runner.errors import ContainerGoneError, EngineError, ImageError
from runner.model.destinations import parse_destination
from runner.model.quantities import Bytes
from runner.model.spec import ImageRef
from runner.sandbox.control import listen
from runner.sandbox.engine import Box, Exit, Found, Output
from runner.sandbox.proof import parse_proof, shortfalls
from tests.contract.conftest import MIB, Bench
from tests.contract.programs import EVERY_BYTE, SHARED, numbers

SECONDS = 30.0
"""More than any of these programs takes."""


def streams(output: Iterable[Output]) -> dict[int, bytes]:
    """What came on each stream, to the end."""
    found: dict[int, list[bytes]] = {1: [], 2: []}
    for piece in output:
        found[piece.stream].append(piece.data)
    return {stream: b"".join(pieces) for stream, pieces in found.items()}


def started(box: Box) -> Iterator[Output]:
    """Start a program that says `ready`, and wait until it does."""
    output = box.attach()
    box.start()
    assert next(output) == Output(1, b"ready\n")
    return output


def ended(box: Box) -> Exit:
    """How a container ended that will end by itself."""
    found = box.wait(SECONDS)
    assert found is not None
    return found


# --- output -------------------------------------------------------------------------------------------------------


def test_both_streams_arrive_each_under_its_number(bench: Bench) -> None:
    box = bench.create("both")
    output = box.attach()
    box.start()

    assert streams(output) == {1: b"to the first\n", 2: b"to the second\n"}


def test_large_output_arrives_whole_and_in_order_on_each_stream(bench: Bench) -> None:
    box = bench.create("flood")
    output = box.attach()
    box.start()
    found = streams(output)

    assert (found[1] == numbers(), found[2] == numbers()) == (True, True)
    assert len(found[1]) + len(found[2]) > 5_000_000


def test_binary_output_arrives_byte_for_byte(bench: Bench) -> None:
    box = bench.create("binary")
    output = box.attach()
    box.start()

    assert streams(output)[1] == EVERY_BYTE


def test_no_piece_of_output_is_large(bench: Bench) -> None:
    box = bench.create("flood")
    output = box.attach()
    box.start()

    assert max(len(piece.data) for piece in output) <= 64 * 1024


def test_a_program_that_nobody_listens_to_ends_all_the_same(bench: Bench) -> None:
    box = bench.create("flood")
    box.start()

    assert ended(box).code == 0


def test_the_output_ends_when_the_container_is_killed(bench: Bench) -> None:
    box = bench.create("sleep")
    output = started(box)
    box.signal("SIGKILL")

    assert list(output) == []


def test_the_output_ends_when_the_container_is_removed(bench: Bench) -> None:
    box = bench.create("sleep")
    output = started(box)
    box.close()

    assert list(output) == []


# --- output that nobody listened to ---------------------------------------------------------------------------------


def test_what_was_printed_while_nobody_listened_is_told_from_the_start_and_to_the_end(bench: Bench) -> None:
    box = bench.create("farewell")
    started(box)
    same = bench.engine.open(box.id)
    output = same.replay()
    first = next(output)
    same.signal("SIGTERM")

    assert (first.stream, first.data) == (1, b"ready\n")
    assert streams(output)[1] == b"bye\n"
    assert ended(same).code == 3
    assert streams(same.replay())[1] == b"ready\nbye\n", "also when it is over, and once more"


def test_a_flood_that_nobody_listened_to_is_told_whole_and_in_the_order_of_each_stream(bench: Bench) -> None:
    box = bench.create("flood", log_size=Bytes(128 * MIB))
    box.start()
    found = streams(bench.engine.open(box.id).replay())

    assert (found[1] == numbers(), found[2] == numbers()) == (True, True)


def test_kept_output_is_told_byte_for_byte_but_for_the_end_of_its_last_line(bench: Bench) -> None:
    box = bench.create("binary")
    box.start()

    assert streams(box.replay())[1].removesuffix(b"\n") == EVERY_BYTE


def test_kept_output_says_how_old_it_is(bench: Bench) -> None:
    box = bench.create("sleep")
    started(box)
    time.sleep(1.0)
    piece = next(box.replay())
    times = box.times()

    assert piece.data == b"ready\n"
    assert 0.9 < piece.age < SECONDS
    assert 0.9 < times.silent <= times.ran < SECONDS


def test_the_time_of_a_container_stands_still_when_it_is_over(bench: Bench) -> None:
    box = bench.create("end", "7")
    box.start()
    ended(box)
    before = box.times()
    time.sleep(0.3)

    assert box.times() == before


def test_hanging_up_ends_kept_output_too(bench: Bench) -> None:
    box = bench.create("sleep")
    started(box)
    output = box.replay()
    next(output)
    Timer(0.2, box.hang_up).start()

    assert list(output) == []
    assert box.wait(0.05) is None


def test_a_container_that_was_never_started_has_nothing_to_tell(bench: Bench) -> None:
    box = bench.create("end", "0")

    assert list(box.replay()) == []
    assert box.times().ran == 0.0


def test_a_container_still_knows_the_variables_that_it_was_given(bench: Bench) -> None:
    box = bench.create("sleep", secret_environment=("SECRET",), secrets={"SECRET": "s3cr=t"})
    started(box)
    variables = bench.engine.open(box.id).variables()

    assert (variables["PLAIN"], variables["SECRET"]) == ("plain value", "s3cr=t")


# --- how it ends --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 2, 77, 124, 125, 126, 127, 128, 130, 137, 139, 143, 254, 255])
def test_an_exit_code_is_the_programs_own(bench: Bench, code: int) -> None:
    box = bench.create("end", str(code))
    box.start()

    assert ended(box) == Exit(code=code)
    assert ended(box) == Exit(code=code), "asked twice, told twice"


@pytest.mark.parametrize("proved", [False, True])
def test_a_command_that_is_not_there_ends_with_127(bench: Bench, proved: bool) -> None:
    box = bench.create("nothing-of-that-name", proved=proved)
    with listen(bench.folder / "control") as handshake:
        output = box.attach()
        box.start()
        if proved:
            assert handshake.receive(SECONDS)
            handshake.go()
        said = streams(output)[2]

    assert ended(box).code == 127
    assert b"nothing-of-that-name" in said


def test_waiting_for_a_running_container_takes_as_long_as_it_may_and_gives_none(bench: Bench) -> None:
    box = bench.create("sleep")
    started(box)
    begin = time.monotonic()

    assert box.wait(0.5) is None
    assert 0.4 < time.monotonic() - begin < 3
    assert box.wait(0) is None


def test_a_container_that_was_never_started_is_not_waited_for(bench: Bench) -> None:
    box = bench.create("sleep")
    begin = time.monotonic()

    assert box.wait(SECONDS) == Exit(code=0)
    assert time.monotonic() - begin < 5


def test_starting_twice_starts_once(bench: Bench) -> None:
    box = bench.create("sleep")
    output = box.attach()
    first = box.start()
    assert next(output) == Output(1, b"ready\n")
    assert (first, box.start()) == (True, False)
    box.signal("SIGTERM")

    assert list(output) == []
    assert ended(box).code == 143


def test_memory_that_the_kernel_refused_is_told_apart_from_a_plain_137(bench: Bench) -> None:
    box = bench.create("hog")
    box.start()

    assert ended(box) == Exit(code=137, out_of_memory=True)


def test_a_child_killed_for_memory_is_told_also_when_the_program_succeeds(bench: Bench) -> None:
    box = bench.create("hog-child")
    box.start()

    assert ended(box) == Exit(code=0, out_of_memory=True)


# --- signals ------------------------------------------------------------------------------------------------------


def test_a_polite_signal_ends_a_program_that_does_not_mind_it(bench: Bench) -> None:
    box = bench.create("sleep")
    started(box)
    box.signal("SIGTERM")

    assert ended(box) == Exit(code=143, signalled=True)


def test_a_program_may_answer_a_polite_signal_in_its_own_way(bench: Bench) -> None:
    box = bench.create("farewell")
    output = started(box)
    box.signal("SIGTERM")

    assert streams(output)[1] == b"bye\n"
    assert ended(box) == Exit(code=3, signalled=True)


def test_a_polite_signal_may_be_ignored_and_a_kill_may_not(bench: Bench) -> None:
    box = bench.create("stubborn")
    started(box)
    box.signal("SIGTERM")
    assert box.wait(0.5) is None

    box.signal("SIGKILL")
    assert ended(box) == Exit(code=137, signalled=True)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_signal_after_the_end_is_no_error_and_changes_nothing(bench: Bench, name: str) -> None:
    box = bench.create("end", "7")
    box.start()
    ended(box)
    box.signal(name)

    assert ended(box) == Exit(code=7)


def test_a_signal_before_the_start_is_lost(bench: Bench) -> None:
    box = bench.create("end", "7")
    box.signal("SIGKILL")
    box.start()

    assert ended(box) == Exit(code=7)


def test_a_program_that_ends_as_if_it_were_killed_was_not_signalled(bench: Bench) -> None:
    box = bench.create("end", "137")
    box.start()

    assert ended(box) == Exit(code=137, signalled=False)


def test_a_signal_that_does_not_exist_is_an_error_of_the_engine(bench: Bench) -> None:
    box = bench.create("sleep")
    started(box)

    with pytest.raises(EngineError):
        box.signal("SIGNONSENSE")


# --- measures -----------------------------------------------------------------------------------------------------


def test_usage_is_told_while_it_runs_and_at_no_other_time(bench: Bench) -> None:
    box = bench.create("sleep")
    assert box.usage() is None

    started(box)
    usage = box.usage()
    assert usage is not None
    assert (usage.memory or 0) > 0
    assert (usage.pids or 0) >= 1
    assert usage.cpu_seconds is not None

    box.signal("SIGKILL")
    ended(box)
    assert box.usage() is None
    box.close()
    assert box.usage() is None


def test_the_writable_layer_of_a_read_only_root_stays_empty(bench: Bench) -> None:
    box = bench.create("end", "0")
    box.start()
    ended(box)

    assert box.written() == 0


# --- removal ------------------------------------------------------------------------------------------------------


def test_closing_twice_is_closing_once(bench: Bench) -> None:
    box = bench.create("end", "0")
    box.close()
    box.close()

    assert bench.engine.find(run=bench.run) == []


def test_a_running_container_is_killed_and_removed(bench: Bench) -> None:
    box = bench.create("stubborn")
    started(box)
    box.close()

    assert bench.engine.find(run=bench.run) == []
    with pytest.raises(ContainerGoneError):
        bench.engine.open(box.id)


def test_whatever_is_asked_of_a_removed_container_but_signals_says_that_it_is_gone(bench: Bench) -> None:
    box = bench.create("end", "0")
    box.close()

    for ask in (box.start, box.attach, box.differences, lambda: box.wait(0.1)):
        with pytest.raises(ContainerGoneError):
            ask()
    box.signal("SIGTERM")


# --- creation -----------------------------------------------------------------------------------------------------


def test_a_name_in_use_is_an_error_of_the_engine_and_leaves_the_other_alone(bench: Bench) -> None:
    first = bench.create("sleep", name=f"paddock-{bench.run}-same")
    started(first)

    with pytest.raises(EngineError, match="in use"):
        bench.create("sleep", name=f"paddock-{bench.run}-same")
    assert [found.id for found in bench.engine.find(run=bench.run)] == [first.id]
    assert first.wait(0.05) is None


def test_a_name_is_free_again_after_removal(bench: Bench) -> None:
    bench.create("sleep", name=f"paddock-{bench.run}-same").close()

    assert bench.create("sleep", name=f"paddock-{bench.run}-same").wait(0.05) == Exit(code=0)


def test_an_unknown_image_is_an_image_error(bench: Bench) -> None:
    # Nothing listens on that port of this machine: the engine says so at once.
    with pytest.raises(ImageError):
        bench.engine.image("localhost:1/nobody/nothing:here")


def test_an_image_says_which_registries_its_tools_use_in_plain_names(bench: Bench) -> None:
    found = bench.engine.registries(bench.engine.image("").ref)
    assert set(found) == {"python", "npm", "debian", "rust", "go"}
    assert found["python"]
    assert [parse_destination(entry).kind for entries in found.values() for entry in entries] == ["name"] * sum(
        map(len, found.values())
    )


def test_an_image_that_is_not_there_cannot_be_asked_for_its_registries(bench: Bench) -> None:
    with pytest.raises(ImageError):
        bench.engine.registries(ImageRef(name="gone", id="sha256:" + "0" * 64))


def test_an_image_that_went_away_is_an_image_error_at_creation(bench: Bench) -> None:
    gone = ImageRef(name="gone", id="sha256:" + "0" * 64)

    with pytest.raises(ImageError):
        bench.create("end", "0", image=gone)
    assert bench.engine.find(run=bench.run) == []


def test_the_engine_applies_a_spec_to_the_letter(bench: Bench) -> None:
    assert bench.create("end", "0").differences() == []


def test_an_unknown_container_is_gone(bench: Bench) -> None:
    with pytest.raises(ContainerGoneError):
        bench.engine.open("0" * 64)


def test_a_container_that_is_opened_by_its_id_can_be_ended_and_removed(bench: Bench) -> None:
    box = bench.create("sleep")
    started(box)
    same = bench.engine.open(box.id)

    assert same.id == box.id
    assert same.differences() == []
    same.signal("SIGKILL")
    assert ended(same) == Exit(code=137, signalled=True)
    same.close()
    assert bench.engine.find(run=bench.run) == []


# --- finding ------------------------------------------------------------------------------------------------------


def test_a_container_is_found_by_run_and_by_state_through_all_of_its_life(bench: Bench) -> None:
    box = bench.create("sleep")

    def found() -> Found:
        (one,) = bench.engine.find(run=bench.run)
        assert bench.engine.find(state=bench.state) == [one]
        assert bench.engine.find(run=bench.run, state=bench.state) == [one]
        assert one in bench.engine.find()
        return one

    created = found()
    started(box)
    running = found()
    box.signal("SIGKILL")
    ended(box)

    assert (created.id, created.name, created.role) == (box.id, f"paddock-{bench.run}-0", "sandbox")
    assert created.run == bench.run
    assert [created.running, running.running, found().running] == [False, True, False]


def test_other_runs_and_other_states_are_not_found(bench: Bench) -> None:
    bench.create("end", "0")

    assert bench.engine.find(run=bench.run + "x") == []
    assert bench.engine.find(state=bench.state + "x") == []
    assert bench.engine.find(run=bench.run, state=bench.state + "x") == []


# --- what goes in -------------------------------------------------------------------------------------------------


def read_variable(bench: Bench, name: str) -> tuple[int, bytes]:
    box = bench.create(
        "environment", name, secret_environment=("SECRET",), secrets={"SECRET": "s3cr=t", "STRAY": "stray"}
    )
    output = box.attach()
    box.start()
    said = streams(output)[1]
    return ended(box).code, said


@pytest.mark.parametrize(
    ("name", "answer"), [("PLAIN", (0, b"plain value\n")), ("SECRET", (0, b"s3cr=t\n")), ("STRAY", (1, b""))]
)
def test_variables_and_secrets_reach_the_program_and_nothing_that_the_spec_does_not_name(
    bench: Bench, name: str, answer: tuple[int, bytes]
) -> None:
    assert read_variable(bench, name) == answer


def test_what_is_written_to_a_mount_is_on_the_host(bench: Bench) -> None:
    box = bench.create("write", "from inside")
    box.start()

    assert ended(box).code == 0
    assert (bench.folder / SHARED.lstrip("/") / "file").read_text() == "from inside"


# --- the handshake ------------------------------------------------------------------------------------------------


def test_a_program_starts_only_after_the_host_has_seen_a_proof_and_said_go(bench: Bench) -> None:
    spec = bench.spec("write", "granted", proved=True)
    box = bench.keep(bench.engine.create(spec, {}))
    with listen(bench.folder / "control") as handshake:
        box.start()
        line = handshake.receive(SECONDS)
        assert line is not None
        assert shortfalls(spec, parse_proof(line)) == []
        assert box.wait(0.3) is None
        assert not (bench.folder / "shared/file").exists()
        handshake.go()
        assert ended(box).code == 0

    assert (bench.folder / "shared/file").read_text() == "granted"


def test_a_host_that_does_not_say_go_is_obeyed(bench: Bench) -> None:
    box = bench.create("write", "never", proved=True)
    with listen(bench.folder / "control") as handshake:
        box.start()
        assert handshake.receive(SECONDS)

    assert ended(box).code == 125
    assert not (bench.folder / "shared/file").exists()


def test_a_host_that_is_not_there_is_no_reason_to_start(bench: Bench) -> None:
    box = bench.create("write", "never", proved=True)
    output = box.attach()
    box.start()

    assert b"no word from the host" in streams(output)[2]
    assert ended(box).code == 125
    assert not (bench.folder / "shared/file").exists()


def test_a_proof_of_less_than_the_spec_says_is_seen(bench: Bench) -> None:
    box = bench.create("end", "0", proved=True)
    spec = bench.spec("end", "0", proved=True)
    stricter = spec.model_copy(update={"limits": spec.limits.model_copy(update={"pids": 8, "cpus": 0.1})})
    with listen(bench.folder / "control") as handshake:
        box.start()
        line = handshake.receive(SECONDS)
        assert line is not None

    assert [text.partition(" is ")[0] for text in shortfalls(stricter, parse_proof(line))] == [
        "the process limit",
        "the CPU limit",
    ]


def test_the_engine_says_what_it_is(bench: Bench) -> None:
    facts = bench.engine.facts()

    assert facts.version
    assert facts.cpus >= 1
    assert facts.memory > 2**28
    assert facts.default_runtime in facts.runtimes
    assert facts.seccomp
