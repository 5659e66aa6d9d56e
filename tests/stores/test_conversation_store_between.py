"""What others do between two reads of one call: nobody is answered what does not hold any more."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger import EventIdReused, InvalidArgument, NewEvent, SequenceConflict
from projections.session_stores.conversation import OPEN, Session, SessionStatus
from tests.support.builders import on_memory, only_sync
from tests.support.conversations import (
    AGENT,
    SCENARIO,
    TENANT,
    at,
    session_of,
    standing,
    store_of,
)
from tests.support.interrupting import calls_of, interrupted
from tests.support.skipping import append_left_out

pytestmark = [on_memory, only_sync]  # the plans are the same everywhere


def close(store: Any, session: Session) -> Callable[[], Any]:
    def change(one: Session) -> None:
        one.status = SessionStatus.CLOSED

    return lambda: store.update(session.session_id, change)


CALLS: dict[str, Callable[[Any, Session], Any]] = {
    "a_04": lambda plans, one: plans.get_by_channel(TENANT, one.channel, one.user_channel_id, OPEN),
    "a_18": lambda plans, one: plans.list_by(
        TENANT, {"agent_id": str(AGENT)}, SessionStatus.ACTIVE, 10, None
    ),
    "a_29": lambda plans, one: plans.find_sessions_by_step_hash(
        TENANT, SCENARIO, 1, "hash 1", None
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_session_that_is_closed_meanwhile_is_not_found(ledger: Any, call: str) -> None:
    store = store_of(ledger)
    for number in range(100, 108):
        session = standing(number)
        store.save(session)
        ask = CALLS[call]
        answer, calls = calls_of(ask(store._plans, session))
        assert answer
        for after in range(1, calls + 1):
            one = standing(1_000 * number + after)
            store.save(one)
            found = interrupted(ask(store._plans, one), after, close(store, one))
            for other in [found] if isinstance(found, Session) else found or []:
                assert after == calls or other.status in OPEN
        close(store, session)()


def test_a_49_what_is_closed_meanwhile_is_not_gone_on_with(ledger: Any) -> None:
    store = store_of(ledger)
    for after in range(1, 4):
        first = session_of(100 + after, user_channel_id=f"u{after}")
        store.save(first)
        new = session_of(200 + after, user_channel_id=f"u{after}")
        plan = store._plans.get_or_create(new, OPEN)
        given = interrupted(plan, after, close(store, first))
        assert given.status in OPEN or after == 3, after


def test_u_17_wrong_arguments_are_refused_by_name(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of(100))
    for name, call in (
        ("user_channel_id", lambda: store.get_by_channel(TENANT, "webchat", None)),
        ("user_channel_id", lambda: store.get_by_channel(TENANT, "webchat", 5)),
        ("status", lambda: store.get_by_channel(TENANT, "webchat", "x", statuses=5)),
        ("after", lambda: store.list_by_agent(TENANT, AGENT, after=5)),
        ("events", lambda: store.save(session_of(101), events=5)),
    ):
        with pytest.raises(InvalidArgument) as caught:
            call()
        assert caught.value.argument == name


def test_u_03_an_event_that_others_tell_meanwhile_does_not_hide_what_they_changed(
    ledger: Any,
) -> None:
    # Two who are told the same by a third save it under its own id.
    for number, clock in (
        (100, None),
        (101, lambda: at(500)),
    ):  # by the clock the same fact, or not
        store = store_of(ledger) if clock is None else store_of(ledger, clock=clock)
        session = session_of(number, variables={"theirs": 0})
        store.save(session)
        key = {"session_id": str(session.session_id), "tenant": str(TENANT)}
        told = NewEvent({"text": "hi"}, "note", event_id="told")
        set_ = NewEvent({"name": "theirs", "value": 1}, "variable.set")
        event = NewEvent({"text": "hi"}, "note", event_id="told", occurred_at=clock and clock())
        with pytest.raises(SequenceConflict):
            interrupted(
                store._plans.save(store.get(session.session_id), [told]),
                2,
                lambda key=key, both=(set_, event): ledger.append(events=both, **key),  # type: ignore[misc] # of this round
            )
        mine = store.get(session.session_id)
        mine.variables["mine"] = 2
        store.save(mine, events=[told])
        assert store.get(session.session_id).variables == {"theirs": 1, "mine": 2}
        # Told by others alone, it is told; what has other content never is.
        late = NewEvent({}, "note", event_id="late")
        mine = store.get(session.session_id)
        plan = store._plans.save(mine, [late, late])
        interrupted(plan, 2, lambda key=key, late=late: ledger.append(events=late, **key))  # type: ignore[misc] # of this round
        assert mine.version == ledger.head(**key)
        other = NewEvent({"text": "bye"}, "note", event_id="told")
        with pytest.raises(EventIdReused):
            store.save(mine, events=[other])


def test_u_03_an_event_is_told_once_in_one_save_and_after_a_deletion(ledger: Any) -> None:
    store = store_of(ledger)
    key = {"session_id": str(session_of().session_id), "tenant": str(TENANT)}
    told = NewEvent({}, "note", event_id="told")
    for _ in range(2):
        session = session_of()
        for count in (1, 2):
            session.turn_count = count
            store.save(session, events=[told, told])
            assert session.version == ledger.head(**key)
        assert store.delete(session.session_id)
    assert [one.type for one in ledger.read(deleted=True, **key)].count("note") == 1


def test_u_02_what_the_view_left_out_at_the_end_is_in_no_saves_way(ledger: Any) -> None:
    store = store_of(ledger)
    session = session_of()
    store.save(session)
    key = {"session_id": str(session.session_id), "tenant": str(TENANT)}
    for count in (1, 2):
        append_left_out(ledger, type="session.rekeyed", **key)
        session.turn_count = count
        _, calls = calls_of(store._plans.save(session, ()))
        assert calls == 2  # and one that was refused, which tells where the session is
        assert session.version == ledger.head(**key)
        assert store.get(session.session_id).turn_count == count


def test_a_49_what_the_view_left_out_at_the_end_keeps_nobody_from_beginning(ledger: Any) -> None:
    store, session = store_of(ledger), session_of()
    key = {"session_id": str(session.session_id), "tenant": str(TENANT)}
    ledger.append(events=NewEvent({}, "note"), **key)  # of others, which makes no conversation
    append_left_out(ledger, type="session.rekeyed", **key)
    found = store.get_or_create(session)
    assert found.version == ledger.head(**key)
    stored = store.get(session.session_id)
    assert (stored.session_id, stored.version) == (found.session_id, found.version)
