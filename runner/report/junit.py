"""Results as JUnit XML: a suite for each run, with a case for the run itself, its check and each of its gates. Pure.

There is no standard; this is what Jenkins, GitLab and GitHub's reporters read: https://github.com/testmoapp/junitxml
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from runner.model.result import CheckResult, GateResult, RunResult, Verdict
from runner.report.cells import readable
from runner.report.summary import headline, summary_lines

# What XML 1.0 cannot hold in any spelling, beyond what `readable` has spelled out already.
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(results: Sequence[RunResult]) -> str:
    """One document for all of them; every text of an agent's is escaped, and stays inside of its element."""
    suites = Element("testsuites", name="paddock")
    for result in results:
        _suite(suites, result)
    for name in ("tests", "failures", "errors"):
        suites.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suites, encoding="unicode") + "\n"


def _suite(suites: Element, result: RunResult) -> None:
    name = _plain(result.id or "paddock")
    suite = SubElement(suites, "testsuite", name=name, timestamp=_plain(result.started_at))
    _run(suite, result)
    if result.check:
        _check(suite, result.check)
    for gate in result.gates:
        _gate(suite, gate)
    for case in suite:
        case.set("classname", f"paddock.{name}")
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))


def _run(suite: Element, result: RunResult) -> None:
    case = SubElement(suite, "testcase", name="run", time=f"{sum(result.timings.values()):.3f}")
    lines = "\n".join(summary_lines(result))
    if result.exit_code:
        # Ours, not the agent's: engine-failed and refused are errors, as a test is that could not be run.
        kind = "error" if result.exit_code in {30, 40} else "failure"
        _say(SubElement(case, kind, type=result.outcome.value, message=_plain(headline(result))), lines)
    else:
        _say(SubElement(case, "system-out"), lines)


def _check(suite: Element, check: CheckResult) -> None:
    case = SubElement(suite, "testcase", name=_plain(f"check: {check.command}"), time=f"{check.seconds:.3f}")
    if check.failed:
        ended = f"exit code {check.exit_code}" if check.stopped is None else check.stopped.value
        _say(SubElement(case, "failure", type="check", message=ended), check.output)
    elif check.output:
        _say(SubElement(case, "system-out"), check.output)


def _gate(suite: Element, gate: GateResult) -> None:
    case = SubElement(suite, "testcase", name=_plain(f"gate: {gate.name}"), time="0.000")
    text = "\n".join(gate.detail)
    if gate.verdict is Verdict.BLOCKED:
        _say(SubElement(case, "failure", type="gate", message=gate.verdict.value), text)
    elif gate.verdict is Verdict.FLAGGED:
        _say(SubElement(case, "system-out"), f"{gate.verdict.value}\n{text}")


def _say(element: Element, text: str) -> None:
    element.text = _plain(text)


def _plain(text: str) -> str:
    return _NO_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", readable(text))
