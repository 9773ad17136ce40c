"""A value is found again in whatever a server wraps it."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.egress.spellings import spellings
from runner.redact import MIN_LENGTH, Redactor

KEY = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=12, max_size=60)
AROUND = st.binary(max_size=7)


def masked(key: str, text: bytes) -> bytes:
    redactor = Redactor(spellings(key), same_length=True)
    return redactor.feed(text) + redactor.flush()


@given(KEY, AROUND, AROUND)
def test_base64_of_a_text_that_holds_it_shows_nothing_of_it_but_its_edges(
    key: str, before: bytes, after: bytes
) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(before + key.encode() + after)
        shown = masked(key, text)
        assert len(shown) == len(text)
        own = len(key) * 8 // 6 - 1
        assert shown.count(b"*") >= own - text.count(b"*")


@pytest.mark.parametrize("key", ['sk/test+0123=\\"key"', "sk-ant-0123456789"])
@pytest.mark.parametrize(
    "wrap",
    [
        str,
        lambda key: json.dumps({"key": key}),
        lambda key: "".join(f"%{byte:02x}" for byte in key.encode()),
        lambda key: "".join(f"%{byte:02X}" for byte in key.encode()),
        lambda key: json.dumps({"key": key}).replace("/", "\\/"),
        quote,
        quote_plus,
        lambda key: key.encode().hex(),
        lambda key: key.encode().hex().upper(),
    ],
)
def test_every_usual_spelling_is_masked(wrap: object, key: str) -> None:
    assert callable(wrap)
    text = wrap(key).encode()
    shown = masked(key, b"<" + text + b">")
    assert len(shown) == len(text) + 2
    assert shown.strip(b'<>{}"key: ').strip(b"*") == b""


@given(st.text(max_size=20))
def test_no_spelling_is_so_short_that_ordinary_text_would_go(key: str) -> None:
    assert all(len(form) >= MIN_LENGTH for form in spellings(key))
