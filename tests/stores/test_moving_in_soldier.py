"""A store full of soldier's sessions, as JSON, and of its audited turns moved into a conversation store."""

import json
from itertools import islice
from typing import Any

from ledger import NewEvent
from ledger.catalogue import TurnFinished, TurnStarted
from projections.session_stores.conversation import Channel, Session, SessionStatus
from tests.support.conversations import (
    AGENT,
    OTHER_TENANT,
    TENANT,
    at,
    full_session,
    session_of,
    store_of,
    uuid,
    views_of,
)
from tests.support.views import views_of as all_views_of

TURNS = 3
NEW = {"version"}  # the only field that soldier does not have


def _written(number: int, **fields: Any) -> str:
    session = full_session(number)
    for name, value in (fields | {"turn_count": TURNS}).items():
        setattr(session, name, value)
    return session.model_dump_json(exclude=NEW)


#: One of each status, each on a channel of its own, closed long ago or used since; the last ones are
#: on the channel of the first, and of another tenant.
EXPORT = [
    *(
        _written(1_000 - 10 * number, status=status, channel=channel, user_channel_id=f"u {number}")
        for number, (status, channel) in enumerate(zip(SessionStatus, Channel, strict=False))
    ),
    _written(10, status="closed", channel=Channel.WHATSAPP, user_channel_id="u 0"),
    session_of(5, tenant_id=OTHER_TENANT).model_dump_json(exclude=NEW),
]


def _turns(session: Session) -> list[NewEvent]:
    """What is known of a session's turns: of the first nobody kept more than that it was."""
    facts = []
    for number in range(1, session.turn_count + 1):
        key, began = f"{session.session_id} {number}", at(number)
        said = None if number == 1 else f"message {number}"
        started = TurnStarted(turn_id=key, turn_number=number, user_message=said)
        facts.append(NewEvent(started, event_id=f"{key} started", occurred_at=began))
        if number > 1:
            ended = TurnFinished(turn_id=key, agent_response=f"answer {number}")
            facts.append(NewEvent(ended, event_id=f"{key} ended", occurred_at=at(number + 0.5)))
    return facts


def move(store: Any, sessions: int | None = None) -> None:
    """Move all sessions, or stop behind so many, as who is killed does."""
    for text in islice(EXPORT, sessions):
        session = Session.model_validate_json(text)
        if store.get(session.session_id, tenant_id=session.tenant_id) is None:
            store.save(session, events=_turns(session))


def test_all_sessions_are_found_whole_however_often_the_move_was_begun(ledger: Any) -> None:
    store, views = store_of(ledger, tenant_id=None), views_of(ledger)
    for sessions in (2, 4, None, None):
        move(store, sessions)
    for text in EXPORT:
        wanted = Session.model_validate_json(text)
        key, tenant = str(wanted.session_id), str(wanted.tenant_id)
        found = store.get(key, tenant_id=tenant)
        assert json.loads(found.model_dump_json(exclude=NEW)) == json.loads(text)
        row = views.session(key, tenant=tenant)
        is_closed = wanted.status == "closed"
        assert (row.created_at, row.last_activity_at) == (
            wanted.created_at,
            wanted.last_activity_at,
        )
        assert row.ended_at == (wanted.last_activity_at if is_closed else None)
        assert row.anomalies == []
        assert ledger.head(key, tenant=tenant) == found.version == row.event_count


def test_lists_and_channels_find_them_in_the_order_of_their_activity(ledger: Any) -> None:
    store = store_of(ledger)
    move(store_of(ledger, tenant_id=None))
    ours = [Session.model_validate_json(text) for text in EXPORT[:-1]]
    newest_first = sorted(ours, key=lambda one: one.last_activity_at, reverse=True)
    ids = [one.session_id for one in newest_first]
    assert [one.session_id for one in store.list_by_agent(TENANT, AGENT)] == ids
    assert [one.session_id for one in store.list_by_customer(TENANT, uuid(6))] == ids
    for status in SessionStatus:
        wanted = [one.session_id for one in newest_first if one.status == status]
        listed = store.list_by_agent(TENANT, AGENT, status=status)
        assert [one.session_id for one in listed] == wanted
    newest = store.get_by_channel(TENANT, Channel.WHATSAPP, "u 0")
    assert newest.session_id == ours[0].session_id
    stepped = store.find_sessions_by_step_hash(
        TENANT, ours[0].active_scenario_id, ours[0].active_scenario_version, "hash 2"
    )
    assert [one.session_id for one in stepped] == [ours[0].session_id]


def test_turns_are_found_at_their_times(ledger: Any) -> None:
    move(store_of(ledger, tenant_id=None), 3)
    move(store_of(ledger, tenant_id=None))
    views = all_views_of(ledger)
    for text in EXPORT[:-1]:
        session = Session.model_validate_json(text)
        turns = views.turns(str(session.session_id), tenant=str(TENANT))
        assert [one.turn_number for one in turns] == [1, 2, 3]
        assert [one.user_message for one in turns] == [None, "message 2", "message 3"]
        assert [one.agent_response for one in turns] == [None, "answer 2", "answer 3"]
        assert [one.started_at for one in turns] == [at(1), at(2), at(3)]
        assert [one.ended_at for one in turns] == [None, at(2.5), at(3.5)]
    assert views.anomalies(tenant=str(TENANT)) == []


def test_turns_of_which_nothing_is_known_are_counted_all_the_same(ledger: Any) -> None:
    session = Session.model_validate_json(EXPORT[0])
    store_of(ledger).save(session)
    turns = all_views_of(ledger).turns(str(session.session_id), tenant=str(TENANT))
    assert [one.turn_number for one in turns] == [1, 2, 3]
    assert {one.started_at for one in turns} == {session.last_activity_at}
