"""A key is looked for wherever an agent could look: found when it is handed over, and not when it is injected."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from runner.model.result import Outcome, RunResult
from runner.model.task import Task
from runner.run.execute import run_task
from tests.integration.injection_kit import KEY, Desk, model_server

# Where an agent could come by it: the variables and arguments of every process, and every file that it can read; in
# every spelling that a log might use. The search hears the key on its own command line, which does not count.
SEARCH = """
import base64, os, sys
key = bytes.fromhex(sys.argv[1])
forms = {key, base64.b64encode(key), key.hex().encode(), b"".join(b"%%%02X" % each for each in key)}
def look(place, data):
    if any(form in data for form in forms):
        print("found in", place)
for name, value in os.environ.items():
    look("variable", value.encode())
for number in filter(str.isdigit, os.listdir("/proc")):
    for file in ("environ", "cmdline"):
        if number != str(os.getpid()) or file == "environ":
            try:
                look(file, open(f"/proc/{number}/{file}", "rb").read())
            except OSError:
                pass
for top in ("/paddock", "/workspace", "/home", "/etc", "/tmp", "/run", "/var", "/root", "/mnt", "/opt", "/srv"):
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            try:
                if os.path.isfile(path) and os.path.getsize(path) < 2**24:
                    look(path, open(path, "rb").read())
            except OSError:
                pass
print("looked")
"""


def search(desk: Desk, repository: Path, **environment: str) -> RunResult:
    host = replace(
        desk.library.host,
        outside=desk.internet.outside(),
        variable=desk.variables.get,
        settings=desk.library.host.settings.model_copy(update={"extra_ca": desk.ca}),
    )
    coded = base64.b64encode(SEARCH.encode()).decode()
    script = (
        f"curl -sS -m 10 http://api.test/; echo {coded} | base64 -d > /tmp/s.py; python3 /tmp/s.py {KEY.encode().hex()}"
    )
    task = Task(repo=str(repository), argv=("sh", "-c", script), policy=str(desk.policy), environment=environment)
    return run_task(task, host)


def test_a_key_that_is_handed_over_is_found_by_the_search(desk: Desk, repository: Path, authority: trustme.CA) -> None:
    with model_server(authority, "api.test") as (port, _):
        desk.internet.serve("api.test", 443, port)
        result = search(desk, repository, HANDED_OVER=KEY)
    assert "found in variable" in Path(result.paths["log"]).read_text()


def test_a_key_that_is_injected_is_found_nowhere(desk: Desk, repository: Path, authority: trustme.CA) -> None:
    with model_server(authority, "api.test") as (port, heard):
        desk.internet.serve("api.test", 443, port)
        result = search(desk, repository)
    lines = Path(result.paths["log"]).read_text().splitlines()
    assert [line for line in lines if line.startswith("found") and "cmdline" not in line] == []
    assert lines[-1].endswith("looked")
    assert [dict(each["headers"])["x-api-key"] for each in heard] == [KEY]
    spec = json.loads((Path(result.paths["run"]) / "spec.json").read_text())
    assert KEY not in json.dumps(spec)
    assert result.outcome is Outcome.NO_CHANGES


@pytest.mark.parametrize(
    "coded", [str, lambda key: base64.b64encode(key.encode()).decode(), lambda key: key.encode().hex()]
)
def test_no_file_of_a_run_holds_the_key_in_any_spelling(
    desk: Desk, repository: Path, authority: trustme.CA, coded: object
) -> None:
    assert callable(coded)
    with model_server(authority, "api.test") as (port, _):
        desk.internet.serve("api.test", 443, port)
        result = desk.run(repository, "curl -sS -m 10 'http://api.test/?q=1'; curl -sS -m 10 http://api.test/away")
    files = [path for path in Path(result.paths["run"]).rglob("*") if path.is_file()]
    assert [path.name for path in files if coded(KEY).encode() in path.read_bytes()] == []
