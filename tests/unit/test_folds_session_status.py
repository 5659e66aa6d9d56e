"""The status of a session in its view, how it ends, and which facts come too late."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.catalogue import (
    FeedbackGiven,
    SessionClosed,
    SessionCreated,
    SessionStatusChanged,
    UsageRecorded,
)
from projections.folds.anomalies import ANOMALIES_MAX, Anomaly
from projections.folds.session_status import TRANSITIONS
from projections.folds.sums import ModelUsage
from tests.support.folds import at
from tests.support.session_rows import FILLER, expected, session_after


@pytest.mark.parametrize(
    ("before", "after"),
    [(before, after) for before, follow in TRANSITIONS.items() for after in sorted(follow)],
)
def test_every_foreseen_transition_is_no_anomaly(before: Any, after: Any) -> None:
    session = session_after(SessionCreated(status=before), SessionStatusChanged(status=after))
    assert (session.status, session.anomalies) == (after, [])


def test_an_unforeseen_transition_is_applied_and_noted() -> None:
    session = session_after(
        SessionCreated(), SessionStatusChanged(status="completed", reason="quick")
    )
    assert session == expected(
        2,
        status="completed",
        status_reason="quick",
        ended_at=at(2),
        created_sequence=1,
        anomaly_count=1,
        anomalies=[
            Anomaly(2, "session.status_changed", "applied, completed does not follow pending")
        ],
    )


def test_the_same_status_again_is_no_anomaly() -> None:
    session = session_after(
        FILLER,
        SessionStatusChanged(status="paused", reason="lunch"),
        SessionStatusChanged(status="paused", reason="meeting"),
    )
    assert session == expected(3, status="paused", status_reason="meeting")


def test_the_first_terminal_status_wins() -> None:
    session = session_after(
        FILLER,
        SessionStatusChanged(status="completed"),
        SessionStatusChanged(status="failed", reason="late"),
        SessionStatusChanged(status="active"),
        SessionClosed(),
        SessionStatusChanged(status="completed"),
    )
    assert session == expected(
        6,
        status="completed",
        ended_at=at(2),
        last_activity_at=at(2),
        anomaly_count=4,
        anomalies=[
            Anomaly(3, "session.status_changed", "ignored, the session was completed already"),
            Anomaly(4, "session.status_changed", "ignored, the session was completed already"),
            Anomaly(5, "session.closed", "ignored, the session was completed already"),
            Anomaly(6, "session.status_changed", "ignored, the session was completed already"),
        ],
    )


def test_closing_ends_a_session() -> None:
    assert session_after(FILLER, SessionClosed(reason="bye")) == expected(
        2, status="closed", status_reason="bye", ended_at=at(2)
    )


def test_usage_after_the_end_is_counted_and_noted_and_is_no_activity() -> None:
    session = session_after(
        FILLER, SessionClosed(), UsageRecorded(model="m", input_tokens=5), FeedbackGiven(score=5)
    )
    assert session == expected(
        4,
        status="closed",
        ended_at=at(2),
        last_activity_at=at(2),
        input_tokens=5,
        last_model="m",
        model_usage={"m": ModelUsage(usage_count=1, unpriced_count=1, input_tokens=5)},
        feedback_count=1,
        anomaly_count=1,
        anomalies=[Anomaly(3, "usage.recorded", "counted, the session was closed")],
    )


def test_the_first_anomalies_are_kept_and_all_are_counted() -> None:
    late = [UsageRecorded(input_tokens=1)] * (ANOMALIES_MAX + 5)
    session = session_after(FILLER, SessionClosed(), *late)
    assert session.anomaly_count == ANOMALIES_MAX + 5
    assert [anomaly.sequence for anomaly in session.anomalies] == list(range(3, ANOMALIES_MAX + 3))
