"""Lists of conversations that move while they are read; names carry the ids of soldier's lines."""

from collections.abc import Callable
from itertools import count, cycle
from typing import Any

import pytest

from ledger import NewEvent
from projections.session_stores.conversation import OPEN, Session
from tests.support.conversations import (
    AGENT,
    SCENARIO,
    TENANT,
    clock_from,
    session_of,
    standing,
    store_of,
    uuid,
    views_of,
    visit,
)
from tests.support.moving import written_between

READING = "projections.session_stores.conversation.reading"


def ana(number: int, **fields: Any) -> Session:
    return session_of(number, user_channel_id="ana", **fields)


def between(ledger: Any, *writes: Callable[[], Any], **options: Any) -> Any:
    """Open a store behind whose reads of rows the writes come, one after the other."""
    views = written_between(views_of(ledger), writes)
    return store_of(ledger, views=getattr(views, "_target", views), **options)


def moving(store: Any, number: int) -> Callable[[], Any]:
    """Return what takes a session from each open status to the next."""
    turn = cycle([*OPEN[1:], OPEN[0]])

    def move() -> None:
        status = next(turn)
        store.update(uuid(number), lambda session: setattr(session, "status", status))

    return move


@pytest.mark.parametrize("first", OPEN)
def test_a_17_49_a_session_that_goes_on_meanwhile_is_found_and_no_second_begun(
    ledger: Any, first: str
) -> None:
    store = store_of(ledger, clock=clock_from(500))
    store.save(ana(100, status=first))
    move = moving(store, 100)
    ask = (TENANT, "webchat", "ana")
    assert between(ledger, *[move] * 9).get_by_channel(*ask, statuses=OPEN) is not None
    assert between(ledger, *[move] * 9).get_or_create(ana(101)).session_id == uuid(100)
    assert store.get(uuid(101)) is None


def test_a_17_where_one_is_closed_meanwhile_the_other_is_found(ledger: Any) -> None:
    store = store_of(ledger, clock=clock_from(500))
    store.save(ana(100))
    store.save(ana(101))

    def change() -> None:
        # The newest is closed, and the one behind it becomes the newest.
        store.update(uuid(101), lambda session: setattr(session, "status", "closed"))
        store.update(uuid(100), lambda session: setattr(session, "turn_count", 1))

    found = between(ledger, change).get_by_channel(TENANT, "webchat", "ana", statuses=OPEN)
    assert found.session_id == uuid(100)
    assert store.get_or_create(ana(102)).session_id == uuid(100)


def test_a_21_a_status_that_stands_for_several_is_listed_at_one_moment(ledger: Any) -> None:
    store, key = store_of(ledger), {"session_id": str(uuid(100)), "tenant": str(TENANT)}
    store.save(session_of(100))
    turn = cycle(("pending", "active"))

    def move() -> None:
        ledger.append(events=NewEvent({"status": next(turn)}, "session.status_changed"), **key)

    for _ in range(2):
        moved = between(ledger, move)
        assert len(moved.list_by_agent(TENANT, AGENT, status="active")) == 1


def test_a_25_a_list_of_many_has_all_that_are_busy_meanwhile(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{READING}.PAGE_SESSIONS", 2)
    store = store_of(ledger, clock=clock_from(500))
    for number in range(100, 108):
        store.save(session_of(number, customer_profile_id=uuid(6)))
    numbers = count(100)

    def touch() -> None:
        # From the end of the list to its beginning, before it is read.
        store.update(uuid(next(numbers)), lambda one: setattr(one, "turn_count", 1))

    for read in (
        lambda store: store.list_by_agent(TENANT, AGENT),
        lambda store: store.list_by_customer(TENANT, uuid(6)),
    ):
        found = read(between(ledger, *[touch] * 4))
        assert {one.session_id for one in found} == {uuid(number) for number in range(100, 108)}
        places = [(one.last_activity_at, str(one.session_id)) for one in found]
        assert places == sorted(places, reverse=True)


def test_a_25_what_is_left_out_is_filled_with_what_comes_behind(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(ledger, clock=clock_from(500))
    for number in range(100, 112):
        store.save(session_of(number))
    for number in range(20):  # of the agent and of no channel: no conversations
        fact = NewEvent({"agent_id": str(AGENT), "status": "active"}, "session.created")
        ledger.append(str(uuid(300 + number)), fact, tenant=str(TENANT))

    def close() -> None:
        store.update(uuid(111), lambda one: setattr(one, "status", "closed"))

    wanted = [uuid(number) for number in range(110, 104, -1)]
    for rows_max in (10_000, 3):
        monkeypatch.setattr(f"{READING}.ROWS_MAX", rows_max)
        found = between(ledger, close).list_by_agent(TENANT, AGENT, status="active", limit=6)
        assert [one.session_id for one in found] == wanted


def test_a_34_sessions_at_a_step_that_they_enter_again_meanwhile_are_found_once(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{READING}.PAGE_SESSIONS", 2)
    monkeypatch.setattr("projections.readers.scenario_positions.PAGE_ROWS", 2)
    store = store_of(ledger, clock=clock_from(500))
    for number in range(100, 107):
        store.save(standing(number))
    numbers = cycle(range(100, 107))

    def enter() -> None:
        def again(session: Session) -> None:
            session.step_history.append(visit(500 + session.version, 1))

        for _ in range(3):
            store.update(uuid(next(numbers)), again)

    for rows_max in (10_000, 3):
        monkeypatch.setattr(f"{READING}.ROWS_MAX", rows_max)
        moved = between(ledger, *[enter] * 50)
        found = moved.find_sessions_by_step_hash(TENANT, SCENARIO, 1, "hash 1")
        assert len({one.session_id for one in found}) == len(found) <= 7
        if rows_max > 7:
            assert len(found) == 7
        places = [(one.last_activity_at, str(one.session_id)) for one in found]
        assert places == sorted(places)
    monkeypatch.setattr(f"{READING}.ROWS_MAX", 2)
    assert len(store.find_sessions_by_step_hash(TENANT, SCENARIO, 1, "hash 1")) == 7
