"""An ADD that the engine would fetch itself is found, however it is spelled; one of plain paths is left alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.repo.remote_adds import LONGEST, remote_add


@pytest.mark.parametrize(
    "dockerfile",
    [
        "ADD http://127.0.0.1/x /x",
        "  add https://x.test/x /x",
        "FROM a\nADD a http://x.test/b /x/",
        "ONBUILD ADD http://x.test/ /x",
        "onbuild   Add http://x.test/ /x",
        "ADD http:\\//x.test/ /x",
        'ADD "ht"tp://x.test/ /x',
        "ADD 'http'://x.test/ /x",
        "ARG U=http://x.test/\nADD $U /x",
        "ADD ${U} /x",
        'ADD ["http://x.test/", "/x"]',
        'ADD ["http\\u003a\\u002f/x.test/", "/x"]',
        "ADD \\\n  http://x.test/ /x",
        "A\\\nDD http://x.test/ /x",
        "AD\\  \n# a comment\n\n  D http://x.test/ /x",
        "# escape=`\nA`\nDD http://x.test/ /x",
        "# escape=`\nADD a`\n http://x.test/ /x",
        "ON\\\nBUILD ADD http://x.test/ /x",
        "ONBUILD \\\nADD http://x.test/ /x",
        "RUN x \\\u00a0\nADD http://x.test/ /x",
        "RUN x \\\u00a0\nA\\\nDD http://x.test/ /x",
        "RUN <<'EOF\\'\nEOF\\\nA\\\nDD http://x.test/ /x",
        "ADD\thttp://x.test/ /x",
        "\ufeffADD http://x.test/ /x",
        "ADD --chown=1:2 http://x.test/ /x",
        "ADD --checksum=sha256:00 https://x.test/ /x",
        "ADD git@github.test:a/b.git /x",
        "ADD http://x.test/ /x\r\n",
        "\x0bADD http://x.test/ /x",
        "RUN a\\\r\nADD http://x.test/ /x",
    ],
)
def test_a_fetch_is_found(dockerfile: str) -> None:
    assert remote_add(dockerfile.encode())


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM a\nADD file /x",
        "ADD --chown=1000:1000 a.tar.gz b*.txt /x/",
        'ADD ["a file", "/x"]',
        "RUN curl https://x.test/",
        "ENV ADD=http://x.test/",
        "# ADD http://x.test/ /x",
        "RUN apt-get install x && \\\n  add-apt-repository ppa:x/y",
        "COPY http:thing /x",
        "ADDRESS http://x.test/",
        "",
    ],
)
def test_anything_else_is_left_alone(dockerfile: str) -> None:
    assert remote_add(dockerfile.encode()) == ""


def test_what_was_found_is_told_in_one_line() -> None:
    assert remote_add(b"A\\\nDD \\\n http://x.test/ /x\nRUN y") == "ADD http://x.test/ /x"


@given(st.binary(max_size=200))
def test_any_bytes_are_looked_at(data: bytes) -> None:
    assert isinstance(remote_add(data), str)


@given(st.text(alphabet="a#\\` \t\n", max_size=40))
def test_no_text_before_it_hides_a_line_that_begins_with_it(before: str) -> None:
    assert remote_add(f"{before}\nADD http://x.test/ /x".encode())


@pytest.mark.parametrize(
    "piece", ["A\\\n", "\\\n", "ADD\\\n", "#\n", "ONBUILD ", "ADD \\\n# x\n", "ADD --a=b ", " \n", "O\\\nN\\\n"]
)
def test_a_long_hostile_one_is_read_in_a_moment(piece: str) -> None:
    begin = time.monotonic()
    remote_add((piece * (256 * 1024 // len(piece))).encode())
    assert time.monotonic() - begin < 20


def test_one_that_nobody_could_read_is_found_too() -> None:
    assert remote_add(b"ADD " + b"a " * LONGEST)
