"""What was read or saved is not looked at again where it has not changed, and what has changed is."""

import copy
import gc
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ledger import InvalidArgument, InvalidEvent, NewEvent
from ledger.catalogue import MessageAppended
from projections.session_stores.conversation import Session
from projections.session_stores.conversation.models import base_of
from tests.support.awkward import Awkward, Lying, endless, nested
from tests.support.builders import on_memory, only_sync
from tests.support.conversations import TENANT, at, instance, session_of, store_of, uuid, visit

KEY = str(uuid(100))
HERE = {"tenant": str(TENANT)}
TOO_EARLY = datetime.min.replace(tzinfo=timezone(timedelta(hours=9)))


def test_a_change_that_cannot_be_called_is_refused_whatever_is_stored(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of())
    for number in (100, 101):
        for change in (None, session_of(), "change"):
            with pytest.raises(InvalidArgument) as caught:
                store.update(uuid(number), change)
            assert caught.value.argument == "change"


def test_an_async_change_is_refused_and_nothing_is_stored(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of())
    head = ledger.head(KEY, **HERE)

    async def change(session: Session) -> Session:
        return session

    with pytest.raises(InvalidArgument) as caught:
        store.update(uuid(100), change)
    assert str(caught.value) == "change: it is async; give a plain function."
    gc.collect()  # which would warn of a coroutine that nobody awaited
    assert ledger.head(KEY, **HERE) == head


def test_a_clock_that_tells_no_moment_is_refused_by_its_name_and_nothing_is_stored(
    ledger: Any,
) -> None:
    store_of(ledger).save(session_of())
    wrong: list[Any] = [None, "now", 5, datetime(2026, 1, 1), at(0).date()]
    for told in wrong:
        store = store_of(ledger, clock=lambda: told)  # noqa: B023 # at once
        changed = store.get(uuid(100))
        changed.turn_count = 3
        for call in (
            lambda: store.save(changed),  # noqa: B023 # at once
            lambda: store.update(uuid(100), lambda one: setattr(one, "turn_count", 3)),  # noqa: B023
            lambda: store.find_sessions_by_step_hash(TENANT, uuid(4), 1, "hash"),  # noqa: B023
        ):
            with pytest.raises(InvalidArgument) as caught:
                call()
            assert caught.value.argument == "clock"
    assert store_of(ledger).get(uuid(100)).turn_count == 0


# What no JSON is like, or no longer is when it comes back.
UNFIT = {
    "bytes": lambda: b"\xff",
    "endless": endless,
    "nested": lambda: nested(100),
    "nested deep": lambda: nested(3_000),
    "surrogate": lambda: "\ud800",
    "big": lambda: 2**64,
    "object": object,
    "awkward": Awkward,
    "lying": lambda: datetime(2026, 1, 1, tzinfo=Lying()),
}
# Where a session holds what nobody looks at before it is saved.
PUT: dict[str, Callable[[Session, Any], object]] = {
    "variables": lambda one, value: one.variables.update(mine=value),
    "nested": lambda one, value: one.variables.update(mine=[{"in": value}]),
    "of a scenario": lambda one, value: one.active_scenarios[0].variables.update(mine=value),
    "history": lambda one, value: one.step_history.append(value),
    "scenarios": lambda one, value: one.active_scenarios.append(value),
    "counter": lambda one, value: one.rule_fires.update(mine=value),
    "moment": lambda one, value: one.variable_updated_at.update(mine=value),
}


@on_memory
@only_sync
def test_what_was_read_or_saved_is_refused_if_it_was_made_wrong_inside(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    first = session_of(
        variables={"none": None, "number": 1, "zero": 0.0},
        rule_fires={"greet": 1},
        active_scenarios=[instance(variables={"none": None})],
        step_history=[visit(1)],
    )
    store.save(first)
    wrong: dict[str, Callable[[Session], object]] = {
        "session.variables.none": lambda one: one.variables.update(none=float("nan")),
        "session.variables.number": lambda one: one.variables.update(number=2**64),
        "session.variables.text": lambda one: one.variables.update(text="a\0"),
        r"session.active_scenarios\[0\].variables.none": lambda one: one.active_scenarios[
            0
        ].variables.update(none=float("inf")),
        "rule_fires": lambda one: one.rule_fires.update(greet=-1),
        "step_history": lambda one: one.step_history[0].__dict__.update(turn_number=-1),
        "scenario twice": lambda one: one.active_scenarios.append(one.active_scenarios[0]),
        "user_channel_id": lambda one: one.__dict__.update(user_channel_id=" "),
        "version": lambda one: one.__dict__.update(version=-1),
    }
    for what, change in wrong.items():
        for session in (copy.deepcopy(first), store.get(uuid(100))):
            assert base_of(session) is not None
            change(session)
            with pytest.raises((InvalidArgument, InvalidEvent), match=what):
                store.save(session)
    assert ledger.head(KEY, **HERE) == first.version
    for value in (True, 1.0):  # which are equal to what was there, and another text
        first.variables["number"] = value
        store.save(first)
        found = store.get(uuid(100))
        assert type(found.variables["number"]) is type(value)
        assert first.version == found.version == ledger.head(KEY, **HERE)


@on_memory
@only_sync
@pytest.mark.parametrize("name", ["agent_id", "tenant_id", "turn_count"])
def test_a_session_without_one_of_its_fields_is_refused(ledger: Any, name: str) -> None:
    store = store_of(ledger)
    store.save(session_of(turn_count=0))
    session = store.get(uuid(100))
    delattr(session, name)
    with pytest.raises(InvalidArgument, match=name):
        store.save(session)


def held() -> Session:
    return session_of(
        variables={"mine": 2.0**64}, active_scenarios=[instance()], step_history=[visit(1)]
    )


@pytest.mark.parametrize("where", PUT)
def test_u_18_what_cannot_be_stored_is_an_invalid_argument_wherever_it_was_put(
    ledger: Any, where: str
) -> None:
    store = store_of(ledger)
    saved = held()
    store.save(saved)
    for unfit in (*UNFIT.values(), lambda: TOO_EARLY):
        if where in ("variables", "nested", "of a scenario") and unfit() is TOO_EARLY:
            continue  # a text like any other
        new, stored = held(), store.get(uuid(100))
        new.session_id = uuid(101)
        for one in (new, stored):
            PUT[where](one, unfit())
            with pytest.raises((InvalidArgument, InvalidEvent)):
                store.save(one)
        with pytest.raises((InvalidArgument, InvalidEvent)):
            store.get_or_create(new, reuse=())
        with pytest.raises((InvalidArgument, InvalidEvent)):
            store.update(uuid(100), lambda one: PUT[where](one, unfit()))  # noqa: B023 # at once
    assert store.get(uuid(100)) == saved
    assert ledger.head(KEY, **HERE) == saved.version
    assert ledger.head(str(uuid(101)), **HERE) == 0


def test_u_18_a_moment_that_utc_does_not_have_is_an_error_of_its_field() -> None:
    for change in (
        lambda: session_of(created_at=TOO_EARLY),
        lambda: setattr(session_of(), "last_activity_at", TOO_EARLY),
        lambda: visit(1, entered_at=TOO_EARLY),
    ):
        with pytest.raises(ValueError, match="in UTC"):
            change()


def test_u_18_an_event_that_is_none_is_refused_before_anything_is_made_of_it(ledger: Any) -> None:
    store = store_of(ledger)
    saved = session_of()
    store.save(saved)
    changed = MessageAppended(role="user", content="hi")
    changed.__dict__["content"] = endless()
    wrong: list[Any] = [
        *(NewEvent({"name": "a", "value": make()}, "variable.set") for make in UNFIT.values()),
        *(NewEvent({"name": make()}, "variable.set") for make in UNFIT.values()),
        NewEvent({"rule_id": [], "times": "many"}, "rule.fired"),
        NewEvent({"scenario_id": {}}, "scenario.started"),
        NewEvent({"scenario_id": KEY, "step_id": []}, "scenario.step_entered"),
        NewEvent({}, "note", occurred_at=datetime(2026, 1, 1)),  # that is the point
        NewEvent({}, "note", event_id=7),  # type: ignore[arg-type] # that is the point
        NewEvent({}),
        changed,
        MessageAppended,
        None,
        7,
    ]
    for event in wrong:
        for session in (session_of(101), saved):
            session.variables["mine"] = 1
            with pytest.raises((InvalidArgument, InvalidEvent)):
                store.save(session, events=[NewEvent({}, "note"), event])
    assert ledger.head(KEY, **HERE) == saved.version
    assert ledger.head(str(uuid(101)), **HERE) == 0


def test_u_18_a_change_that_returns_no_session_is_refused(ledger: Any) -> None:
    store = store_of(ledger)
    saved = session_of(variables={"a": 1})
    store.save(saved)

    def without_id(one: Session) -> Session:
        del one.session_id
        return one

    for change in (
        lambda one: one.variables.pop("a"),
        lambda _: {},
        lambda _: Awkward(),
        without_id,
    ):
        with pytest.raises(InvalidArgument, match="change"):
            store.update(uuid(100), change)
    assert store.get(uuid(100)) == saved


LONG = "x" * 2_000_000


@on_memory
@only_sync
def test_u_18_a_value_of_megabytes_is_not_spelled_out_by_its_refusal(ledger: Any) -> None:
    store = store_of(ledger)
    saved = session_of(active_scenarios=[instance()])
    store.save(saved)

    def put(change: Callable[[Session], object]) -> Callable[[], object]:
        def save() -> object:
            session = saved.model_copy(deep=True)
            change(session)
            return store.save(session)

        return save

    calls: list[Callable[[], object]] = [
        lambda: store.get(LONG),
        lambda: store.delete(LONG),
        lambda: store.get_by_channel(TENANT, LONG, "ana"),
        lambda: store.get_by_channel(TENANT, "sms", "ana", statuses=[LONG]),
        lambda: store.list_by_agent(TENANT, uuid(3), status=LONG),
        lambda: store.find_sessions_by_step_hash(TENANT, LONG, 1, "hash"),
        put(lambda one: one.rule_fires.update({LONG: -1})),
        put(lambda one: one.variables.update({LONG: object()})),
        put(lambda one: one.variables.update({LONG: {1: 1}})),
        put(lambda one: one.variables.update({LONG: b"x"})),
        put(lambda one: one.variables.update(a={LONG: "\ud800"})),
        put(lambda one: one.variables.update(a={f"{LONG}\ud800": 1})),
        put(lambda one: one.__dict__.update(status=LONG)),
        put(lambda one: one.variables.update({LONG: 1})),
    ]
    for call in calls:
        with pytest.raises((InvalidArgument, InvalidEvent)) as caught:
            call()
        assert len(str(caught.value)) < 2_000
