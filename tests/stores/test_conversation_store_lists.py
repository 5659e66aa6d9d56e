"""Finding conversations by channel, agent and customer; names carry the ids of soldier's lines."""

from typing import Any

import pytest

from ledger import InvalidArgument, NewEvent
from projections.session_stores.conversation import OPEN, Channel, Session, SessionStatus
from tests.support.builders import on_memory, only_sync
from tests.support.conversations import (
    AGENT,
    OTHER_TENANT,
    SCENARIO,
    TENANT,
    at,
    clock_from,
    session_of,
    standing,
    store_of,
    uuid,
)

HERE = (TENANT, Channel.WEBCHAT, "ana")


def ana(number: int = 100, **fields: Any) -> Session:
    return session_of(number, **{"user_channel_id": "ana"} | fields)


def ids(sessions: list[Session]) -> list[Any]:
    return [one.session_id for one in sessions]


def test_a_14_15_16_a_session_is_found_by_its_channel_identity_and_by_no_other(
    ledger: Any,
) -> None:
    store = store_of(ledger, tenant_id=None)
    session = ana()
    store.save(session)
    store.save(ana(101, tenant_id=OTHER_TENANT, user_channel_id="bo"))
    assert store.get_by_channel(*HERE) == session
    assert store.get_by_channel(str(TENANT), "webchat", "ana") == session
    for other in (
        (OTHER_TENANT, Channel.WEBCHAT, "ana"),
        (TENANT, Channel.SMS, "ana"),
        (TENANT, Channel.WEBCHAT, "bo"),
        (TENANT, Channel.WEBCHAT, ""),
    ):
        assert store.get_by_channel(*other) is None
    assert store_of(ledger, tenant_id=OTHER_TENANT).get_by_channel(*HERE) is None


def test_a_17_of_several_the_newest_activity_counts_or_the_newest_that_is_not_closed(
    ledger: Any,
) -> None:
    store = store_of(ledger, clock=clock_from(500))
    sessions = [ana(100), ana(101), ana(102)]
    for session in sessions:
        store.save(session)
    assert store.get_by_channel(*HERE).session_id == uuid(102)
    sessions[0].turn_count = 1
    store.save(sessions[0])
    assert store.get_by_channel(*HERE).session_id == uuid(100)
    sessions[0].status = SessionStatus.CLOSED
    store.save(sessions[0])
    assert store.get_by_channel(*HERE).session_id == uuid(100)
    assert store.get_by_channel(*HERE, statuses=OPEN).session_id == uuid(102)


def test_a_18_after_the_end_a_new_session_on_the_channel_is_the_one_that_is_found(
    ledger: Any,
) -> None:
    store = store_of(ledger, clock=clock_from(200))
    old = ana()
    store.save(old)
    old.status = SessionStatus.CLOSED
    store.save(old)
    new = ana(300)
    store.save(new)
    assert store.get_by_channel(*HERE) == new
    old.config_version = 2  # what is done after the end is no activity
    store.save(old)
    assert store.get_by_channel(*HERE) == new


def test_a_19_what_a_session_is_found_by_moves_with_it(ledger: Any) -> None:
    store = store_of(ledger)
    first, second = ana(100, customer_profile_id=uuid(6)), ana(101)
    store.save(first)
    store.save(second)
    store.delete(first.session_id)
    assert store.get_by_channel(*HERE) == second
    second.channel, second.user_channel_id = Channel.SMS, "+33"
    second.agent_id, second.customer_profile_id = uuid(20), uuid(21)
    store.save(second)
    assert store.get_by_channel(*HERE) is None
    assert store.list_by_agent(TENANT, AGENT) == store.list_by_customer(TENANT, uuid(6)) == []
    there = store.get_by_channel(TENANT, Channel.SMS, "+33")
    assert store.list_by_agent(TENANT, uuid(20)) == [there]
    assert store.list_by_customer(TENANT, uuid(21)) == [there]


def test_a_19_a_session_is_found_by_what_it_says_whatever_an_event_of_its_save_says(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    saved = ana(customer_profile_id=uuid(6))
    told: list[dict[str, Any]] = [
        {"channel": "fax"},
        {"channel": None, "agent_id": None},
        {"user_channel_id": "bo", "agent_id": str(uuid(77))},
        {"customer_profile_id": str(uuid(21))},
    ]
    for fields in told:  # the first of them begins it
        store.save(saved, events=[NewEvent(fields, "session.rekeyed")])
        found = store.get(uuid(100))
        apart = {"last_activity_at"}
        assert found.model_dump(exclude=apart) == saved.model_dump(exclude=apart)
        assert store.get_by_channel(*HERE) == found
        assert store.list_by_agent(TENANT, AGENT) == [found]
        assert store.list_by_customer(TENANT, uuid(6)) == [found]
        assert store.list_by_agent(TENANT, uuid(77)) == []
        assert store.get_by_channel(TENANT, "webchat", "bo") is None
    amended = NewEvent({"config_version": 9}, "session.amended")
    store.save(saved, events=[amended])
    assert store.get(uuid(100)).config_version == saved.config_version
    # What is said by both is said once.
    saved.user_channel_id, head = "cy", saved.version
    store.save(saved, events=[NewEvent({"user_channel_id": "cy"}, "session.rekeyed")])
    types = [one.type for one in ledger.read(str(uuid(100)), tenant=str(TENANT), after=head)]
    assert types.count("session.rekeyed") == 1
    assert store.delete(uuid(100)) is True


def test_a_20_21_22_26_a_list_has_what_it_is_asked_for_and_nothing_else(ledger: Any) -> None:
    store = store_of(ledger, tenant_id=None)
    for number, status in enumerate(SessionStatus):
        store.save(session_of(100 + number, status=status, customer_profile_id=uuid(6)))
    store.save(session_of(200, agent_id=uuid(20)))
    store.save(session_of(201, tenant_id=OTHER_TENANT, customer_profile_id=uuid(6)))
    everyone = [uuid(104 - number) for number in range(5)]
    assert ids(store.list_by_agent(TENANT, AGENT)) == everyone
    assert ids(store.list_by_customer(TENANT, uuid(6))) == everyone
    for number, status in enumerate(SessionStatus):
        for one in (status, status.value):
            assert ids(store.list_by_agent(TENANT, AGENT, status=one)) == [uuid(100 + number)]
    assert ids(store.list_by_agent(OTHER_TENANT, AGENT)) == [uuid(201)]
    assert ids(store.list_by_customer(OTHER_TENANT, uuid(6))) == [uuid(201)]
    assert store.list_by_agent(TENANT, uuid(404)) == []
    assert store.list_by_customer(TENANT, uuid(404)) == []
    other = store_of(ledger, tenant_id=OTHER_TENANT)
    assert other.list_by_agent(TENANT, AGENT) == other.list_by_customer(TENANT, uuid(6)) == []


def test_a_21_a_status_of_another_system_is_listed_as_what_it_is_shown_as(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of())
    meant = {"completed": "closed", "paused": "idle", "pending": "active", "failed": "closed"}
    for status, shown in meant.items():
        fact = NewEvent({"status": status, "reopens": True}, "session.status_changed")
        ledger.append(str(uuid(100)), fact, tenant=str(TENANT))
        [found] = store.list_by_agent(TENANT, AGENT, status=shown)
        assert found.status == store.get(uuid(100)).status == shown
        # What is not changed is not said again.
        store.save(found)
        assert found.version == ledger.head(str(uuid(100)), tenant=str(TENANT))


def test_a_23_24_25_27_a_list_is_the_newest_of_all_in_order(ledger: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("projections.session_stores.conversation.reading.PAGE_SESSIONS", 3)
    store = store_of(ledger, clock=clock_from(1_000))
    for number in range(10):
        store.save(session_of(100 + number, created_at=at(100 - number // 2)))
    touched = store.get(uuid(105))
    touched.turn_count = 1
    store.save(touched)
    order = [uuid(105)]
    order += [uuid(n) for n in (101, 100, 103, 102, 104, 107, 106, 109, 108)]
    assert ids(store.list_by_agent(TENANT, AGENT)) == order
    assert ids(store.list_by_agent(TENANT, AGENT, limit=5)) == order[:5]
    assert ids(store.list_by_agent(TENANT, AGENT, limit=5, status="active")) == order[:5]
    assert store.list_by_agent(TENANT, AGENT, limit=0) == []
    for limit in (-1, 1.0, True, None):
        with pytest.raises(InvalidArgument, match="limit"):
            store.list_by_agent(TENANT, AGENT, limit=limit)
        with pytest.raises(InvalidArgument, match="limit"):
            store.list_by_customer(TENANT, uuid(6), limit=limit)


def test_a_24_a_25_a_limit_counts_the_newest_of_those_that_fit(ledger: Any) -> None:
    store = store_of(ledger)
    for number in range(10):
        status = "idle" if number % 2 else "active"
        store.save(session_of(100 + number, status=status, customer_profile_id=uuid(6)))
    idle = store.list_by_agent(TENANT, AGENT, status="idle", limit=3)
    assert ids(idle) == [uuid(109), uuid(107), uuid(105)]
    newest = store.list_by_customer(TENANT, uuid(6), limit=3)
    assert ids(newest) == [uuid(109), uuid(108), uuid(107)]
    assert store.list_by_customer(TENANT, uuid(6), limit=0) == []


@on_memory
def test_a_23_a_list_without_a_limit_has_100(ledger: Any) -> None:
    store = store_of(ledger)
    for number in range(101):
        store.save(session_of(100 + number, customer_profile_id=uuid(6)))
    newest = [uuid(200 - number) for number in range(100)]
    assert ids(store.list_by_agent(TENANT, AGENT)) == newest
    assert ids(store.list_by_customer(TENANT, uuid(6))) == newest


def test_a_28_a_list_goes_on_behind_its_last_session(ledger: Any) -> None:
    store = store_of(ledger)
    for number in range(7):
        store.save(session_of(100 + number, customer_profile_id=uuid(6)))
    for listed in (
        lambda **page: store.list_by_agent(TENANT, AGENT, limit=3, **page),
        lambda **page: store.list_by_agent(TENANT, AGENT, limit=3, status="active", **page),
        lambda **page: store.list_by_customer(TENANT, uuid(6), limit=3, **page),
    ):
        found: list[Any] = []
        page = listed()
        while page:
            found += ids(page)
            page = listed(after=page[-1])
        assert found == [uuid(106 - number) for number in range(7)]


def test_u_20_a_list_that_changes_between_pages_neither_skips_nor_doubles_the_others(
    ledger: Any,
) -> None:
    store = store_of(ledger, clock=clock_from(1_000))
    for number in range(8):
        store.save(session_of(100 + number))
    first = store.list_by_agent(TENANT, AGENT, limit=3)
    moved, gone = store.get(uuid(102)), uuid(101)
    moved.turn_count = 1
    store.save(moved)
    store.delete(gone)
    store.save(session_of(900))
    second = store.list_by_agent(TENANT, AGENT, limit=10, after=first[-1])
    assert ids([*first, *second]) == [uuid(n) for n in (107, 106, 105, 104, 103, 100)]


def test_a_49_the_session_of_a_channel_is_found_or_begun(ledger: Any) -> None:
    store = store_of(ledger, clock=clock_from(500))
    first = store.get_or_create(ana(100))
    assert first == store.get(uuid(100))
    assert first.version == 1
    assert store.get_or_create(ana(101)) == first
    assert store.get(uuid(101)) is None
    first.status = SessionStatus.IDLE
    store.save(first)
    assert store.get_or_create(ana(102)).session_id == uuid(100)
    assert store.get_or_create(ana(103), reuse=["active"]).session_id == uuid(103)
    for number in (100, 103):
        store.update(uuid(number), close)
    assert store.get_or_create(ana(104)).session_id == uuid(104)
    store.delete(uuid(104))
    assert store.get_or_create(ana(105)).session_id == uuid(105)
    assert store.get_or_create(ana(106, channel="sms")).session_id == uuid(106)
    with pytest.raises(InvalidArgument, match="saved already"):
        store.get_or_create(first)


def test_a_49_a_session_that_is_begun_can_be_saved_as_one_that_was_saved(ledger: Any) -> None:
    store = store_of(ledger, clock=clock_from(500))
    begun, other = ana(100), ana(101)
    assert store.get_or_create(begun) is begun
    assert (begun.version, begun) == (1, store.get(uuid(100)))
    begun.turn_count, begun.last_activity_at = 1, at(400)
    store.save(begun)
    assert (store.get(uuid(100)), begun.turn_count) == (begun, 1)
    assert store.get_or_create(other) == begun
    assert other.version == 0  # it was not stored


def test_an_archived_session_is_left_out_of_what_is_found_but_by_its_id(ledger: Any) -> None:
    store = store_of(ledger, clock=clock_from(500))
    asked = TENANT, SCENARIO, 1, "hash 1"
    old = store.get_or_create(standing(100, customer_profile_id=uuid(6), user_channel_id="ana"))
    assert store.find_sessions_by_step_hash(*asked) == [old]
    ledger.append(
        str(uuid(100)), NewEvent({"reason": "expired"}, "session.archived"), tenant=str(TENANT)
    )
    archived = store.get(uuid(100))
    assert (archived.session_id, archived.user_channel_id) == (uuid(100), "ana")
    assert store.list_by_agent(TENANT, AGENT) == store.list_by_customer(TENANT, uuid(6)) == []
    assert store.get_by_channel(TENANT, "webchat", "ana") is None
    assert store.find_sessions_by_step_hash(*asked) == []
    begun = store.get_or_create(ana(101))
    assert begun.session_id == uuid(101)
    archived.turn_count = 7
    store.save(archived)
    assert store.get(uuid(100)).turn_count == 7
    assert store.list_by_agent(TENANT, AGENT) == [begun]
    assert store.delete(uuid(100)) is True


def close(session: Session) -> None:
    session.status = SessionStatus.CLOSED


@only_sync
def test_what_is_no_channel_or_status_is_refused(ledger: Any) -> None:
    store = store_of(ledger)
    with pytest.raises(InvalidArgument, match="channel"):
        store.get_by_channel(TENANT, "pigeon", "ana")
    with pytest.raises(InvalidArgument, match="status"):
        store.list_by_agent(TENANT, AGENT, status="gone")
    with pytest.raises(InvalidArgument, match="agent_id"):
        store.list_by_agent(TENANT, "no uuid")
