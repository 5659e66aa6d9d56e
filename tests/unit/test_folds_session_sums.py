"""What the sessions view adds up: usage, by model too, and facts by kind."""

from __future__ import annotations

from ledger.catalogue import (
    ErrorOccurred,
    FeedbackGiven,
    MessageAppended,
    QARecorded,
    RunStarted,
    SessionCreated,
    ToolFailed,
    ToolStarted,
    TraceAppended,
    TurnStarted,
    UsageRecorded,
)
from projections.folds.sums import MODELS_MAX, OTHER_MODELS, ModelUsage
from tests.support.folds import unmarked
from tests.support.session_rows import expected, session_after


def test_usage_adds_up_per_session_and_per_model_to_the_same_totals() -> None:
    session = session_after(
        UsageRecorded(
            model="big",
            provider="p",
            input_tokens=100,
            output_tokens=20,
            total_tokens=120,
            cost_usd=0.1,
        ),
        UsageRecorded(model="small", input_tokens=10, cost_usd=0.2, errored=True),
        UsageRecorded(model="big", cache_read_tokens=7, cache_creation_tokens=3, cost_usd=0.1),
        UsageRecorded(output_tokens=1, reasoning_tokens=1),
    )
    assert session == expected(
        4,
        input_tokens=110,
        output_tokens=21,
        total_tokens=120,
        cache_read_tokens=7,
        cache_creation_tokens=3,
        reasoning_tokens=1,
        cost_nano_usd=400_000_000,
        error_count=1,
        last_model="big",
        model_usage={
            "big": ModelUsage(
                provider="p",
                usage_count=2,
                input_tokens=100,
                output_tokens=20,
                total_tokens=120,
                cache_read_tokens=7,
                cache_creation_tokens=3,
                cost_nano_usd=200_000_000,
            ),
            "small": ModelUsage(
                usage_count=1, error_count=1, input_tokens=10, cost_nano_usd=200_000_000
            ),
            "": ModelUsage(usage_count=1, unpriced_count=1, output_tokens=1, reasoning_tokens=1),
        },
    )
    assert session.cost_usd == 0.4


def test_the_smallest_costs_are_not_rounded_away() -> None:
    session = session_after(*[UsageRecorded(model="embed", cost_usd=2e-7)] * 10)
    assert session.cost_usd == 2e-6


def test_models_beyond_the_bound_share_one_sum() -> None:
    many = [UsageRecorded(model=f"m{n}", input_tokens=1) for n in range(MODELS_MAX + 3)]
    session = session_after(*many)
    assert len(session.model_usage) == MODELS_MAX + 1
    assert session.model_usage[OTHER_MODELS].input_tokens == 3
    assert sum(one.input_tokens for one in session.model_usage.values()) == session.input_tokens


def test_facts_are_counted_by_kind() -> None:
    session = session_after(
        SessionCreated(status="active"),
        RunStarted(),
        TurnStarted(turn_id="t1"),
        MessageAppended(role="user", content=[{"type": "image"}]),
        MessageAppended(role="assistant", content="Hello."),
        ToolStarted(call_id="c", tool_name="search"),
        ToolFailed(call_id="c"),
        ErrorOccurred(error_message="no"),
        QARecorded(qa_id="q", question=" ", answer=""),
        TraceAppended(origin_function=" ", status="ok"),
        FeedbackGiven(qa_id="q", score=5),
    )
    assert unmarked(session) == expected(
        11,
        created_sequence=1,
        run_count=1,
        turn_count=1,
        message_count=2,
        user_message_count=1,
        tool_call_count=1,
        tool_failure_count=1,
        error_count=1,
        qa_count=1,
        trace_count=1,
        feedback_count=1,
    )
