"""What the runs view says after given facts."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.catalogue import (
    ApprovalDecided,
    ApprovalRequested,
    CheckpointSaved,
    ContentRedacted,
    ErrorOccurred,
    Fact,
    FeedbackCleared,
    FeedbackGiven,
    MessageAppended,
    PlanStep,
    PlanUpdated,
    RunAmended,
    RunCancelled,
    RunCreated,
    RunFailed,
    RunFinished,
    RunStarted,
    RunTimedOut,
    ToolFailed,
    ToolStarted,
    TurnStarted,
    UsageRecorded,
)
from projections.folds.anomalies import Anomaly
from projections.folds.runs import RUNS, Run
from projections.folds.sums import ModelUsage
from tests.support.folds import at, event_of, events_of, fold, only, unmarked


def run_after(*facts: Fact) -> Run:
    run = only(RUNS, events_of(*facts, run_id="r"))
    assert isinstance(run, Run)
    return run


def expected(events: int, **fields: Any) -> Run:
    """The run after that many events, one a second."""
    usual: dict[str, Any] = {
        "tenant": "t",
        "session_id": "s",
        "run_id": "r",
        "first_sequence": 1,
        "last_sequence": events,
        "position": 100 + events,
        "event_count": events,
        "created_at": at(1),
        "updated_at": at(events),
    }
    return Run(**usual | fields)


def test_a_run_goes_from_pending_over_running_to_completed() -> None:
    created = RunCreated(
        parent_run_id="p", agent_id="a", provider="x", input=["hi"], metadata={"k": 1}
    )
    said = {"parent_run_id": "p", "agent_id": "a", "provider": "x", "input": ["hi"]}
    assert run_after(created) == expected(1, created_sequence=1, **said, metadata={"k": 1})
    assert run_after(created, RunStarted(model="m", input="other")) == expected(
        2,
        created_sequence=1,
        **said,
        metadata={"k": 1},
        model="m",
        status="running",
        started_at=at(2),
    )
    finished = RunFinished(output={"text": "ho"}, stop_reason="end", provider_metadata={"id": 1})
    assert run_after(created, RunStarted(), finished) == expected(
        3,
        created_sequence=1,
        **said,
        metadata={"k": 1},
        status="completed",
        started_at=at(2),
        ended_at=at(3),
        duration_us=1_000_000,
        output={"text": "ho"},
        stop_reason="end",
        provider_metadata={"id": 1},
    )


@pytest.mark.parametrize(
    ("end", "fields"),
    [
        (RunFinished(), {"status": "completed"}),
        (
            RunFailed(error_code="E", error_message="no", error={"a": 1}, output="part"),
            {
                "status": "failed",
                "error_code": "E",
                "error_message": "no",
                "error": {"a": 1},
                "output": "part",
            },
        ),
        (RunCancelled(reason="user"), {"status": "cancelled", "stop_reason": "user"}),
        (RunTimedOut(timeout_ms=5), {"status": "timeout"}),
    ],
    ids=["finished", "failed", "cancelled", "timed_out"],
)
def test_a_run_may_end_without_having_started(end: Fact, fields: dict[str, Any]) -> None:
    assert unmarked(run_after(end)) == expected(1, ended_at=at(1), duration_us=0, **fields)


def test_the_first_end_wins_with_everything_it_says() -> None:
    run = run_after(RunStarted(), RunCancelled(), RunFinished(output="late"), RunStarted())
    assert run == expected(
        4,
        created_sequence=1,
        status="cancelled",
        started_at=at(1),
        ended_at=at(2),
        duration_us=1_000_000,
        anomaly_count=2,
        anomalies=[
            Anomaly(3, "run.finished", "ignored, the run was cancelled already"),
            Anomaly(4, "run.started", "ignored, the run was cancelled already"),
        ],
    )


def test_repeated_beginnings_fill_in_and_are_noted() -> None:
    run = run_after(RunStarted(provider="p"), RunStarted(provider="q", model="m"), RunCreated())
    assert run == expected(
        3,
        created_sequence=1,
        status="running",
        provider="p",
        model="m",
        started_at=at(1),
        anomaly_count=2,
        anomalies=[
            Anomaly(2, "run.started", "started before: only fills what is empty"),
            Anomaly(3, "run.created", "not the run's first fact: only fills what is empty"),
        ],
    )


def test_messages_alone_start_nothing() -> None:
    assert run_after(MessageAppended(role="user")) == expected(1, message_count=1)


def test_work_is_counted_and_noted_after_the_end() -> None:
    run = run_after(
        RunStarted(),
        TurnStarted(turn_id="1"),
        MessageAppended(role="user"),
        ToolStarted(call_id="c", tool_name="x"),
        ToolFailed(call_id="c"),
        ErrorOccurred(error_message="x"),
        RunFinished(),
        MessageAppended(role="assistant"),
    )
    assert run == expected(
        8,
        created_sequence=1,
        status="completed",
        started_at=at(1),
        ended_at=at(7),
        duration_us=6_000_000,
        turn_count=1,
        message_count=2,
        tool_call_count=1,
        tool_failure_count=1,
        error_count=1,
        anomaly_count=1,
        anomalies=[Anomaly(8, "message.appended", "counted, the run was completed")],
    )


def test_usage_is_summed_by_kind_and_by_model_and_an_unknown_price_is_not_zero() -> None:
    first = UsageRecorded(model="m", provider="p", input_tokens=5, other_tokens={"audio": 2})
    second = UsageRecorded(model="n", input_tokens=0, other_tokens={"audio": 1}, cost_usd=0.5)
    run = run_after(first)
    assert (run.cost_usd, run.token_usage) == (None, {"audio": 2, "input_tokens": 5})
    run = run_after(first, second)
    assert unmarked(run) == expected(
        2,
        provider="p",
        model="n",
        token_usage={"audio": 3, "input_tokens": 5},
        cost_nano_usd=500_000_000,
        model_usage={
            "m": ModelUsage(provider="p", usage_count=1, unpriced_count=1, input_tokens=5),
            "n": ModelUsage(usage_count=1, cost_nano_usd=500_000_000),
        },
    )
    assert run.cost_usd == 0.5


def test_amending_sets_what_it_names() -> None:
    run = run_after(
        RunCreated(input="i", provider="p", metadata={"a": 1}),
        RunAmended(
            output={"o": 1}, error=None, provider=None, turn_count=4, cost_usd=12.5,
            token_usage={"total_tokens": 7}, started_at=at(10), ended_at=at(12),
        ),
    )  # fmt: skip
    assert run == expected(
        2,
        created_sequence=1,
        input="i",
        output={"o": 1},
        metadata={"a": 1},
        turn_count=4,
        cost_nano_usd=12_500_000_000,
        token_usage={"total_tokens": 7},
        started_at=at(10),
        ended_at=at(12),
        duration_us=2_000_000,
    )


def test_feedback_and_reward_reach_the_run_they_are_about() -> None:
    assert run_after(
        RunStarted(), FeedbackGiven(score=2, reward=1.0), FeedbackGiven(text="Too slow.")
    ) == expected(
        3,
        created_sequence=1,
        status="running",
        started_at=at(1),
        score=2,
        reward=1.0,
        feedback_text="Too slow.",
        feedback_count=2,
    )
    events = [
        event_of(RunStarted(), 1, run_id="r"),
        event_of(FeedbackGiven(run_id="r", score=4), 2),
    ]
    assert only(RUNS, events).score == 4


def test_feedback_on_an_answer_makes_no_run() -> None:
    assert fold(RUNS, events_of(FeedbackGiven(qa_id="q", score=1), run_id="r")) == {}


def test_feedback_on_a_run_that_nobody_has_seen_is_kept_for_it() -> None:
    events = [
        event_of(FeedbackGiven(run_id="r", score=1), 1, run_id="other"),
        event_of(RunStarted(), 2, run_id="r"),
    ]
    run = only(RUNS, events)
    assert (run.run_id, run.status, run.score, run.started_at) == ("r", "running", 1, at(2))


def test_cleared_feedback_is_gone() -> None:
    run = run_after(
        RunStarted(), FeedbackGiven(score=2, reward=1.0, text="x"), FeedbackCleared(run_id="r")
    )
    assert run == expected(
        3, created_sequence=1, status="running", started_at=at(1), feedback_count=1
    )


def test_plan_approvals_and_checkpoint_show_where_the_run_stands() -> None:
    run = run_after(
        PlanUpdated(objective="o", plan=[PlanStep(step="s", status="completed")]),
        ApprovalRequested(approval_id="a1"),
        ApprovalRequested(approval_id="a2"),
        ApprovalDecided(approval_id="a1", decision="deny"),
        CheckpointSaved(step="before_llm"),
    )
    assert run == expected(
        5,
        plan={"objective": "o", "plan": [{"step": "s", "status": "completed"}]},
        pending_approvals=["a2"],
        checkpoint_step="before_llm",
        checkpoint_sequence=5,
    )


def test_a_redacted_run_keeps_its_numbers_and_loses_its_words() -> None:
    events = events_of(
        RunStarted(input="secret", metadata={"s": 1}),
        UsageRecorded(input_tokens=5),
        RunFinished(output="secret"),
        run_id="r",
    )
    events.append(event_of(ContentRedacted(run_ids=["r", "nobody"]), 4))
    assert only(RUNS, events) == expected(
        4,
        created_sequence=1,
        status="completed",
        started_at=at(1),
        ended_at=at(3),
        duration_us=2_000_000,
        token_usage={"input_tokens": 5},
        model_usage={"": ModelUsage(usage_count=1, unpriced_count=1, input_tokens=5)},
        is_redacted=True,
    )


def test_facts_outside_a_run_are_of_no_run() -> None:
    assert fold(RUNS, events_of(MessageAppended(role="user"), RunStarted())) == {}
