"""Reads a page as a browser would, and holds it to what a report may contain."""

from __future__ import annotations

import re
from html.parser import HTMLParser

TAGS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "a", "b", "i", "span", "div", "pre"),
    *("dl", "dt", "dd", "ul", "li", "code", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"),
    *("svg", "line", "rect", "text", "polygon", "polyline"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "title", "open", "xmlns", "viewbox"),
    *("role", "aria-label", "points", "x", "y", "x1", "y1", "x2", "y2", "width", "height", "rx"),
}
VOID = frozenset({"meta"})


class Page(HTMLParser):
    """The elements of a page, its text by the tag around it, and what it names."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[tuple[str, str]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open, "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, "elements are closed in their order"

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")

    def text(self, *tags: str) -> str:
        """All text, or that within these tags alone."""
        return "\n".join(text for tag, text in self.texts if not tags or tag in tags)

    def hold(self) -> None:
        """There is nothing in it but what a report is made of, and nothing that leads elsewhere."""
        assert set(self.tags) <= TAGS
        assert {name for _, name, _ in self.attributes} <= ATTRIBUTES
        ours = [value for _, name, value in self.attributes if name == "href"]
        assert all(re.fullmatch(r"#task-\d+", value) for value in ours)
        assert {(tag, name) for tag, name, _ in self.attributes if name == "content"} == {("meta", "content")}
        assert all(value == "http://www.w3.org/2000/svg" for _, name, value in self.attributes if name == "xmlns")
