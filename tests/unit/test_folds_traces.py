"""What the view of traces says after given facts."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.catalogue import (
    ContentRedacted,
    Fact,
    RunCancelled,
    RunCreated,
    RunFailed,
    RunFinished,
    RunStarted,
    RunTimedOut,
    SpanFinished,
    SpanStarted,
    ToolFailed,
    ToolFinished,
    ToolProgressed,
    ToolStarted,
    TraceAppended,
    TurnFinished,
    TurnStarted,
)
from ledger.catalogue.base import MILLISECONDS_MAX
from projections.folds.anomalies import Anomaly
from projections.folds.traces import TRACES, Span
from tests.support.folds import at, event_of, events_of, fold, only, unmarked

SOURCES = {"run": "run", "turn": "turn", "call": "tool", "span": "span", "step": "step"}


def span_after(*facts: Fact, run_id: str | None = "r") -> Span:
    span = only(TRACES, events_of(*facts, run_id=run_id))
    assert isinstance(span, Span)
    return span


def expected(span_id: str, last: int, **fields: Any) -> Span:
    source, own_id = span_id.split(":")
    usual: dict[str, Any] = {
        "tenant": "t",
        "session_id": "s",
        "span_id": span_id,
        "parent_span_id": None if source == "run" else "run:r",
        "source": source,
        "own_id": own_id,
        "kind": SOURCES[source],
        "first_sequence": 1,
        "last_sequence": last,
        "position": 100 + last,
        "run_id": "r",
        "created_at": at(1),
    }
    return Span(**usual | fields)


def timed(started: int, ended: int) -> dict[str, Any]:
    return {
        "started_at": at(started),
        "ended_at": at(ended),
        "duration_us": (ended - started) * 1_000_000,
    }


def test_a_run_is_the_root_of_its_work() -> None:
    created = RunCreated(agent_id="a", input="hi", parent_run_id="p")
    said: dict[str, Any] = {"name": "a", "input": "hi", "parent_span_id": "run:p"}
    assert span_after(created) == expected("run:r", 1, status="pending", **said)
    assert span_after(created, RunStarted()) == expected("run:r", 2, started_at=at(2), **said)
    assert span_after(created, RunStarted(), RunFinished(output="ho")) == expected(
        "run:r", 3, status="ok", output="ho", **timed(2, 3), **said
    )


@pytest.mark.parametrize(
    ("end", "fields"),
    [
        (RunFailed(error_code="E"), {"status": "error", "error": {"error_code": "E"}}),
        (RunFailed(error={"x": 1}), {"status": "error", "error": {"x": 1}}),
        (RunCancelled(reason="user"), {"status": "cancelled", "error": "user"}),
        (RunTimedOut(), {"status": "timeout"}),
    ],
)
def test_a_run_that_did_not_finish_says_why(end: Fact, fields: dict[str, Any]) -> None:
    assert span_after(RunStarted(), end, RunFinished()) == expected(
        "run:r", 3, **fields, **timed(1, 2)
    )


def test_a_turn_lies_in_its_run_and_keeps_its_audit_as_attributes() -> None:
    assert span_after(
        TurnStarted(turn_id="1", turn_number=3, user_message="hi", scenario_before={"a": 1}),
        TurnFinished(turn_id="1", agent_response="ho", outcome="solved", latency_ms=1.5),
    ) == expected(
        "turn:1",
        2,
        name="turn 3",
        status="ok",
        input="hi",
        output="ho",
        attributes={
            "turn_number": 3,
            "scenario_before": {"a": 1},
            "outcome": "solved",
            "latency_ms": 1.5,
        },
        **timed(1, 2) | {"duration_us": 1_500},
    )


def test_call_and_result_meet_by_their_own_id_though_the_provider_repeats_its() -> None:
    events = [
        event_of(ToolStarted(call_id="a", tool_name="search", tool_call_id="x"), 1),
        event_of(ToolFinished(call_id="a", tool_call_id="x", tool_output=1), 2),
        event_of(ToolStarted(call_id="b", tool_name="search", tool_call_id="x"), 3),
        event_of(ToolFailed(call_id="b", tool_call_id="x", error_message="no"), 4),
    ]
    rows = fold(TRACES, events)
    assert [(row.tool_call_id, row.status, row.output, row.error) for row in rows.values()] == [
        ("x", "ok", 1, None),
        ("x", "error", None, {"error_message": "no"}),
    ]


def test_a_tool_call_keeps_what_went_in_and_came_out() -> None:
    started = ToolStarted(
        call_id="c", tool_name="search", tool_id="t1", tool_input={"q": 1}, turn_id="1"
    )
    said: dict[str, Any] = {"name": "search", "input": {"q": 1}, "parent_span_id": "turn:1"}
    attributes = {"tool_id": "t1", "turn_id": "1"}
    progressed = ToolProgressed(call_id="c", content="half")
    assert span_after(started, progressed) == expected(
        "call:c", 2, output="half", attributes=attributes, started_at=at(1), **said
    )
    finished = ToolFinished(call_id="c", tool_output="all", summary="2 hits")
    assert unmarked(span_after(started, progressed, finished, progressed)) == expected(
        "call:c",
        4,
        status="ok",
        output="all",
        attributes=attributes | {"summary": "2 hits"},
        **timed(1, 3),
        **said,
    )


@pytest.mark.parametrize("end", [ToolFinished, ToolFailed])
def test_an_end_says_the_input_that_nobody_said_before(end: Any) -> None:
    ended = end(call_id="c", tool_input={"late": True})
    named = ToolStarted(call_id="c", tool_name="x")
    said = ToolStarted(call_id="c", tool_name="x", tool_input={})
    found = [span_after(*facts) for facts in ((ended,), (named, ended), (said, ended))]
    assert [one.input for one in found] == [{"late": True}, {"late": True}, {}]
    assert [one.attributes for one in found] == [{}, {}, {}]


def test_the_first_result_stands() -> None:
    span = span_after(
        ToolStarted(call_id="c", tool_name="x"),
        ToolFailed(call_id="c", denied=True),
        ToolFinished(call_id="c", tool_output="late"),
    )
    assert unmarked(span) == expected(
        "call:c", 3, name="x", status="denied", attributes={"denied": True}, **timed(1, 2)
    )


def test_a_start_after_its_end_fills_in_what_is_empty() -> None:
    span = span_after(
        ToolFinished(call_id="c", tool_output=1, summary="s"),
        ToolStarted(call_id="c", tool_name="x", args_json="{}", tool_id="t1"),
    )
    assert unmarked(span) == expected(
        "call:c",
        2,
        name="x",
        status="ok",
        input="{}",
        output=1,
        attributes={"summary": "s", "tool_id": "t1"},
        started_at=at(2),
        ended_at=at(1),
        duration_us=0,
    )


@pytest.mark.parametrize("latency_ms", [2**63 // 1_000 + 1, 1e16, 1e308, 2**63 - 1, 2**64 - 1])
@pytest.mark.parametrize(
    ("start", "end"),
    [
        (TurnStarted(turn_id="1"), TurnFinished(turn_id="1")),
        (ToolStarted(call_id="1", tool_name="f"), ToolFinished(call_id="1")),
        (ToolStarted(call_id="1", tool_name="f"), ToolFailed(call_id="1")),
        (SpanStarted(span_id="1", name="n"), SpanFinished(span_id="1")),
    ],
    ids=["turn", "tool", "tool that failed", "span"],
)
def test_a_latency_that_no_column_holds_is_left_out_and_marked(
    start: Fact, end: Fact, latency_ms: float
) -> None:
    """As were taken before they had a bound."""
    said = end.model_dump(exclude_unset=True) | {"latency_ms": latency_ms}
    span = only(TRACES, [event_of(start, 1), event_of(end, 3, data=said)])
    reason = "applied without its latency, which is no time"
    assert (span.ended_at, span.duration_us) == (at(3), 2_000_000)
    assert (span.anomaly_count, span.anomalies) == (1, [Anomaly(3, end.event_type, reason)])


@pytest.mark.parametrize("latency_ms", [MILLISECONDS_MAX, 2**63 // 1_000])
def test_the_longest_latency_that_is_taken_or_fits_a_column_is_kept(latency_ms: int) -> None:
    said = {"call_id": "c", "latency_ms": latency_ms}
    span = only(TRACES, [event_of(ToolFinished(call_id="c"), 1, data=said)])
    assert span.duration_us == latency_ms * 1_000


def test_spans_form_a_tree_and_merge_their_attributes() -> None:
    span = span_after(
        SpanStarted(
            span_id="a", parent_span_id="b", kind="llm", name="call", input=1,
            attributes={"x": 1, "y": 1},
        ),
        SpanFinished(span_id="a", output=2, attributes={"y": 2}),
    )  # fmt: skip
    assert span == expected(
        "span:a",
        2,
        parent_span_id="span:b",
        kind="llm",
        name="call",
        status="ok",
        input=1,
        output=2,
        attributes={"x": 1, "y": 2},
        **timed(1, 2),
    )


def test_a_span_can_be_told_in_one_fact() -> None:
    told = SpanFinished(span_id="a", name="call", started_at=at(-4), error="no")
    assert span_after(told) == expected(
        "span:a", 1, name="call", status="error", error="no", **timed(-4, 1)
    )


def test_a_flat_step_keeps_all_it_says_and_the_first_of_an_id_stands() -> None:
    step = TraceAppended(
        step_id="x", origin_function="f", status="success", memory_query="q", memory_context="c",
        method_params={"p": 1}, method_return_value=[1], error_message="", session_feedback="ok",
    )  # fmt: skip
    other = TraceAppended(step_id="x", origin_function="g", status="error")
    assert unmarked(span_after(step, other)) == expected(
        "step:x",
        2,
        name="f",
        status="success",
        input={"p": 1},
        output=[1],
        attributes={"memory_query": "q", "memory_context": "c", "session_feedback": "ok"},
        ended_at=at(1),
    )


def test_a_step_without_an_id_is_named_by_its_event() -> None:
    step = TraceAppended(origin_function="f", status="error", error_message="no", latency_ms=2)
    assert span_after(step, run_id=None) == expected(
        "step:e1",
        1,
        name="f",
        status="error",
        error="no",
        parent_span_id=None,
        run_id=None,
        attributes={"latency_ms": 2.0},
        ended_at=at(1),
        duration_us=2_000,
    )


def test_the_same_id_of_a_run_a_turn_a_call_and_a_span_is_four_rows() -> None:
    events = events_of(
        RunStarted(),
        TurnStarted(turn_id="r"),
        ToolStarted(call_id="r", tool_name="x"),
        SpanStarted(span_id="r", name="x"),
        run_id="r",
    )
    assert [key[2] for key in fold(TRACES, events)] == ["run:r", "turn:r", "call:r", "span:r"]


def test_redacted_work_is_gone_whatever_kind_it_is() -> None:
    events = events_of(
        RunStarted(),
        TurnStarted(turn_id="a"),
        ToolStarted(call_id="a", tool_name="x"),
        SpanStarted(span_id="a", name="x"),
        SpanStarted(span_id="b", name="x"),
        ContentRedacted(span_ids=["a"], run_ids=["r"]),
        run_id="r",
    )
    assert [key[2] for key in fold(TRACES, events)] == ["span:b"]


def test_the_trace_of_the_envelope_is_kept() -> None:
    event = event_of(SpanStarted(span_id="a", name="x"), trace_id="0af7", span_id="b7ad")
    assert only(TRACES, [event]).trace_id == "0af7"
