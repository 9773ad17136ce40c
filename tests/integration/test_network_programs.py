"""Real programs in real sandboxes, none of which knows of Paddock: names that are allowed work, all else is refused."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from runner.model.result import Outcome
from tests.integration.programs_kit import Bench, Town, said
from tests.integration.servers import Index, Web
from tests.integration.wire_servers import http2, postgres

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]  # the first of them builds the image

FETCH = """
fetch('https://web.test/node').then(answer => answer.text()).then(console.log, fault => {
    console.log(fault.cause.code);
    process.exit(1);
});
"""
SOCKET = """
import socket, struct
with socket.create_connection(('db.test', 5432)) as there:
    there.sendall(struct.pack('!II', 8, 80877103))
    print('the server said', there.recv(1))
"""
WEBSOCKET = """
import asyncio, websockets
async def main():
    async with websockets.connect('wss://web.test/echo') as there:
        await there.send('there and back')
        print(await there.recv())
asyncio.run(main())
"""

GO = """
package main

import ("net"; "os")

func main() {
    there, fault := net.Dial("tcp", os.Args[1] + ":5432")
    if fault != nil { println(fault.Error()); os.Exit(1) }
    there.Write([]byte{0, 0, 0, 8, 4, 210, 22, 47})
    answer := make([]byte, 1)
    there.Read(answer)
    println("the server said", string(answer))
}
"""
JAVA = """
class Asks {
    public static void main(String[] words) throws Exception {
        try (var there = new java.net.Socket(words[0], 5432)) {
            there.getOutputStream().write(new byte[] {0, 0, 0, 8, 4, (byte) 210, 22, 47});
            System.out.println("the server said " + (char) there.getInputStream().read());
        }
    }
}
"""


class Program(NamedTuple):
    """What is typed, where it goes, what it says when that works, and what when the name is not allowed."""

    destination: str
    script: str
    answer: str
    error: str


PROGRAMS = {
    "curl": Program(
        "web.test:443",
        "curl -sS https://web.test/curl",
        "you asked web.test for /curl",
        "Could not resolve host: web.test",
    ),
    "curl, HTTP/2": Program(
        "two.test:443",
        "curl -sS --http2 -w 'HTTP/%{http_version}\\n' https://two.test/",
        "over two\nHTTP/2\n",
        "Could not resolve host: two.test",
    ),
    "pip": Program(
        "index.test:443",
        "python3 -m pip install -q --no-cache-dir -t /tmp/python -i https://index.test/simple tiny"
        " && PYTHONPATH=/tmp/python python3 -c 'import tiny; print(\"pip got\", tiny.ANSWER)'",
        "pip got 42",
        "Name or service not known",
    ),
    "npm": Program(
        "index.test:443",
        "npm install --silent --prefix /tmp/node --registry https://index.test/ tiny --loglevel error"
        ' && cd /tmp/node && node -e \'console.log("npm got", require("tiny"))\'',
        "npm got 42",
        "ENOTFOUND",
    ),
    "psql": Program(
        "db.test:5432",
        "psql -Atc 'select' 'host=db.test user=a dbname=a sslmode=verify-full'",
        "forty-two",
        'could not translate host name "db.test"',
    ),
    "node's fetch": Program("web.test:443", f'node -e "{FETCH}"', "you asked web.test for /node", "ENOTFOUND"),
    "a plain socket": Program("db.test:5432", f'python3 -c "{SOCKET}"', "the server said b'S'", "socket.gaierror"),
    "a websocket": Program("web.test:443", f'python3 -c "{WEBSOCKET}"', "there and back", "socket.gaierror"),
}


COMPILED = {
    "go": Program(
        "db.test:5432",
        f"printf %s {shlex.quote(GO)} > /tmp/asks.go; export GOCACHE=/tmp/cache GOTMPDIR=/tmp"
        " && go build -o /tmp/asks /tmp/asks.go && /tmp/asks db.test; /tmp/asks else.test || exit 0",
        "the server said S",
        "no such host",
    ),
    "java": Program(
        "db.test:5432",
        f"printf %s {shlex.quote(JAVA)} > /tmp/Asks.java"
        " && java /tmp/Asks.java db.test; java /tmp/Asks.java else.test || exit 0",
        "the server said S",
        "UnknownHostException",
    ),
}
"""In the images of their languages, by name; each asks for another name too."""


@pytest.fixture
def town(bench: Bench) -> Iterator[Town]:
    """The servers of all programs."""
    town = bench.town
    with ExitStack() as servers:
        servers.enter_context(town.web("web.test", Web))
        servers.enter_context(town.web("index.test", Index))
        servers.enter_context(town.tcp("two.test", 443, http2, town.context("two.test", protocols=("h2",))))
        servers.enter_context(town.tcp("db.test", 5432, postgres(town.context("db.test"))))
        yield town


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_a_program_reaches_the_one_name_that_the_policy_allows(bench: Bench, town: Town, program: Program) -> None:
    result = bench.run(program.script, program.destination)
    assert result.outcome is Outcome.NO_CHANGES, said(result)
    assert program.answer in said(result)
    name, _, port = program.destination.partition(":")
    assert set(town.dialled) == {(town.names[name], int(port))}
    assert result.denials == ()


def test_every_program_says_in_its_own_words_that_a_name_is_not_there(bench: Bench, town: Town) -> None:
    scripts = [f"({program.script}) 2>&1 && echo {shlex.quote(name)} got through" for name, program in PROGRAMS.items()]
    result = bench.run("\n".join([*scripts, "exit 0"]), "somewhere.else.test")
    text = said(result)
    assert [name for name, program in PROGRAMS.items() if program.error not in text] == []
    assert "got through" not in text
    names = {program.destination.partition(":")[0] for program in PROGRAMS.values()}
    assert {(row.name, row.reason) for row in result.denials} == {(name, "not-listed") for name in names}
    assert town.dialled == []


@pytest.mark.parametrize("language", COMPILED)
def test_a_compiled_program_reaches_the_one_name_that_the_policy_allows(
    language: str, bench: Bench, town: Town
) -> None:
    program = COMPILED[language]
    result = bench.run(program.script, program.destination, image=language)
    name, _, port = program.destination.partition(":")
    assert program.answer in said(result), said(result)
    assert program.error in said(result)
    assert set(town.dialled) == {(town.names[name], int(port))}
    assert {(row.name, row.reason) for row in result.denials} == {("else.test", "not-listed")}
