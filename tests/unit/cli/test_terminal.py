"""What is printed for programs, where a person looks at it after all."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from runner.cli.terminal import ascii_json
from runner.escape import is_plain
from runner.model.task import Task


@given(st.text())
@example('\x9b31m\x7f\u202e\U000e0041 caf\u00e9 \U0001f600 \\ " \n')
def test_json_on_a_terminal_is_the_same_document_and_steers_nothing(text: str) -> None:
    document = Task(repo="/r", prompt=text).model_dump_json(indent=2)
    shown = ascii_json(document)
    assert all(is_plain(line) for line in shown.split("\n"))
    assert json.loads(shown) == json.loads(document)
