"""Ids of one row that have 2,560 bytes together fit into every view; longer ones stop it there."""

from typing import Any

import pytest

from ledger import NewEvent
from projections import ProjectionFailed
from projections.builtin import BUILTIN
from tests.support.views import views_of

TENANT, SESSION, RUN = "t" * 1_024, "s" * 1_024, "r" * 256
#: What is left of 2,560 bytes for two ids, and for one.
TWO, ONE = "x" * 256, "y" * 512

FACTS = [
    ({"channel": TWO, "user_channel_id": TWO, "agent_id": ONE, "owner_id": ONE}, "session.created"),
    ({"agent_id": TWO, "model": ONE}, "run.started"),
    ({"turn_id": TWO, "turn_number": 1}, "turn.started"),
    ({"message_id": TWO, "role": "user", "content": "parcel"}, "message.appended"),
    ({"call_id": TWO, "tool_name": "look"}, "tool.started"),
    ({"qa_id": TWO, "question": "Where?", "answer": "Here.", "user_id": TWO}, "qa.recorded"),
    ({"model": ONE, "total_tokens": 3}, "usage.recorded"),
    ({"approval_id": ONE, "tool_name": "look"}, "approval.requested"),
    (
        {
            "scenario_id": TWO,
            "scenario_version": 1,
            "step_id": ONE,
            "step_name": "n",
            "step_content_hash": TWO,
        },
        "scenario.step_entered",
    ),
    ({}, "run.finished"),
]


@pytest.fixture
def views(ledger: Any) -> Any:
    return views_of(ledger, *BUILTIN)


def test_the_longest_that_fit_stop_nothing(ledger: Any, views: Any) -> None:
    events = [NewEvent(payload, type_, run_id=RUN) for payload, type_ in FACTS]
    ledger.append(SESSION, events, tenant=TENANT)
    ledger.append(
        "y" * 512, NewEvent({"parent_session_id": SESSION}, "session.created"), tenant=TENANT
    )
    views.catch_up()
    assert [view.failures for view in views.status().views if view.failures] == []
    assert [one.run_id for one in views.runs(SESSION, tenant=TENANT)] == [RUN]
    assert [one.qa_id for one in views.qa(SESSION, tenant=TENANT)] == [TWO]
    assert [one.message_id for one in views.messages(SESSION, tenant=TENANT)] == [TWO]
    assert len(views.traces(SESSION, tenant=TENANT)) == 3
    assert views.session(SESSION, tenant=TENANT).channel == TWO


@pytest.mark.parametrize(
    ("payload", "type_", "stopped"),
    [
        ({"agent_id": "a" * 512}, "run.started", "runs"),
        ({"qa_id": "q" * 512, "question": "x", "answer": "y"}, "qa.recorded", "qa"),
        ({"call_id": "c" * 512, "tool_name": "y"}, "tool.started", "traces"),
        ({"message_id": "m" * 512, "role": "user", "content": "x"}, "message.appended", "messages"),
    ],
)
def test_longer_ones_stop_the_view_and_may_be_skipped(
    ledger: Any, views: Any, payload: dict[str, Any], type_: str, stopped: str
) -> None:
    ledger.append(SESSION, NewEvent(payload, type_, "e", run_id="r" * 512), tenant=TENANT)
    with pytest.raises(ProjectionFailed, match="too long for the index"):
        views.catch_up()
    failed = {
        failure.projection: failure for view in views.status().views for failure in view.failures
    }
    assert stopped in failed
    for name, failure in failed.items():
        views.skip(name, bucket=failure.bucket, position=failure.position, reason="long", by="me")
    views.catch_up()
