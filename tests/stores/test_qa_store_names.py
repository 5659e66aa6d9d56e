"""What a program calls that was written for cognee's Python caches; names carry cognee's ids."""

import inspect

import pytest

from projections.session_stores.qa import AsyncCogneeCache, CogneeCache

_KEY = ("user_id", "session_id")
_FEEDBACK = ("feedback_text", "feedback_score", "used_graph_element_ids", "memify_metadata")
_SAID = (*_FEEDBACK, "used_session_context_ids")
#: The methods of CacheDBInterface but for its locks, and what their arguments are called, in order.
METHODS = {
    "add_qa": (*_KEY, "question", "context", "answer"),
    "get_latest_qa": (*_KEY, "last_n"),
    "get_all_qas": _KEY,
    "create_qa_entry": (*_KEY, "question", "context", "answer", "qa_id", *_SAID),
    "get_latest_qa_entries": (*_KEY, "last_n"),
    "get_all_qa_entries": _KEY,
    "get_qa_entries_by_ids": (*_KEY, "qa_ids"),
    "update_qa_entry": (*_KEY, "qa_id", "question", "context", "answer", *_SAID),
    "delete_feedback": (*_KEY, "qa_id"),
    "delete_qa_entry": (*_KEY, "qa_id"),
    "delete_session": _KEY,
    "get_value": ("key",),
    "set_value": ("key", "value", "ttl"),
    "delete_value": ("key",),
    "append_agent_trace_step": (
        *(*_KEY, "trace_id", "origin_function", "status", "memory_query", "memory_context"),
        *("method_params", "method_return_value", "error_message", "session_feedback"),
    ),
    "get_agent_trace_session": (*_KEY, "last_n"),
    "get_agent_trace_feedback": (*_KEY, "last_n"),
    "get_agent_trace_count": _KEY,
    "create_session_context_entry": (*_KEY, "entry_dump"),
    "get_session_context_entries": _KEY,
    "update_session_context_entry": (*_KEY, "entry_id", "merge"),
    "delete_session_context": _KEY,
    "delete_session_context_entry": (*_KEY, "entry_id"),
    "prune": (),
    "close": (),
    "log_usage": ("user_id", "log_entry", "ttl"),
    "get_usage_logs": ("user_id", "limit"),
}


@pytest.mark.parametrize("cache", [CogneeCache, AsyncCogneeCache])
@pytest.mark.parametrize("method", METHODS)
def test_bp_46_a_cache_is_called_by_cognees_names(cache: type, method: str) -> None:
    _, *names = inspect.signature(getattr(cache, method)).parameters
    assert tuple(names) == METHODS[method]


@pytest.mark.parametrize("cache", [CogneeCache, AsyncCogneeCache])
def test_bp_46_a_cache_has_no_other_calls(cache: type) -> None:
    assert {name for name in vars(cache) if not name.startswith("_")} == METHODS.keys()
