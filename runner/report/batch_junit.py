"""The report of a batch as JUnit XML: a suite for each task, with the cases of the attempt that stands for it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from runner.model.batch_report import ReportParts, ReportTask
from runner.report.batch_words import attempt_name, word_of
from runner.report.junit import count_cases, suite_of, xml_text

COUNTED = ("tests", "failures", "errors", "skipped")


def batch_junit(parts: ReportParts) -> Iterator[str]:
    """The document, piece by piece; the tasks are gone through twice, for what they come to stands at its head."""
    counts = dict.fromkeys(COUNTED, 0)
    for task in parts.tasks:
        suite = _suite(task)
        for name in COUNTED:
            counts[name] += int(suite.get(name, "0"))
    told = " ".join(f'{name}="{count}"' for name, count in counts.items())
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="paddock batch" {told}>\n'
    for task in parts.tasks:
        suite = _suite(task)
        indent(suite)
        yield tostring(suite, encoding="unicode") + "\n"
    yield "</testsuites>\n"


def _suite(task: ReportTask) -> Element:
    best, evidence = task.best, task.evidence[task.stands]
    suite = _without_run(task) if evidence.result is None else suite_of(evidence.result, task.name)
    told = {
        "repository": task.repo,
        "agent": task.agent,
        "outcome": word_of(best),
        "check": best.check,
        "branch": best.branch,
        "commits": str(best.commits),
        "insertions": str(best.insertions),
        "deletions": str(best.deletions),
        "cost_usd": f"{task.cost_usd:.6f}",
        "attempt": attempt_name(task, best),
        "tries": str(sum(len(each.tries) for each in task.attempts)),
    }
    properties = Element("properties")
    for name, value in told.items():
        SubElement(properties, "property", name=name, value=xml_text(value))
    count_cases(suite)
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    suite.set("time", f"{task.seconds:.3f}")
    suite.insert(0, properties)
    if evidence.result is not None and evidence.result.answer.strip():
        SubElement(suite, "system-out").text = xml_text(evidence.result.answer)
    return suite


def _without_run(task: ReportTask) -> Element:
    """What never became a run, is under way, or left nothing that can be read."""
    best, name = task.best, xml_text(task.name)
    suite = Element("testsuite", name=name)
    case = SubElement(suite, "testcase", name="run", classname=f"paddock.{name}", time=f"{best.seconds:.3f}")
    why = xml_text(best.reason or task.evidence[task.stands].missing)
    if best.state != "done":
        SubElement(case, "skipped", message=": ".join(filter(None, (best.state, why))))
    elif not best.ok:
        SubElement(case, "error", type=xml_text(best.outcome), message=why)
    return suite
