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
        suites.append(suite_of(result, result.id or "paddock"))
    for name in ("tests", "failures", "errors"):
        suites.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suites, encoding="unicode") + "\n"


def suite_of(result: RunResult, title: str) -> Element:
    """The cases of one run, under a title that an agent may have chosen."""
    name = xml_text(title)
    suite = Element("testsuite", name=name, timestamp=xml_text(result.started_at))
    _run(suite, result)
    if result.check:
        _check(suite, result.check)
    for gate in result.gates:
        _gate(suite, gate)
    for case in suite:
        case.set("classname", f"paddock.{name}")
    count_cases(suite)
    return suite


def count_cases(suite: Element) -> None:
    """Write down in a suite what its cases come to."""
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))


def _run(suite: Element, result: RunResult) -> None:
    case = SubElement(suite, "testcase", name="run", time=f"{sum(result.timings.values()):.3f}")
    lines = "\n".join(summary_lines(result))
    if result.exit_code:
        # Ours, not the agent's: engine-failed and refused are errors, as a test is that could not be run.
        kind = "error" if result.exit_code in {30, 40} else "failure"
        _say(SubElement(case, kind, type=result.outcome.value, message=xml_text(headline(result))), lines)
    else:
        _say(SubElement(case, "system-out"), lines)


def _check(suite: Element, check: CheckResult) -> None:
    case = SubElement(suite, "testcase", name=xml_text(f"check: {check.command}"), time=f"{check.seconds:.3f}")
    if check.failed:
        ended = f"exit code {check.exit_code}" if check.stopped is None else check.stopped.value
        _say(SubElement(case, "failure", type="check", message=ended), check.output)
    elif check.output:
        _say(SubElement(case, "system-out"), check.output)


def _gate(suite: Element, gate: GateResult) -> None:
    case = SubElement(suite, "testcase", name=xml_text(f"gate: {gate.name}"), time="0.000")
    text = "\n".join(gate.detail)
    if gate.verdict is Verdict.BLOCKED:
        _say(SubElement(case, "failure", type="gate", message=gate.verdict.value), text)
    elif gate.verdict is Verdict.FLAGGED:
        _say(SubElement(case, "system-out"), f"{gate.verdict.value}\n{text}")


def _say(element: Element, text: str) -> None:
    element.text = xml_text(text)


def xml_text(text: str) -> str:
    """Text that XML can hold, with what it hides spelled out."""
    return _NO_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", readable(text))
