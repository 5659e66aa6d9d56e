"""Reading how the work was done, what was said of it and what was kept, on every backend."""

from typing import Any

import pytest

from ledger import NewEvent
from projections import FEEDBACK, SNAPSHOTS, TRACES, SpanNode
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
