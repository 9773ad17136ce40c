"""What a single document tells: numbers that contradict each other never make less than nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.egress.usage_reports import Counts, told_by

NUMBERS = st.integers(-(10**13), 10**13) | st.none() | st.text(max_size=2)
OPENAI = ["prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens"]
ANTHROPIC = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
GEMINI = ["promptTokenCount", "cachedContentTokenCount", "candidatesTokenCount", "thoughtsTokenCount"]
DETAILS: dict[str, st.SearchStrategy[Any]] = {
    "prompt_tokens_details": st.dictionaries(st.sampled_from(["cached_tokens", "cache_write_tokens"]), NUMBERS),
    "input_tokens_details": st.dictionaries(st.sampled_from(["cached_tokens", "cache_write_tokens"]), NUMBERS),
    "cache_creation": st.dictionaries(st.just("ephemeral_1h_input_tokens"), NUMBERS),
}
KINDS: dict[str, st.SearchStrategy[Any]] = {name: NUMBERS for name in {*OPENAI, *ANTHROPIC, *GEMINI}}
USAGES = st.fixed_dictionaries({}, optional=KINDS | DETAILS)


@given(st.sampled_from(["usage", "usageMetadata"]), USAGES)
def test_no_kind_of_tokens_is_ever_negative(key: str, usage: dict[str, Any]) -> None:
    counts = told_by({key: usage}).counts or Counts()
    kinds = (counts.input, counts.cached, counts.cache_write, counts.cache_write_hour, counts.output)
    assert min(kinds) >= 0
    assert max(kinds) < 2 * 10**12


@pytest.mark.parametrize(
    ("cached", "written", "expected"), [(-3, -3, (10, 0, 0)), (99, 99, (0, 10, 0)), (4, 99, (0, 4, 6))]
)
def test_a_cache_holds_no_more_than_was_sent(cached: int, written: int, expected: tuple[int, int, int]) -> None:
    details = {"cached_tokens": cached, "cache_write_tokens": written}
    counts = told_by({"usage": {"prompt_tokens": 10, "prompt_tokens_details": details}}).counts
    assert counts is not None
    assert (counts.input, counts.cached, counts.cache_write) == expected


@pytest.mark.parametrize(
    "document", [None, 5, "text", [], [{}], {"usage": 5}, {"usage": []}, {"message": {"usage": {}}}]
)
def test_a_document_of_another_shape_tells_nothing(document: Any) -> None:
    assert told_by(document).counts is None
