"""What holds of the conversation store as a whole; names carry the ids of the lines."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from ledger import (
    BackendUnavailable,
    CallError,
    EventIdReused,
    InvalidArgument,
    Ledger,
    LedgerClosed,
    Limits,
    NewEvent,
    RetryableError,
    SequenceConflict,
    StopError,
)
from projections.session_stores.conversation import RemainderUnreadable, Session, SessionChanged
from projections.session_stores.conversation.models import STEP_HISTORY_MAX
from projections.session_stores.conversation.rows import REMAINDER
from projections.session_stores.snapshot import SessionBusy
from tests.support.builders import on_durable, on_memory, only_sync
from tests.support.conversations import (
    AGENT,
    OTHER_TENANT,
    SCENARIO,
    TENANT,
    at,
    full_session,
    session_of,
    standing,
    store_of,
    uuid,
    views_of,
    visit,
)

KEY = {"session_id": str(uuid(100)), "tenant": str(TENANT)}
HERE = (TENANT, SCENARIO, 3, "hash 2")
VIEWS = ("sessions", "scripts", "scenarios", "step_visits", "turns", "snapshots")


def rows(ledger: Any) -> dict[str, int]:
    views = views_of(ledger)
    found = {name: views.rows(name, KEY["session_id"], tenant=KEY["tenant"]) for name in VIEWS}
    return {name: len(one) for name, one in found.items() if one}


def lists(store: Any) -> list[Any]:
    return [
        store.list_by_agent(TENANT, AGENT),
        store.list_by_customer(TENANT, uuid(6)),
        store.find_sessions_by_step_hash(*HERE),
        [one for one in [store.get_by_channel(TENANT, "voice", "user 100")] if one],
    ]


def shown(**changes: Any) -> Session:
    """Return a session that every list of these tests has."""
    session = full_session()
    for name, value in ({"status": "active"} | changes).items():
        setattr(session, name, value)
    return session


def test_a_48_a_51_the_newest_turns_come_first_or_last_as_asked(ledger: Any) -> None:
    store = store_of(ledger)
    session = session_of()
    store.save(session)
    for number in range(1, 13):
        session.turn_count = number
        store.save(session, events=[began(number), answered(number)])
    assert store.get(uuid(100)).turn_count == 12
    page = views_of(ledger).turns(**KEY, limit=10, newest_first=True)
    assert [one.turn_number for one in page] == list(range(12, 2, -1))
    last = views_of(ledger).turns(**KEY, limit=10, newest_first=True, after=page[-1])
    assert [one.turn_number for one in last] == [2, 1]
    assert last[-1].agent_response == "answer 1"
    oldest = views_of(ledger).turns(**KEY, limit=10)
    rest = views_of(ledger).turns(**KEY, limit=10, after=oldest[-1])
    assert [one.turn_number for one in [*oldest, *rest]] == list(range(1, 13))
    assert (oldest[0], rest) == (last[-1], page[1::-1])


def began(number: int) -> NewEvent:
    told = {"turn_id": f"turn {number}", "turn_number": number, "user_message": f"{number}?"}
    return NewEvent(told, "turn.started", event_id=f"began {number}")


def answered(number: int) -> NewEvent:
    told = {"turn_id": f"turn {number}", "agent_response": f"answer {number}"}
    return NewEvent(told, "turn.finished", event_id=f"answered {number}")


def test_a_w2_a_session_and_the_record_of_its_turn_are_stored_together_or_not_at_all(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    session = session_of()
    store.save(session)
    stale = store.get(uuid(100))
    session.turn_count, session.variables["a"] = 1, 1
    store.save(session, events=[began(1), answered(1)])
    stale.turn_count = 1
    with pytest.raises(SequenceConflict):
        store.save(stale, events=[began(2), answered(2)])
    [turn] = views_of(ledger).turns(**KEY)
    assert (turn.turn_number, turn.agent_response) == (1, "answer 1")
    assert store.get(uuid(100)).turn_count == 1


def test_a_w3_a_store_of_no_one_tenant_wants_to_be_told(ledger: Any) -> None:
    store = store_of(ledger, tenant_id=None)
    store.save(session_of())
    store.save(session_of(tenant_id=OTHER_TENANT, variables={"of": "another"}))
    calls = (store.get, store.delete, lambda key: store.update(key, lambda one: one))
    for call in calls:
        with pytest.raises(InvalidArgument, match="tenant_id"):
            call(uuid(100))
    assert store.get(uuid(100), tenant_id=TENANT).variables == {}
    assert store.get(uuid(100), tenant_id=OTHER_TENANT).variables == {"of": "another"}


def test_a_w8_u_12_nothing_is_left_of_a_deleted_session(ledger: Any) -> None:
    store = store_of(ledger)
    session = shown()
    store.save(session)
    assert [len(one) for one in lists(store)] == [1, 1, 1, 1]
    assert rows(ledger).keys() == set(VIEWS)
    assert [store.delete(uuid(100)) for _ in range(2)] == [True, False]
    assert lists(store) == [[], [], [], []]
    assert rows(ledger) == {}
    new = session_of()
    store.save(new)
    assert store.get(uuid(100)) == new
    assert rows(ledger) == {"sessions": 1}


def test_u_02_a_save_from_before_stores_nothing(ledger: Any) -> None:
    store = store_of(ledger)
    session = full_session()
    store.save(session)
    stale = store.get(uuid(100))
    changes: list[Callable[[Session], Any]] = [
        lambda one: setattr(one, "status", "idle"),
        lambda one: setattr(one, "user_channel_id", "other"),
        lambda one: setattr(one, "config_version", 77),
        lambda one: setattr(one, "pending_migration", None),
        lambda one: setattr(one, "turn_count", 1),  # which no fact says
        lambda one: one.variables.clear(),
        lambda one: one.rule_fires.update(greet=9),
        lambda one: one.step_history.append(visit(9)),
        lambda one: one.active_scenarios.pop(),
    ]
    for change in changes:
        change(session)
        store.save(session)
        head = ledger.head(**KEY)
        stale.variables["mine"] = 1
        with pytest.raises(SequenceConflict, match="save it again, or call `update`") as caught:
            store.save(stale)
        assert isinstance(caught.value, SessionChanged)
        assert (caught.value.expected, caught.value.actual) == (stale.version, head)
        assert ledger.head(**KEY) == head
        stale = store.get(uuid(100))


def test_u_02_what_changes_nothing_of_a_session_is_no_conflict(ledger: Any) -> None:
    store = store_of(ledger)
    session = session_of()
    store.save(session)
    others = [
        NewEvent({"role": "user", "content": "hi"}, "message.appended"),
        NewEvent({"input_tokens": 7}, "usage.recorded"),
        NewEvent({"name": "of another store", "state": {}}, "snapshot.saved"),
        NewEvent({"text": "hi"}, "note"),
    ]
    ledger.append(events=others, **KEY)
    session.variables["a"] = 1
    store.save(session)
    assert session.version == ledger.head(**KEY)
    assert store.get(uuid(100)).variables == {"a": 1}


def test_u_03_a_repeated_save_stores_its_events_once(ledger: Any) -> None:
    store = store_of(ledger)
    session = session_of()
    store.save(session)
    for _ in range(3):
        session.turn_count = 1
        store.save(session, events=[began(1)])
    assert len(views_of(ledger).turns(**KEY)) == 1
    assert store.get(uuid(100)).turn_count == 1
    other = NewEvent({"turn_id": "turn 9"}, "turn.started", event_id="began 1")
    with pytest.raises(EventIdReused):
        store.save(session, events=[other])
    session.turn_count = 2
    store.save(session, events=[began(1), began(2)])
    assert [one.turn_number for one in views_of(ledger).turns(**KEY)] == [1, 2]
    assert store.get(uuid(100)) == session.model_copy(
        update={"last_activity_at": store.get(uuid(100)).last_activity_at}
    )


def test_u_06_order_is_that_of_the_saves_whatever_the_clock_says(ledger: Any) -> None:
    backwards = iter(range(10_000, 0, -1))
    store = store_of(ledger, clock=lambda: at(next(backwards)))
    session = standing(step_history=[])
    store.save(session)
    for number in (5, 3, 3, 1):
        session.step_history.append(visit(number, number, transition_reason=str(number)))
        session.active_step_id = session.step_history[-1].step_id
        store.save(session)
    assert store.get(uuid(100)).step_history == session.step_history
    assert len(store.find_sessions_by_step_hash(TENANT, SCENARIO, 1, "hash 1")) == 1


def test_u_07_u_09_what_is_not_there_is_none_or_nothing_or_false(ledger: Any) -> None:
    store, theirs = store_of(ledger), store_of(ledger, tenant_id=OTHER_TENANT)
    store.save(session_of(customer_profile_id=uuid(6)))
    head = ledger.head(**KEY)
    for one in (theirs, store_of(ledger, tenant_id=uuid(404))):
        assert one.get(uuid(100)) is None
        assert one.update(uuid(100), lambda session: session) is None
        assert one.delete(uuid(100)) is False
        assert lists(one) == [[], [], [], []]
    assert store.update(uuid(404), lambda session: session) is None
    assert ledger.head(**KEY) == head


def test_u_10_a_save_without_a_change_stores_nothing(ledger: Any) -> None:
    store = store_of(ledger)
    session = full_session()
    store.save(session)
    version = session.version
    store.save(session)
    store.save(store.get(uuid(100)))
    assert store.update(uuid(100), lambda one: one).version == version
    assert ledger.head(**KEY) == version


def test_u_14_what_one_tenant_does_the_others_do_not_see(ledger: Any) -> None:
    tenants = (TENANT, OTHER_TENANT)
    stores = [store_of(ledger, tenant_id=one) for one in tenants]
    for tenant, store in zip(tenants, stores, strict=True):
        store.save(shown(tenant_id=tenant, variables={"of": str(tenant)}))
    stores[0].update(uuid(100), lambda one: one.variables.update(changed=1))
    assert stores[1].get(uuid(100)).variables == {"of": str(OTHER_TENANT)}
    for tenant, store in zip(tenants, stores, strict=True):
        found = [
            *store.list_by_agent(tenant, AGENT),
            *store.list_by_customer(tenant, uuid(6)),
            *store.find_sessions_by_step_hash(tenant, *HERE[1:]),
            store.get_by_channel(tenant, "voice", "user 100"),
            store.get_or_create(
                session_of(300, tenant_id=tenant, channel="voice", user_channel_id="user 100")
            ),
        ]
        assert [one.tenant_id for one in found] == [tenant] * 5
    assert stores[0].delete(uuid(100)) is True
    assert stores[1].get(uuid(100)).variables == {"of": str(OTHER_TENANT)}


def test_u_16_what_is_handed_in_and_out_is_a_copy(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(shown(variables={"list": [1]}))
    readers: list[Callable[[], Session]] = [
        lambda: store.get(uuid(100)),
        *(lambda n=n: lists(store)[n][0] for n in range(4)),
        lambda: store.update(uuid(100), lambda one: None),
    ]
    for read in readers:
        one = read()
        one.variables["list"].append(2)
        one.step_history.clear()
        assert (read().variables, len(read().step_history)) == ({"list": [1]}, 2)


def test_u_17_both_texts_of_an_id_are_one_and_other_ids_are_safe(ledger: Any) -> None:
    store = store_of(ledger, tenant_id=TENANT.hex.upper())
    awkward = ["../up", "a:b", "日本語 \N{WAVING HAND SIGN}", "x" * 512, "'; --"]
    for number, one in enumerate(awkward):
        session = session_of(100 + number, user_channel_id=one, variables={one[:9]: one})
        store.save(session)
        key = session.session_id
        for text in (str(key), key.hex, str(key).upper(), f"{{{key}}}", key.urn):
            assert store.get(text) == session
        assert store.get_by_channel(TENANT, "webchat", one) == session
        assert store.get_or_create(session_of(300, user_channel_id=one)) == session
    assert len(store.list_by_agent(TENANT.hex, AGENT.hex)) == len(awkward)


@only_sync
def test_u_17_an_id_that_is_none_is_refused_before_anything_is_asked(ledger: Any) -> None:
    store = store_of(ledger)
    ledger.close()
    for wrong in ("", " ", "no uuid", 7):
        with pytest.raises(InvalidArgument):
            store.get(wrong)
    blank = session_of()
    blank.__dict__["user_channel_id"] = " "
    with pytest.raises(InvalidArgument, match="user_channel_id"):
        store.save(blank)
    with pytest.raises(LedgerClosed):
        store.save(session_of())


@only_sync
def test_u_18_what_to_do_is_told_by_the_type(ledger: Any) -> None:
    kinds = {
        InvalidArgument: CallError,
        SequenceConflict: CallError,
        SessionBusy: RetryableError,
        BackendUnavailable: RetryableError,
        RemainderUnreadable: StopError,
    }
    assert all(issubclass(error, kind) for error, kind in kinds.items())
    for one in kinds:
        assert not any(issubclass(one, other) for other in kinds if other is not one)
    store = store_of(ledger)
    store.save(session_of())
    strange = NewEvent({"name": REMAINDER, "state": {"format": 2}}, "snapshot.saved")
    number = ledger.append(events=strange, **KEY).sequence
    with pytest.raises(RemainderUnreadable, match=KEY["session_id"]) as caught:
        store.get(uuid(100))
    assert caught.value.sequence == number


def test_u_25_a_read_reflects_every_fact_before_it(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of())
    for number in range(1, 6):
        told = NewEvent({"turn_id": f"t{number}"}, "turn.started")
        answer = ledger.append(events=told, **KEY)
        found = store.get(uuid(100))
        assert (found.version, found.turn_count) == (answer.sequence, number)
        assert store.list_by_agent(TENANT, AGENT) == [found]


@on_durable
def test_a_27_a_session_outlives_its_process(open_ledger: Callable[..., Any]) -> None:
    first = open_ledger()
    session = shown()
    store_of(first).save(session)
    first.close()
    store = store_of(open_ledger())
    assert lists(store) == [[session]] * 4


@on_memory
@only_sync
def test_a_10_a_session_that_somebody_begins_meanwhile_is_not_overwritten(ledger: Any) -> None:
    # Before the session is appended to, and after it was looked for; with events it is looked for.
    for number, (name, events) in enumerate((("append_many", []), ("head", [began(1)])), 100):
        theirs = full_session(number)
        with pytest.MonkeyPatch.context() as patched:
            begin = partial(store_of(ledger).save, theirs)
            patched.setattr(ledger, name, beforehand(patched, getattr(ledger, name), begin))
            with pytest.raises(SequenceConflict):
                store_of(ledger).save(session_of(number), events=events)
        assert store_of(ledger).get(uuid(number)) == theirs


def beforehand(
    patched: pytest.MonkeyPatch, method: Callable[..., Any], action: Callable[[], Any]
) -> Callable[..., Any]:
    """Return a method before whose first call something happens."""

    def late(*given: Any, **named: Any) -> Any:
        patched.undo()
        action()
        return method(*given, **named)

    return late


def test_a_12_events_that_are_told_again_leave_less_room_for_steps() -> None:
    visits = [visit(number) for number in range(STEP_HISTORY_MAX + 60)]
    given = [NewEvent({}, "note", event_id=f"e{number}") for number in range(60)]
    with Ledger.open("memory:", limits=Limits(batch_events_max=STEP_HISTORY_MAX + 100)) as ledger:
        store = store_of(ledger)
        session = session_of()
        store.save(session, events=given)
        session.step_history = visits
        store.save(session, events=given)
        assert store.get(uuid(100)).step_history == visits[-STEP_HISTORY_MAX:]
