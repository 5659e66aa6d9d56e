"""What the views of guidance, of the graph and of consumers say after given facts."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.catalogue import (
    ConsumerOffsetAdvanced,
    ContentRedacted,
    ContextAmended,
    ContextDeleted,
    ContextPut,
    ContextRated,
    ContextServed,
    Fact,
    GraphContextSet,
)
from projections.folds.anomalies import Anomaly
from projections.folds.consumers import CONSUMERS, Consumer
from projections.folds.context import CONTEXT, ContextEntry
from projections.folds.graph_context import GRAPH_CONTEXT, GraphContext
from tests.support.folds import at, event_of, events_of, fold, only

PUT = ContextPut(context_id="c", content="Be brief.", confidence=0.8, helpful_count=2)
PUT_FIELDS: dict[str, Any] = {"content": "Be brief.", "confidence": 0.8, "helpful_count": 2}


def expected(last: int, **fields: Any) -> ContextEntry:
    usual: dict[str, Any] = {
        "tenant": "t",
        "session_id": "s",
        "context_id": "c",
        "first_sequence": 1,
        "last_sequence": last,
        "position": 100 + last,
        "created_at": at(1),
        "updated_at": at(last),
    }
    return ContextEntry(**usual | fields)


def entry_after(*facts: Fact) -> Any:
    return only(CONTEXT, events_of(*facts))


def test_an_entry_has_what_was_put() -> None:
    full: dict[str, Any] = {
        "kind": "lesson",
        "section": "rules",
        "context_profile": "agent",
        "content": "Ask first.",
        "normalized_content": "ask first",
        "confidence": 0.9,
        "helpful_count": 1,
        "harmful_count": 3,
        "source_feedback_ids": ["f"],
        "source_trace_ids": ["x"],
        "priority": 2.0,
        "extra": {"k": [1]},
        "created_at": at(-5),
        "last_served_at": at(-2),
    }
    assert entry_after(PUT) == expected(1, **PUT_FIELDS)
    assert entry_after(ContextPut(context_id="c", **full)) == expected(1, **full)


def test_an_entry_that_is_put_again_is_replaced_and_keeps_its_place() -> None:
    served = ContextServed(context_ids=["c"], qa_id="q")
    again = ContextPut(context_id="c", content="Be kind.")
    assert entry_after(PUT, served, again) == expected(
        3, content="Be kind.", served_count=1, created_at=at(3)
    )


def test_an_amendment_keeps_clears_or_sets() -> None:
    patch = ContextAmended(context_id="c", content=None, section="goals")
    fields = PUT_FIELDS | {"content": None, "section": "goals"}
    assert entry_after(PUT, patch) == expected(2, **fields)


def test_ratings_add_up_and_never_fall_below_nothing() -> None:
    helped = ContextRated(context_id="c", helpful_delta=3, harmful_delta=1)
    fields = PUT_FIELDS | {"helpful_count": 5, "harmful_count": 1}
    assert entry_after(PUT, helped) == expected(2, **fields)
    undone = ContextRated(context_id="c", helpful_delta=-9)
    assert entry_after(PUT, undone) == expected(
        2,
        **PUT_FIELDS | {"helpful_count": 0},
        anomaly_count=1,
        anomalies=[Anomaly(2, "context.rated", "applied, as far as down to nothing")],
    )


def test_serving_is_counted_with_its_time_and_answer() -> None:
    once, again = ContextServed(context_ids=["c", "d"], qa_id="q"), ContextServed(context_ids=["c"])
    assert entry_after(PUT, once) == expected(
        2, **PUT_FIELDS, served_count=1, last_served_at=at(2), last_served_qa_id="q"
    )
    assert entry_after(PUT, once, again) == expected(
        3, **PUT_FIELDS, served_count=2, last_served_at=at(3)
    )


@pytest.mark.parametrize(
    "end", [ContextDeleted(context_ids=["c", "d"]), ContentRedacted(context_ids=["c"])]
)
def test_a_deleted_or_redacted_entry_is_gone(end: Fact) -> None:
    change = ContextRated(context_id="c", helpful_delta=1)
    served = ContextServed(context_ids=["c"])
    assert entry_after(PUT, end, served) is None
    stray = entry_after(PUT, end, change, served)
    assert (stray.missing_since, stray.content, stray.helpful_count) == (at(3), None, 0)
    assert entry_after(PUT, end, change, PUT).content == "Be brief."


def test_the_same_id_in_two_sessions_is_two_entries() -> None:
    events = [event_of(PUT), event_of(PUT, session_id="s2")]
    assert set(fold(CONTEXT, events)) == {("t", "s", "c"), ("t", "s2", "c")}


def test_the_last_snapshot_of_the_graph_stands_and_null_removes_it() -> None:
    first, second = GraphContextSet(content="a"), GraphContextSet(content="")
    assert only(GRAPH_CONTEXT, events_of(first, second)) == GraphContext(
        tenant="t",
        session_id="s",
        first_sequence=1,
        last_sequence=2,
        position=102,
        content="",
        created_at=at(1),
        updated_at=at(2),
    )
    assert only(GRAPH_CONTEXT, events_of(first, GraphContextSet(content=None))) is None


def test_a_consumers_last_word_stands_and_what_it_does_not_say_is_kept() -> None:
    ahead = ConsumerOffsetAdvanced(consumer="c", sequence=9, state={"window": [1]})
    back = ConsumerOffsetAdvanced(consumer="c", sequence=4, count=2)
    assert only(CONSUMERS, events_of(ahead, back)) == Consumer(
        tenant="t",
        session_id="s",
        consumer="c",
        first_sequence=1,
        last_sequence=2,
        position=102,
        sequence=4,
        count=2,
        state={"window": [1]},
        advance_count=2,
        created_at=at(1),
        updated_at=at(2),
    )
