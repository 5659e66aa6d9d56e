"""What the sessions view says of a session: what it is, has and may."""

from __future__ import annotations

from typing import Any

from ledger.catalogue import (
    ApprovalDecided,
    ApprovalRevoked,
    Fact,
    SessionAmended,
    SessionArchived,
    SessionCreated,
    SessionForked,
    SessionLabelled,
    SessionRekeyed,
    SessionRestored,
    SessionTagged,
)
from projections.folds.anomalies import Anomaly
from projections.folds.sessions import SESSIONS
from tests.support.folds import at, event_of, unmarked
from tests.support.session_rows import FILLER, expected, session_after


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
