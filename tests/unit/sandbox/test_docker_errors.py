"""Whatever goes wrong with the engine becomes an error of ours, which says what to do."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.errors import ContainerGoneError, EngineError, EngineUnavailableError, ImageError, RefusedError
from runner.sandbox import docker_sdk
from runner.sandbox.docker_engine import DockerBox, DockerEngine
from runner.sandbox.docker_errors import GROUP_HINT, START_HINT, translated
from runner.sandbox.docker_http import ApiError, refusal
from runner.sandbox.docker_sdk import sdk
from runner.sandbox.image_errors import image_door
from tests.unit.sandbox.engine_socket import EngineSocket, Say, document, says, silent_after


@pytest.fixture
def socket_engine(tmp_path: Path) -> Iterator[EngineSocket]:
    with EngineSocket(tmp_path / "engine.sock") as engine:
        yield engine


def engine_at(address: str, tmp_path: Path) -> DockerEngine:
    return DockerEngine(address, state_dir=tmp_path, progress=print)


# --- the table ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (refusal(404, "No such image: x"), ImageError, "There is no such image: No such image: x"),
        (refusal(404, "No such container: x"), ContainerGoneError, "Docker could not stand up: No such container: x"),
        (refusal(500, "a \x1b[2J word"), EngineError, "Docker could not stand up: a \\x1b[2J word"),
        (refusal(409, ""), EngineError, "Docker could not stand up: status 409"),
        (refusal(500, "x" * 5000), EngineError, f"Docker could not stand up: {'x' * 1000}"),
        (TimeoutError(), EngineError, "The Docker engine did not answer in time."),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES)), EngineUnavailableError, None),
        (ConnectionResetError(), EngineUnavailableError, "No Docker engine answers at unix:///e."),
        (FileNotFoundError(), EngineUnavailableError, "No Docker engine answers at unix:///e."),
    ],
)
def test_every_error_has_its_own_of_ours(error: Exception, kind: type[EngineError], message: str | None) -> None:
    with pytest.raises(EngineError) as caught, translated("stand up", "unix:///e"):
        raise error
    assert type(caught.value) is kind
    assert caught.value.__cause__ is error
    assert caught.value.message == (
        message or "The Docker engine's socket at unix:///e may not be opened by this user."
    )


# --- an engine that is not there ----------------------------------------------------------------------------------


def test_an_engine_of_another_machine_is_refused_and_not_asked(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="is not a socket of this machine"):
        engine_at("tcp://127.0.0.1:1", tmp_path).facts()


def test_no_socket_and_a_deaf_one_are_no_engine_and_the_hint_says_how_to_start_it(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(f"{tmp_path}/deaf.sock")
        for name in ("none", "deaf"):
            address = f"unix://{tmp_path}/{name}.sock"
            with pytest.raises(EngineUnavailableError) as caught:
                engine_at(address, tmp_path).facts()
            assert caught.value.message == f"No Docker engine answers at {address}."
            assert caught.value.hint == START_HINT


def test_a_socket_that_may_not_be_opened_names_the_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket.socket, "connect", refuse)
    address = f"unix://{tmp_path}/engine.sock"
    with pytest.raises(EngineUnavailableError) as caught:
        engine_at(address, tmp_path).find()
    assert caught.value.message == f"The Docker engine's socket at {address} may not be opened by this user."
    assert caught.value.hint == GROUP_HINT


@pytest.mark.parametrize("answer", [says(), says(b"SSH-2.0\r\n"), document("no", "500 Oh"), document("{}")])
def test_who_does_not_answer_as_an_engine_is_none(answer: Say, socket_engine: EngineSocket, tmp_path: Path) -> None:
    socket_engine.answers["/_ping"] = answer
    with pytest.raises(EngineUnavailableError, match="No Docker engine answers at unix:"):
        engine_at(socket_engine.address, tmp_path).facts()


# --- an engine that goes away -------------------------------------------------------------------------------------


def box_of(socket_engine: EngineSocket, tmp_path: Path) -> DockerBox:
    return DockerBox(engine_at(socket_engine.address, tmp_path).client, "c", None)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (says(), EngineUnavailableError),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), EngineUnavailableError),
        (document("not JSON"), EngineUnavailableError),
        (document('{"message": "No such container: c"}', "404 Not Found"), ContainerGoneError),
        (document("oh", "500 Oh"), EngineError),
    ],
)
def test_a_look_that_fails_tells_who_has_gone(
    answer: Say, kind: type[EngineError], socket_engine: EngineSocket, tmp_path: Path
) -> None:
    socket_engine.answers["/containers/c/json"] = answer
    with pytest.raises(EngineError) as caught:
        box_of(socket_engine, tmp_path).variables()
    assert type(caught.value) is kind


def test_a_container_that_runs_on_is_no_end_and_an_engine_that_goes_is_told(
    socket_engine: EngineSocket, tmp_path: Path
) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    box = box_of(socket_engine, tmp_path)
    socket_engine.answers["/containers/c/wait"] = silent_after(head)
    assert box.wait(0.1) is None
    for end in (head, b"HTTP/1.1 200 OK\r\n\r\n"):
        socket_engine.answers["/containers/c/wait"] = says(end)
        with pytest.raises(EngineUnavailableError):
            box.wait(5.0)


@pytest.mark.parametrize("status", ["404 Not Found", "409 Conflict"])
def test_a_signal_to_what_has_ended_is_no_error(status: str, socket_engine: EngineSocket, tmp_path: Path) -> None:
    socket_engine.answers["/containers/c/kill"] = document("gone", status)
    box_of(socket_engine, tmp_path).signal("SIGTERM")
    assert socket_engine.targets() == ["/v1.41/containers/c/kill?signal=SIGTERM"]


@pytest.mark.parametrize("answer", [document("oh", "500 Oh"), says()])
def test_a_signal_that_was_not_sent_and_a_use_that_is_not_told(
    answer: Say, socket_engine: EngineSocket, tmp_path: Path
) -> None:
    socket_engine.answers |= {"/containers/c/kill": answer, "/containers/c/stats": answer}
    box = box_of(socket_engine, tmp_path)
    with pytest.raises(EngineError, match="Docker could not send SIGTERM to the container"):
        box.signal("SIGTERM")
    assert box.usage() is None


# --- the SDK ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (document('{"message": "conflict: in use"}', "409 Conflict"), ImageError, "remove x: conflict: in use"),
        (document('{"message": "No such image: x"}', "404 Not Found"), ImageError, "There is no such image"),
        (says(), EngineUnavailableError, "No Docker engine answers"),
        (document("not JSON"), EngineUnavailableError, "No Docker engine answers"),
    ],
)
def test_what_the_sdk_raises_ends_as_the_same_errors(
    answer: Say, kind: type[EngineError], message: str, socket_engine: EngineSocket, tmp_path: Path
) -> None:
    socket_engine.answers["/images/x"] = answer
    api = engine_at(socket_engine.address, tmp_path).client
    with pytest.raises(EngineError, match=message) as caught, image_door("remove x"), sdk(api) as client:
        client.remove_image("x")
    assert type(caught.value) is kind
    assert socket_engine.targets() == ["/v1.41/images/x?force=False&noprune=False"], "in the same version"


def test_silence_and_a_closed_socket_are_told_through_the_sdk_too(
    socket_engine: EngineSocket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket_engine.answers["/images/x"] = silent_after()
    api = engine_at(socket_engine.address, tmp_path).client
    monkeypatch.setattr(docker_sdk, "API_TIMEOUT", 1)
    with pytest.raises(EngineError, match="did not answer in time"), translated("ask"), sdk(api) as client:
        client.remove_image("x")

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(EngineUnavailableError, match="may not be opened"), translated("ask"), sdk(api) as client:
        client.remove_image("x")


def test_an_error_of_ours_passes_through_the_sdks_scope(socket_engine: EngineSocket, tmp_path: Path) -> None:
    api = engine_at(socket_engine.address, tmp_path).client
    for error in (ImageError("ours"), ApiError(500, "ours")):
        with pytest.raises(type(error), match="ours"), sdk(api):
            raise error
