"""Annotations for Azure Pipelines and TeamCity: each is one command of ours, whatever an agent chose to say in it."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from runner.model.result import GateResult, Verdict
from runner.report.ci_annotations import annotations_of
from runner.report.ci_dialects import azure_command, teamcity_command
from tests.unit.report.results import result_with

TEXTS = st.text(alphabet="#vsoteamciy[]'|=;%\n\r\x00\x85\u2028\u202e abcä\U0001f600\x1b", max_size=60)
AZURE = re.compile(r"##vso\[task\.logissue ([^\]]*)\](.*)")
TEAMCITY = re.compile(r"##teamcity\[message text='((?:[^|'\n\r\[\]]|\|['nr|\[\]]|\|0x[0-9A-F]{4})*)' status='ERROR'\]")


@given(TEXTS, TEXTS, TEXTS)
def test_nothing_leaves_the_place_that_it_is_given_in_azure_pipelines(message: str, title: str, file: str) -> None:
    line = azure_command("error", message, title=title, file=file, line="1")
    found = AZURE.fullmatch(line)
    assert found, line
    assert line.isprintable()
    assert line.count("##vso[") == 1
    words = dict(word.split("=", 1) for word in found[1].split(";"))
    assert words.keys() <= {"type", "sourcepath", "linenumber"}
    assert (words["type"], words["linenumber"]) == ("error", "1")


@given(TEXTS, TEXTS)
def test_nothing_leaves_the_place_that_it_is_given_in_teamcity(message: str, title: str) -> None:
    line = teamcity_command("error", message, title=title)
    assert TEAMCITY.fullmatch(line), line
    assert line.isascii()
    assert line.isprintable()


def test_ordinary_text_arrives_as_it_is() -> None:
    text = "100% of a;b] 'x' | ä\nsecond"
    azure = azure_command("warning", text, title="T", file="a;b].py")
    assert azure == ("##vso[task.logissue type=warning;sourcepath=a%3Bb%5D.py]T: 100%AZP25 of a;b] 'x' | ä%0Asecond")
    assert teamcity_command("notice", text, title="T") == (
        "##teamcity[message text='T: 100% of a;b|] |'x|' || |0x00E4|nsecond' status='NORMAL']"
    )
    assert teamcity_command("notice", "\U0001f600") == "##teamcity[message text='|0xD83D|0xDE00' status='NORMAL']"


def test_a_result_is_told_in_either() -> None:
    gate = GateResult(name="runs-in-ci", verdict=Verdict.FLAGGED, detail=("src/a.py:12: ##vso[task.x]",))
    result = result_with(gates=(gate,))
    notice, warning = annotations_of(result, azure_command)
    assert notice == ""
    assert warning.startswith("##vso[task.logissue type=warning;sourcepath=src/a.py;linenumber=12]Paddock: runs in CI")
    told = list(annotations_of(result, teamcity_command))
    assert [line.rpartition("status=")[2] for line in told] == ["'NORMAL']", "'WARNING']"]
