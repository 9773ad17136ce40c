"""The formats of a batch's report, each with what writes it piece by piece. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runner.model.batch_report import ReportParts
from runner.report.batch_csv import batch_csv
from runner.report.batch_junit import batch_junit
from runner.report.batch_markdown import batch_markdown
from runner.report.batch_page import batch_page


def batch_json(parts: ReportParts) -> Iterator[str]:
    """A `BatchReport`, one task a line."""
    yield parts.head.model_dump_json()[:-1] + ',"tasks":['
    for number, task in enumerate(parts.tasks):
        yield f"{',' if number else ''}\n{task.model_dump_json()}"
    yield "\n]}\n"


FORMATS: dict[str, Callable[[ReportParts], Iterator[str]]] = {
    "md": batch_markdown,
    "html": batch_page,
    "json": batch_json,
    "junit": batch_junit,
    "csv": batch_csv,
}
SUFFIXES = {".md": "md", ".html": "html", ".htm": "html", ".json": "json", ".xml": "junit", ".csv": "csv"}
"""Which format a file's name means."""
