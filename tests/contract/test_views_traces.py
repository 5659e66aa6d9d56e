"""Reading how the work was done, what was said of it and what was kept, on every backend."""

from datetime import timedelta
from typing import Any

import pytest

from ledger import NewEvent
from ledger.catalogue import Catalogue
from projections import FEEDBACK, SNAPSHOTS, TRACES, TURNS, SpanNode
from tests.support.views import views_of


@pytest.fixture
def views(ledger: Any) -> Any:
    return views_of(ledger, TRACES, FEEDBACK, SNAPSHOTS)


def started(span_id: str, parent: str | None = None) -> NewEvent:
    said = {"span_id": span_id, "name": span_id} | ({"parent_span_id": parent} if parent else {})
    return NewEvent(said, "span.started", run_id="r")


def shape(nodes: list[SpanNode]) -> list[Any]:
    return [(node.span.own_id, shape(node.children)) for node in nodes]


def test_spans_are_read_as_a_tree(ledger: Any, views: Any) -> None:
    ledger.append("s", NewEvent({}, "run.started", run_id="r"))
    tool = NewEvent({"call_id": "c", "tool_name": "t", "parent_span_id": "b"}, "tool.started")
    ledger.append("s", [started("a"), started("b", "a"), tool, started("x", "nobody")])
    assert shape(views.span_tree("s")) == [
        ("r", [("a", [("b", [("c", [])])])]),
        ("x", []),
    ]
    assert shape(views.span_tree("s", run_id="r")) == [("r", [("a", [("b", [])])]), ("x", [])]
    assert views.span_tree("nobody") == []


def test_traces_are_read_by_source_and_steps_from_the_end(ledger: Any, views: Any) -> None:
    ledger.append("s", started("a"))
    for number in range(4):
        step = {"step_id": f"{number}", "origin_function": "f", "status": "ok"}
        ledger.append("s", NewEvent(step | {"session_feedback": "fine"}, "trace.appended"))
    assert [one.own_id for one in views.steps("s")] == ["0", "1", "2", "3"]
    assert [one.own_id for one in views.steps("s", last_n=2)] == ["2", "3"]
    assert views.steps("s", last_n=9) == views.steps("s") == views.traces("s", source="step")
    assert views.steps("s", last_n=0) == views.steps("nobody") == []
    assert [one.own_id for one in views.traces("s", source="span")] == ["a"]
    assert [one.attributes["session_feedback"] for one in views.steps("s", last_n=1)] == ["fine"]


def test_calls_of_a_tool_are_read_by_how_they_stand(ledger: Any, views: Any) -> None:
    for call_id, tool in (("a", "t"), ("b", "t"), ("c", "u"), ("d", "t")):
        ledger.append("s", NewEvent({"call_id": call_id, "tool_name": tool}, "tool.started"))
    ledger.append("s", NewEvent({"call_id": "a"}, "tool.finished"))

    def read(**filters: Any) -> list[str]:
        return [one.own_id for one in views.traces("s", **filters)]

    assert read(status="running") == ["b", "c", "d"]
    assert read(status="running", name="t") == ["b", "d"]
    assert read(status="running", name="t", limit=1) == ["b"]
    assert read(name="t", newest_first=True) == ["d", "b", "a"]
    assert read(status="running", name="v") == read(source="span", name="t") == []


@pytest.mark.parametrize("latency_ms", [1e16, 1e308, 2**63 - 1])
def test_a_latency_that_is_no_time_stops_nobody(open_ledger: Any, latency_ms: float) -> None:
    """Stored as by a ledger whose catalogue lets it in."""
    ledger = open_ledger(buckets=1, catalogue=Catalogue())
    ledger.append("s", NewEvent({"call_id": "c", "tool_name": "f"}, "tool.started"))
    ledger.append("s", NewEvent({"call_id": "c", "latency_ms": latency_ms}, "tool.finished"))
    finished = NewEvent({"turn_id": "t", "latency_ms": latency_ms}, "turn.finished")
    ledger.append("s", finished, tenant="other")
    ledger.append("s", started("s"))
    views = views_of(ledger, TRACES, TURNS)
    views.catch_up()
    call, span = views.traces("s")
    assert (call.status, call.anomaly_count, span.status) == ("ok", 1, "running")
    assert call.duration_us == (call.ended_at - call.started_at) // timedelta(microseconds=1)
    [turn] = views.traces("s", tenant="other")
    assert (turn.status, turn.duration_us, turn.anomaly_count) == ("ok", None, 1)
    assert [one.type for one in views.anomalies(tenant="other")] == ["turn.finished"]


def test_feedback_is_read_as_it_was_given(ledger: Any, views: Any) -> None:
    answer = {"qa_id": "q", "question": "?", "answer": "!"}
    ledger.append("s", NewEvent(answer, "qa.recorded"))
    for said in (
        {"feedback_id": "f", "qa_id": "q", "score": 5, "raw_text": "great"},
        {"run_id": "r", "reward": 1},
        {"qa_id": "q", "score": 1},
    ):
        ledger.append("s", NewEvent(said, "feedback.given"))
    given = views.feedback("s")
    assert [(one.score, one.reward) for one in given] == [(5, None), (None, 1.0), (1, None)]
    assert given[0].raw_text == "great"
    assert views.feedback("s", qa_id="q") == [given[0], given[2]]
    assert views.feedback("s", judged_run_id="r", limit=1) == [given[1]]
    assert views.feedback("s", newest_first=True, limit=1) == given[2:]
    assert views.feedback("nobody") == []
    ledger.append("s", NewEvent({"context_ids": ["f"]}, "context.deleted"))
    assert views.feedback("s") == given[1:]


def test_kept_states_are_read_by_name(ledger: Any, views: Any) -> None:
    saved = {"name": "b", "state": {"x": 1}, "total_tool_calls": 3, "through_sequence": 1}
    ledger.append("s", NewEvent(saved | {"run_state": {"nudge_count": 2}}, "snapshot.saved"))
    ledger.append("s", NewEvent({"name": "a"}, "snapshot.saved"))
    ledger.append("s", NewEvent({"name": "b"}, "snapshot.restored"))
    kept = views.snapshot("s", "b")
    assert (kept.state, kept.total_tool_calls, kept.restore_count) == ({"x": 1}, 3, 1)
    assert kept.run_state == {"nudge_count": 2}
    assert [one.name for one in views.snapshots("s")] == ["a", "b"]
    ledger.append("s", NewEvent({"name": "b"}, "snapshot.deleted"))
    assert views.snapshot("s", "b") is None
    assert views.snapshots("nobody") == []
