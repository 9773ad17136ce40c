"""Finds where the body of an HTTP/1 request ends, so that the next request is seen as one. Pure; hostile input."""

from __future__ import annotations

import re
from enum import Enum
from typing import Protocol

from runner.egress.http_head import HeadError

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,12})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]{0,200})?")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}:[\t\x20-\x7e\x80-\xff]*")
_MAX_LINE = 8 * 1024
_MAX_TRAILERS = 100


class Body(Protocol):
    """What of a stream of bytes belongs to a request's body."""

    @property
    def ended(self) -> bool:
        """Whether the body has been seen to its end."""

    def take(self, data: bytes) -> int:
        """How many bytes at the front of `data` belong to the body. Raises `HeadError`."""


def body_of(length: int | None, *, trailers: bool = True) -> Body:
    """The body that a head announced: so many bytes, or chunks, with headers after them where `trailers` allows."""
    return ChunkedBody(most_trailers=_MAX_TRAILERS if trailers else 0) if length is None else SizedBody(length)


class SizedBody:
    """A body of a length that was said."""

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def ended(self) -> bool:
        return self._left == 0

    def take(self, data: bytes) -> int:
        taken = min(self._left, len(data))
        self._left -= taken
        return taken


class _Part(Enum):
    SIZE = "size"
    DATA = "data"
    AFTER = "after"
    TRAILER = "trailer"
    END = "end"


class ChunkedBody:
    """A chunked body (RFC 9112, 7.1), read strictly: every line ends with CR LF, sizes are hexadecimal digits."""

    def __init__(self, most_trailers: int = _MAX_TRAILERS) -> None:
        self._most_trailers = most_trailers
        self._part = _Part.SIZE
        self._left = 0
        self._line = b""
        self._trailers = 0
        self.content: list[tuple[int, int]] = []
        """Where the content lies in what was taken last, without the lines around it."""

    @property
    def ended(self) -> bool:
        return self._part is _Part.END

    def take(self, data: bytes) -> int:
        at = 0
        self.content = []
        while at < len(data) and not self.ended:
            if self._part is _Part.DATA:
                taken = min(self._left, len(data) - at)
                self.content.append((at, at + taken))
                self._left -= taken
                at += taken
                if self._left == 0:
                    self._part = _Part.AFTER
            else:
                at += self._take_line(data, at)
        return at

    def _take_line(self, data: bytes, at: int) -> int:
        """Adds to the line that is under way, to its line feed at most; how many bytes that were."""
        feed = data.find(b"\n", at, at + _MAX_LINE + 1)
        end = min(len(data), at + _MAX_LINE + 1) if feed < 0 else feed + 1
        self._line += data[at:end]
        if len(self._line) > _MAX_LINE:
            raise HeadError("a chunk's line too long")
        if feed >= 0:
            if not self._line.endswith(b"\r\n"):
                raise HeadError("a bare line feed")
            line, self._line = self._line[:-2], b""
            self._finish_line(line)
        return end - at

    def _finish_line(self, line: bytes) -> None:
        if self._part is _Part.AFTER:
            if line:
                raise HeadError("a malformed chunk")
            self._part = _Part.SIZE
        elif self._part is _Part.SIZE:
            match = _SIZE.fullmatch(line)
            if match is None:
                raise HeadError("a malformed chunk")
            self._left = int(match[1], 16)
            self._part = _Part.DATA if self._left else _Part.TRAILER
        elif not line:
            self._part = _Part.END
        else:
            self._trailers += 1
            if not _TRAILER.fullmatch(line) or self._trailers > self._most_trailers:
                raise HeadError("a malformed trailer")
