"""What the sessions view says after given facts."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.catalogue import (
    ApprovalDecided,
    ApprovalRevoked,
    ContentRedacted,
    ErrorOccurred,
    Fact,
    FeedbackGiven,
    MessageAppended,
    QARecorded,
    RunStarted,
    SessionAmended,
    SessionArchived,
    SessionClosed,
    SessionCreated,
    SessionForked,
    SessionLabelled,
    SessionRekeyed,
    SessionRestored,
    SessionStatusChanged,
    SessionTagged,
    ToolFailed,
    ToolStarted,
    TraceAppended,
    TurnStarted,
    UsageRecorded,
    VariableSet,
)
from projections.folds.anomalies import ANOMALIES_MAX, Anomaly
from projections.folds.session_status import TRANSITIONS
from projections.folds.sessions import SESSIONS, Session
from projections.folds.sums import MODELS_MAX, OTHER_MODELS, ModelUsage
from tests.support.folds import at, event_of, events_of, only, unmarked

FILLER = VariableSet(name="x", value=1)


def session_after(*facts: Fact) -> Session:
    session = only(SESSIONS, events_of(*facts))
    assert isinstance(session, Session)
    return session


def expected(events: int, **fields: Any) -> Session:
    """The session after that many events, one a second, that never ended."""
    usual: dict[str, Any] = {
        "tenant": "t",
        "session_id": "s",
        "first_sequence": 1,
        "last_sequence": events,
        "position": 100 + events,
        "event_count": events,
        "status": "active",
        "created_at": at(1),
        "last_activity_at": at(events),
        "updated_at": at(events),
    }
    return Session(**usual | fields)


def test_a_session_has_everything_its_creation_says() -> None:
    identity: dict[str, Any] = {
        "agent_id": "a",
        "owner_id": "o",
        "channel": "whatsapp",
        "user_channel_id": "+49",
        "customer_profile_id": "c",
        "interlocutor_id": "i",
        "external_id": "ext",
        "dataset_id": "d",
        "parent_session_id": "p",
    }
    carried: dict[str, Any] = {
        "config_version": 3,
        "labels": {"env": "prod"},
        "tags": ["z", "a", "z"],
        "metadata": {"k": [1]},
        "context": {"c": {}},
    }
    created = SessionCreated(**identity, **carried, status="active", label="Refund")
    assert session_after(created) == expected(
        1,
        **identity,
        **carried | {"tags": ["z", "a"]},
        label="Refund",
        label_source="given",
        label_source_id="e1",
        created_sequence=1,
    )


def test_a_created_session_is_pending_until_somebody_says_otherwise() -> None:
    assert session_after(SessionCreated()) == expected(1, status="pending", created_sequence=1)
    assert session_after(SessionCreated(), FILLER).status == "pending"


def test_a_session_exists_from_its_first_fact_whatever_it_is() -> None:
    assert session_after(FILLER) == expected(1)


def test_a_creation_that_comes_late_fills_in_and_is_no_anomaly() -> None:
    assert session_after(FILLER, SessionCreated(agent_id="a")) == expected(
        2, agent_id="a", created_sequence=2
    )


def test_a_second_creation_fills_only_what_is_empty() -> None:
    session = session_after(
        SessionCreated(agent_id="a", tags=["one"]),
        SessionCreated(agent_id="b", owner_id="o", tags=["two"], status="failed"),
    )
    assert session == expected(
        2,
        status="pending",
        agent_id="a",
        owner_id="o",
        tags=["one"],
        created_sequence=1,
        anomaly_count=1,
        anomalies=[Anomaly(2, "session.created", "created before: only what was empty is filled")],
    )


def test_rekeying_changes_what_is_named_and_null_clears() -> None:
    session = session_after(
        SessionCreated(agent_id="a", owner_id="o", channel="sms", status="active"),
        SessionRekeyed(agent_id="b", owner_id=None),
    )
    assert session == expected(2, agent_id="b", channel="sms", created_sequence=1)


def test_amending_replaces_whole_values_and_keeps_the_others() -> None:
    session = session_after(
        SessionCreated(metadata={"a": 1}, context={"c": 1}, config_version=1, status="active"),
        SessionAmended(metadata={"b": 2}, config_version=None),
    )
    assert session == expected(2, metadata={"b": 2}, context={"c": 1}, created_sequence=1)


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


def question(text: str, qa_id: str = "q") -> QARecorded:
    return QARecorded(qa_id=qa_id, question=text, answer="")


STEP = TraceAppended(origin_function="search", status="ok", step_id="step")
HELLO = MessageAppended(role="user", content="Hello", message_id="m")


@pytest.mark.parametrize(
    ("facts", "label"),
    [
        ([STEP], ("search", "function", "step")),
        ([question(" "), question("Where is my order?", "q2")],
         ("Where is my order?", "question", "q2")),
        ([question("First?"), question("Second?", "q2")], ("First?", "question", "q")),
        ([question("x" * 200)], ("x" * 120, "question", "q")),
        ([STEP, question("Why?")], ("Why?", "question", "q")),
        ([STEP, HELLO], ("Hello", "message", "m")),
        ([HELLO, question("Why?"), STEP], ("Why?", "question", "q")),
        ([TurnStarted(turn_id="t1", user_message="Hi")], ("Hi", "message", "t1")),
        ([SessionLabelled(label="Mine"), question("Why?")], ("Mine", "given", "e1")),
        ([question("Why?"), SessionLabelled(label="Mine")], ("Mine", "given", "e2")),
        ([SessionLabelled(label="Mine"), SessionLabelled(label=None), STEP],
         ("search", "function", "step")),
        ([question("Why?"), SessionLabelled(label=None)], ("Why?", "question", "q")),
        ([question("Why?"), SessionLabelled(labels={})], ("Why?", "question", "q")),
        ([question("Why?"), ContentRedacted(qa_ids=["q"])], (None, None, None)),
        ([question("Why?"), ContentRedacted(qa_ids=["other"])], ("Why?", "question", "q")),
    ],
)  # fmt: skip
def test_the_label_is_given_or_the_first_question_or_message_or_function(
    facts: list[Fact], label: tuple[str | None, ...]
) -> None:
    session = session_after(*facts)
    assert (session.label, session.label_source, session.label_source_id) == label


def test_labels_are_merged_and_null_removes() -> None:
    session = session_after(
        SessionLabelled(labels={"a": "1", "b": "2"}), SessionLabelled(labels={"a": None, "c": "3"})
    )
    assert unmarked(session) == expected(2, labels={"b": "2", "c": "3"})


def test_tags_of_two_writers_both_survive_in_order() -> None:
    session = session_after(
        SessionTagged(added=["z", "a"]), SessionTagged(added=["a", "b"], removed=["z", "none"])
    )
    assert unmarked(session) == expected(2, tags=["a", "b"])


def test_a_fork_names_where_it_comes_from() -> None:
    assert session_after(SessionForked(parent="p", at=7)) == expected(
        1, forked_from="p", forked_at_sequence=7
    )


def test_an_archived_session_can_be_restored() -> None:
    archived = session_after(FILLER, SessionArchived(), SessionArchived())
    assert archived == expected(3, archived_at=at(2))
    assert session_after(FILLER, SessionArchived(), SessionRestored()) == expected(3)


def test_what_is_always_allowed_is_remembered_until_revoked() -> None:
    def allow(key: str | None, decision: Any = "allow_always") -> Fact:
        return ApprovalDecided(approval_id="x", decision=decision, action_key=key)

    session = session_after(
        allow("write"), allow("delete"), allow("read", "allow_once"), allow(None), allow("net"),
        ApprovalRevoked(action_key="delete"),
    )  # fmt: skip
    assert session == expected(6, always_allowed_actions=["net", "write"])


def test_sessions_of_two_tenants_are_two_rows() -> None:
    one, two = event_of(FILLER, tenant="t1"), event_of(FILLER, tenant="t2")
    assert SESSIONS.keys(one) == (("t1", "s"),)
    assert SESSIONS.keys(two) == (("t2", "s"),)
