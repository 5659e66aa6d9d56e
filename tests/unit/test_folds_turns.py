"""What the view of turns says after given facts."""

from __future__ import annotations

from typing import Any

from ledger.catalogue import (
    ContentRedacted,
    Fact,
    TurnAnalysed,
    TurnFinished,
    TurnStarted,
    TurnToolCall,
)
from projections.folds.anomalies import Anomaly
from projections.folds.turns import TURNS, Turn
from tests.support.folds import at, events_of, fold, only

STARTED = TurnStarted(turn_id="t", turn_number=1, user_message="Where?", scenario_before={"s": 1})
FINISHED = TurnFinished(turn_id="t", agent_response="There.", latency_ms=12.0, tokens_used=7)


def turn_after(*facts: Fact) -> Turn | None:
    turn = only(TURNS, events_of(*facts))
    assert turn is None or isinstance(turn, Turn)
    return turn


def expected(last: int, **fields: Any) -> Turn:
    usual: dict[str, Any] = {
        "tenant": "t",
        "session_id": "s",
        "turn_id": "t",
        "first_sequence": 1,
        "last_sequence": last,
        "position": 100 + last,
        "created_at": at(1),
        "updated_at": at(last),
    }
    return Turn(**usual | fields)


ASKED: dict[str, Any] = {
    "turn_number": 1,
    "user_message": "Where?",
    "scenario_before": {"s": 1},
    "started_at": at(1),
}
ANSWERED: dict[str, Any] = {"agent_response": "There.", "latency_ms": 12.0, "tokens_used": 7}


def test_a_turn_runs_until_it_is_answered() -> None:
    assert turn_after(STARTED) == expected(1, status="running", **ASKED)
    assert turn_after(STARTED, FINISHED) == expected(
        2, status="finished", ended_at=at(2), **ASKED, **ANSWERED
    )
    assert only(TURNS, events_of(STARTED, run_id="r")).run_id == "r"


def test_an_end_alone_tells_the_whole_turn() -> None:
    told: dict[str, Any] = {
        "turn_number": 2,
        "agent_response": "There.",
        "outcome": "resolved",
        "canonical_intent": "find",
        "scenario_id": "x",
        "step_id": "a",
        "scenario_before": {"b": 1},
        "scenario_after": {"a": 2},
        "matched_rule_ids": ["r"],
        "matched_rules_count": 1,
        "template_ids_used": ["m"],
        "tool_executions": [{"e": 1}],
        "enforcement_triggered": True,
        "enforcement_action": "rewrite",
        "enforcement_violations": ["v"],
        "regeneration_attempts": 2,
        "scenario_lifecycle_decisions": ["start"],
        "step_transitions": [["a", "b"]],
    }
    call = TurnToolCall(tool_id="i", tool_name="n", success=False, error="no")
    assert turn_after(TurnFinished(turn_id="t", tool_calls=[call], **told)) == expected(
        1,
        status="finished",
        ended_at=at(1),
        tool_calls=[{"tool_id": "i", "tool_name": "n", "success": False, "error": "no"}],
        **told,
    )


def test_an_analysis_may_come_before_the_start() -> None:
    analysis = TurnAnalysed(
        turn_id="t", query_to_answer="Where?", served_context_ratings=[{"c": 1}]
    )
    analysed = {"query_to_answer": "Where?", "served_context_ratings": [{"c": 1}]}
    assert turn_after(analysis) == expected(1, **analysed)
    started = ASKED | {"started_at": at(2)}
    assert turn_after(analysis, STARTED) == expected(2, status="running", **analysed, **started)


def test_an_analysis_of_no_turn_makes_none() -> None:
    assert turn_after(TurnAnalysed(query_to_answer="Where?")) is None


def test_the_first_end_stands() -> None:
    again = TurnFinished(turn_id="t", agent_response="Elsewhere.")
    assert turn_after(STARTED, FINISHED, again) == expected(
        3,
        status="finished",
        ended_at=at(2),
        anomaly_count=1,
        anomalies=[Anomaly(3, "turn.finished", "ignored, the turn was finished already")],
        **ASKED,
        **ANSWERED,
    )


def test_a_late_start_only_fills_what_is_empty() -> None:
    assert turn_after(FINISHED, STARTED) == expected(
        2,
        status="finished",
        ended_at=at(1),
        anomaly_count=1,
        anomalies=[Anomaly(2, "turn.started", "finished before: only fills what is empty")],
        **ASKED | {"started_at": at(2)},
        **ANSWERED,
    )


def test_a_redacted_turn_is_gone() -> None:
    assert turn_after(STARTED, FINISHED, ContentRedacted(span_ids=["t", "u"])) is None
    assert fold(TURNS, events_of(ContentRedacted(span_ids=["t"]))) == {}
