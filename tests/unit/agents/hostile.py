"""Event streams that an agent would never print, for the tests of readers: right names, wrong values."""

from __future__ import annotations

import json

from hypothesis import strategies as st

WORDS = (
    *("type", "subtype", "id", "session_id", "thread_id", "message", "content", "text", "model", "usage", "result"),
    *("input", "name", "file_path", "is_error", "role", "item", "command", "changes", "path", "error", "status"),
    *("stats", "models", "parameters", "tool_name", "input_tokens", "output_tokens", "cached", "total_tokens"),
    *("model_usage_since_last_result", "costUSD", "inputTokens", "exit_code", "retry_delay_ms", "tool"),
    *("agent_message", "command_execution", "file_change", "tool_use", "init", "api_retry", "assistant", "failed"),
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from([*WORDS, "\ud800", "'"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=12,
)


def hostile_events(*kinds: str) -> st.SearchStrategy[bytes]:
    """Lines of JSON whose `type` is one of `kinds`, and whose other fields hold anything."""
    event = st.builds(
        lambda kind, fields: json.dumps(fields | {"type": kind}).encode(),
        st.sampled_from(kinds),
        st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=6),
    )
    return st.lists(event, max_size=4).map(b"\n".join)
