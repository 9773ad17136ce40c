"""The engine's API: one version for all that is asked, names that stay names, and calls that do not mix."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from runner.sandbox.docker_api import EngineApi
from runner.sandbox.docker_ends import was_signalled
from runner.sandbox.docker_http import ApiError, ImageNotFoundError, NotFoundError
from tests.unit.sandbox.engine_socket import PONG, EngineSocket, document, says, silent_after

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EngineSocket]:
    with EngineSocket(tmp_path / "engine.sock") as engine:
        yield engine


@pytest.fixture
def api(engine: EngineSocket) -> EngineApi:
    return EngineApi(engine.address)


# --- the version --------------------------------------------------------------------------------------------------


def test_everything_is_asked_in_the_version_that_the_engine_told_once(engine: EngineSocket, api: EngineApi) -> None:
    engine.answers["/info"] = document("{}")
    engine.answers["/containers/c/start"] = says(b"HTTP/1.1 204 No Content\r\n\r\n")
    api.info()
    api.start("c")

    assert [asked.target for asked in engine.asked] == ["/_ping", "/v1.41/info", "/v1.41/containers/c/start"]


@pytest.mark.parametrize(
    "answer",
    [
        document("OK"),
        says(PONG.replace(b"1.41", b"1.41/../..")),
        says(PONG.replace(b"1.41", b"")),
        says(PONG.replace(b"200 OK", b"500 Oh")),
        says(),
        says(b"SSH-2.0\r\n"),
    ],
    ids=["none", "a path", "empty", "refused", "nothing", "another protocol"],
)
def test_whoever_tells_no_version_is_no_engine(answer: object, engine: EngineSocket, api: EngineApi) -> None:
    engine.answers["/_ping"] = answer  # type: ignore[assignment]
    with pytest.raises(ConnectionError):
        api.info()
    assert engine.targets() == []


def test_an_engine_that_came_later_is_asked_again(engine: EngineSocket, api: EngineApi) -> None:
    engine.answers |= {"/_ping": says(), "/info": document('{"NCPU": 2}')}
    with pytest.raises(ConnectionError):
        api.info()
    engine.answers["/_ping"] = says(PONG)
    assert api.info() == {"NCPU": 2}


# --- names --------------------------------------------------------------------------------------------------------

ODD = ["a/../../b", "x?force=1", "x#y", "100%", "x y", "x\r\nHost: y", "ü", "%2e%2e", "..", "\x00"]


@pytest.mark.parametrize("name", ODD)
def test_an_odd_id_is_one_word_of_the_path_and_nothing_else(name: str, engine: EngineSocket, api: EngineApi) -> None:
    with pytest.raises(NotFoundError):
        api.inspect_container(name)
    with pytest.raises(NotFoundError):
        api.exec_inspect(name)

    container, program = engine.targets()
    for target, kind in ((container, "containers"), (program, "exec")):
        path = re.fullmatch(rf"/v1\.41/{kind}/([^/?#]+)/json", target)
        assert path
        assert unquote(path[1]) == name
    assert set(engine.asked[-1].headers) == {"host", "accept-encoding", "connection"}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_word_of_a_query_is_a_word(name: str, engine: EngineSocket, api: EngineApi) -> None:
    engine.answers["/containers/json"] = document("[]")
    engine.answers["/containers/create"] = document('{"Id": "c"}', "201 Created")
    api.containers({"label": [name]})
    api.create_container({"Env": [name]}, name)

    listed, made = (parse_qs(urlsplit(target).query, keep_blank_values=True) for target in engine.targets())
    assert listed == {"all": ["1"], "size": ["0"], "filters": [json.dumps({"label": [name]})]}
    assert made == {"name": [name]}
    assert json.loads(engine.asked[-1].body) == {"Env": [name]}
    assert engine.asked[-1].headers["content-type"] == "application/json"


def test_an_images_name_keeps_its_slashes_and_its_digest(engine: EngineSocket, api: EngineApi) -> None:
    engine.answers["/images/host:5000/a/b:tag%40sha256:12/json"] = document('{"Id": "sha256:1"}')
    assert api.inspect_image("host:5000/a/b:tag@sha256:12") == {"Id": "sha256:1"}

    engine.answers["/images/none/json"] = document('{"message": "No such image: none"}', "404 Not Found")
    with pytest.raises(ImageNotFoundError):
        api.inspect_image("none")


# --- calls --------------------------------------------------------------------------------------------------------


def test_threads_that_share_it_get_each_their_own_answer(engine: EngineSocket, api: EngineApi) -> None:
    names = [f"c{number}" for number in range(200)]
    for name in names:
        engine.answers[f"/containers/{name}/json"] = document(json.dumps({"Id": name}))
    with ThreadPoolExecutor(8) as pool:
        assert [each["Id"] for each in pool.map(api.inspect_container, names)] == names


def test_waiting_ends_with_the_time_that_was_given(engine: EngineSocket, api: EngineApi) -> None:
    engine.answers["/containers/c/wait"] = silent_after(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    assert api.api_version == "1.41"
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        api.wait("c", 0.2)
    assert 0.1 < time.monotonic() - begin < 5.0


def test_an_exec_that_is_refused_is_no_stream(engine: EngineSocket, api: EngineApi) -> None:
    engine.answers["/exec/e/start"] = document('{"message": "container c is not running"}', "409 Conflict")
    with pytest.raises(ApiError, match="is not running") as caught:
        api.exec_start("e", terminal=True)
    assert caught.value.status_code == 409
    assert json.loads(engine.asked[-1].body) == {"Tty": True, "Detach": False}


def test_the_kept_output_is_asked_for_with_its_times(engine: EngineSocket, api: EngineApi) -> None:
    engine.answers["/containers/c/logs"] = document(b"")
    with closing(api.logs("c", follow=True)) as answer:
        assert answer.read(8) == b""
    query = parse_qs(urlsplit(engine.targets()[0]).query)
    assert query == {"stdout": ["1"], "stderr": ["1"], "timestamps": ["1"], "follow": ["1"], "tail": ["all"]}


@pytest.mark.parametrize(("said", "signalled"), [('{"Action": "kill"}\n', True), ("", False), ("\n", False)])
def test_a_signal_is_told_by_the_events(said: str, signalled: bool, engine: EngineSocket, api: EngineApi) -> None:
    engine.answers["/events"] = document(said)
    assert was_signalled(api, "c", patience=0.0) is signalled
    query = parse_qs(urlsplit(engine.targets()[0]).query)
    assert json.loads(query["filters"][0]) == {"container": ["c"], "event": ["kill"]}
    assert (query["since"], abs(float(query["until"][0]) - time.time()) < 60.0) == (["0"], True)
