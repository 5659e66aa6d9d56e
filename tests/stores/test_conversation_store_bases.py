"""A save of what was read or saved before does not read again, and stores what it would have stored."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, seed
from hypothesis import strategies as st
from pydantic import model_validator

from ledger import Ledger, NewEvent, SequenceConflict
from ledger.backends.base import AsyncBackend
from ledger.plans import run
from projections.backends.base import AsyncViewBackend
from projections.session_stores.conversation import Session
from projections.session_stores.conversation.models import STEP_HISTORY_MAX, base_of
from projections.session_stores.conversation.reading import remainder_of
from projections.session_stores.conversation.remainders import Shown, shown
from projections.session_stores.conversation.rows import Rows
from tests.properties.profile import SEED, examples
from tests.support.blocking import Blocking
from tests.support.builders import on_memory, only_sync
from tests.support.conversations import (
    CHANGES,
    FIELDS,
    OTHER_SCENARIO,
    SCENARIO,
    TENANT,
    at,
    full_session,
    instance,
    plain,
    session_of,
    standing,
    store_of,
    uuid,
    views_of,
    visit,
)

encoded = msgspec.json.Encoder(order="deterministic").encode
KEY = str(uuid(100))
HERE = {"tenant": str(TENANT)}


def calls_of(ledger: Any, views: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list in which every call of the two backends from now on is noted."""
    found: list[str] = []
    log = ledger._target.backend if isinstance(ledger, Blocking) else ledger.backend
    backends = ((log, AsyncBackend), (plain(views)._reader._views, AsyncViewBackend))
    for backend, protocol in backends:
        for name in vars(protocol):
            if not name.startswith("_") and callable(getattr(backend, name)):
                method = noting(found, name, getattr(backend, name))
                monkeypatch.setattr(backend, name, method)
    return found


def noting(found: list[str], name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*args: Any, **kwargs: Any) -> Any:
        found.append(name)
        return method(*args, **kwargs)

    return noted


def test_a_save_of_what_was_read_or_saved_is_one_append(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = views_of(ledger)
    store = store_of(ledger, views=plain(views))
    store.save(session_of(101))  # what is made once is made
    first, begun = full_session(), session_of(102)
    store.save(first)
    read = store.get(uuid(100))
    calls = calls_of(ledger, views, monkeypatch)
    store.save(begun)
    read.variables["nested"] = {"list": [1]}
    store.save(read)
    read.variables["nested"]["list"].append(2)
    read.active_scenarios[0].variables["size"][1]["deep"] = [None]
    read.active_scenarios[0].visited_steps[uuid(1_002)] += 1
    store.save(read)
    for number, copied in enumerate((Session.model_copy, copy.copy, copy.deepcopy)):
        read = copied(read)
        read.step_history.append(visit(20 + number, transition_reason="again"))
        read.turn_count = 20 + number
        store.save(read)
    assert calls == ["append"] * 6
    monkeypatch.undo()
    found = store.get(uuid(100))
    apart = {"last_activity_at"}
    assert found.model_dump(exclude=apart) == read.model_dump(exclude=apart)
    assert found.variables["nested"] == {"list": [1, 2]}
    assert [one.turn_number for one in found.step_history][-3:] == [20, 21, 22]
    assert store.get(uuid(102)) == begun


def test_what_was_read_before_others_wrote_is_read_again_and_merges_or_conflicts(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    store.save(standing())
    read, stale = store.get(uuid(100)), store.get(uuid(100))
    ledger.append(KEY, NewEvent({}, "note"), **HERE)
    read.turn_count += 1
    store.save(read)
    assert read.version == ledger.head(KEY, **HERE)
    with pytest.raises(SequenceConflict) as caught:
        store.save(stale)  # also if it is as it was
    assert caught.value.actual == read.version
    stale.variables["a"] = 1
    with pytest.raises(SequenceConflict):
        store.save(stale)
    assert store.get(uuid(100)) == read.model_copy(
        update={"last_activity_at": store.get(uuid(100)).last_activity_at}
    )
    store.delete(uuid(100))
    read.turn_count += 1
    with pytest.raises(SequenceConflict):
        store.save(read)
    store.save(standing(turn_count=7))
    assert store.get(uuid(100)).turn_count == 7


@on_memory
@only_sync
def test_what_a_session_was_is_no_part_of_what_it_says(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(full_session())
    read = store.get(uuid(100))
    told = Session.model_validate_json(read.model_dump_json())
    made = Session.model_construct(**dict(read))
    pickled = pickle.loads(pickle.dumps(read))  # noqa: S301 # our own
    assert base_of(read) is not None
    for other in (told, made, pickled):
        assert base_of(other) is None
        assert other == read
        assert read == other
        assert (repr(other), other.model_dump()) == (repr(read), read.model_dump())
    assert read != read.model_copy(update={"turn_count": 1})
    for other in (read.model_copy(), copy.deepcopy(read)):
        assert base_of(other) is base_of(read)
    for other in (told, pickled):
        other.turn_count += 1
        other.version = read.version
        store.save(other)
        assert base_of(other) is not None
        read.version = other.version  # by hand, so that nobody knows what it was then
        read.turn_count = other.turn_count
        version = read.version
        store.save(read)
        assert read.version == version


@on_memory
@only_sync
def test_what_another_session_was_is_not_taken_for_this_one(ledger: Any) -> None:
    with Ledger.open("memory:") as other:
        here, there = store_of(ledger), store_of(other)
        here.save(session_of(variables={"a": 1}))
        there.save(session_of(variables={"b": 1}))
        here.save(session_of(101, variables={"c": 1}))
        read = here.get(uuid(100))
        assert there.get(uuid(100)).version == here.get(uuid(101)).version == read.version
        told = {"variables": {"a": 1}, "turn_count": 1}
        there.save(read.model_copy(update=told, deep=True))
        here.save(read.model_copy(update=told | {"session_id": uuid(101)}, deep=True))
        for found in (there.get(uuid(100)), here.get(uuid(101))):
            assert (found.variables, found.turn_count) == (told["variables"], told["turn_count"])
        assert here.get(uuid(100)) == read


def read_rows(store: Any) -> dict[str, Any]:
    return comparable(run(store._plans.rows(str(TENANT), KEY)))


def comparable(rows: Rows) -> dict[str, Any]:
    """Return what a conversation is made of: not where it is stored, nor what did not fit."""
    return {
        name: {
            key: msgspec.structs.replace(row, position=0)
            if "anomalies" not in row.__struct_fields__
            else msgspec.structs.replace(row, position=0, anomaly_count=0, anomalies=[])
            for key, row in found.items()
            if getattr(row, "missing_since", None) is None
        }
        for name, found in rows.views.items()
    }


@on_memory
@only_sync
def test_of_a_very_long_history_is_known_what_would_be_read(ledger: Any) -> None:
    store = store_of(ledger)
    steps = [visit(number) for number in range(STEP_HISTORY_MAX - 1)]
    session = standing(step_history=steps)
    store.save(session)
    for number in range(3):
        session.step_history.append(visit(2_000 + number))
        store.save(session)
        base = base_of(session)
        assert base is not None
        assert comparable(base.rows) == read_rows(store)
    assert store.get(uuid(100)).step_history == session.step_history[-STEP_HISTORY_MAX:]


def scenario(kind: str, **said: Any) -> NewEvent:
    return NewEvent({"scenario_id": str(SCENARIO)} | said, f"scenario.{kind}")


def others_facts() -> list[NewEvent]:
    """Return facts of others: changes of the session, what is none, and what does not fit."""
    return [
        NewEvent({}, "note"),
        NewEvent({}, "run.started", run_id="r"),
        NewEvent({"name": "of another", "state": {}}, "snapshot.saved"),
        NewEvent({"name": "conversation"}, "snapshot.deleted"),
        NewEvent({"name": "a", "value": [2]}, "variable.set"),
        NewEvent({"rule_id": "a", "turn_number": 9}, "rule.fired"),
        NewEvent({"status": "completed"}, "session.status_changed"),
        scenario("exited"),
        scenario("completed"),
        scenario("started", scenario_version=2, primary=True),
        NewEvent({"turn_id": "t", "turn_number": 9}, "turn.started"),
    ]


OTHERS = len(others_facts())
DONE = st.one_of(
    *[st.tuples(st.just("save"), CHANGES)] * 3,
    st.tuples(st.just("copy"), CHANGES),
    st.tuples(st.just("tell"), CHANGES),
    st.tuples(st.just("read"), st.none()),
    st.tuples(st.just("others"), st.integers(0, OTHERS - 1)),
    st.tuples(st.just("delete"), st.none()),
)


def texts(said: Shown) -> tuple[bytes, bytes]:
    """Return what is said as bytes, in which 1 and 1.0 are two."""
    return encoded(sorted(said.leaves.items())), encoded(said.history)


class Way:
    """One of two ways in which the same is done to a session."""

    def __init__(self, ledger: Ledger, *, reads: bool) -> None:
        self.ledger = ledger
        self.moment = at(0)
        self.store = store_of(ledger, clock=lambda: self.moment)
        if reads:
            self.store._plans._changed = lambda *_: None

    def begin(self, first: dict[str, Any]) -> Any:
        self.session = session_of(**copy.deepcopy(first))
        self.store.save(self.session)

    def do(self, number: int, what: str, given: Any) -> Any:
        self.moment = at(number)
        try:
            return getattr(self, what)(number, given)
        except SequenceConflict as conflict:
            self.read(number, None)
            return type(conflict), conflict.expected, conflict.actual

    def save(self, number: int, changes: dict[str, Any], events: Any = ()) -> Any:
        for name, value in copy.deepcopy(changes).items():
            setattr(self.session, name, value)
        self.store.save(self.session, events=events)
        return self.session.version

    def copy(self, number: int, changes: dict[str, Any]) -> Any:
        self.session = self.session.model_copy(deep=True)
        return self.save(number, changes)

    def tell(self, number: int, changes: dict[str, Any]) -> Any:
        told = {"turn_id": f"turn {number}", "turn_number": number}
        event = NewEvent(told, "turn.finished", event_id=f"told {number}", occurred_at=at(number))
        return self.save(number, changes, [event])

    def read(self, number: int, given: None) -> Any:
        found = self.store.get(uuid(100))
        self.session = session_of() if found is None else found
        return found

    def others(self, number: int, given: int) -> None:
        event = msgspec.structs.replace(others_facts()[given], occurred_at=at(number))
        self.ledger.append(KEY, event, **HERE)

    def delete(self, number: int, given: None) -> None:
        self.store.delete(uuid(100))

    def stored(self) -> list[Any]:
        return [
            (one.sequence, one.type, {**one.data, "turn_id": None}, one.occurred_at)
            for one in self.ledger.read(KEY, **HERE, deleted=True)
            if one.type != "session.deleted"
        ]


@seed(SEED)
@examples(80)
@given(first=st.fixed_dictionaries(FIELDS), done=st.lists(DONE, max_size=8))
def test_whatever_is_saved_is_stored_as_if_it_had_been_read_before(
    first: dict[str, Any], done: list[tuple[str, Any]]
) -> None:
    with Ledger.open("memory:") as known, Ledger.open("memory:") as looked_up:
        ways = [Way(known, reads=False), Way(looked_up, reads=True)]
        for way in ways:
            way.begin(first)
        for number, (what, given_) in enumerate(done, 200):
            one, other = (way.do(number, what, given_) for way in ways)
            assert one == other
            assert ways[0].stored() == ways[1].stored()
            assert ways[0].session == ways[1].session
            base = base_of(ways[0].session)
            if base is not None and base.version == known.head(KEY, **HERE):
                assert comparable(base.rows) == read_rows(ways[0].store)
                said = shown(base.rows, remainder_of(base.rows))
                assert texts(base.shown) == texts(said)


@on_memory
@only_sync
def test_what_a_caller_told_or_got_can_be_changed_without_changing_what_is_known(
    ledger: Any,
) -> None:
    store, value = store_of(ledger), [1]
    created = store.get_or_create(session_of(active_scenarios=[instance()], variables={"a": [1]}))
    created.variables["a"].append(2)
    created.turn_count += 1  # or the save reads, to see whether anybody wrote
    store.save(created)
    assert store.get(uuid(100)).variables == {"a": [1, 2]}
    created.active_scenarios[0].variables["b"] = value
    told = {"name": "b", "value": value, "scenario_id": str(OTHER_SCENARIO)}
    store.save(created, events=[NewEvent(told, "variable.set")])
    value.append(2)
    created.turn_count += 1
    store.save(created)
    assert store.get(uuid(100)).active_scenarios[0].variables == {"b": [1, 2]}
    read = store.get(uuid(100))
    read.variables["a"].append(3)
    read.active_scenarios[0].variables["b"].append(3)
    read.turn_count += 1
    store.save(read)
    found = store.get(uuid(100))
    assert (found.variables, found.active_scenarios[0].variables) == (
        {"a": [1, 2, 3]},
        {"b": [1, 2, 3]},
    )


@on_memory
@only_sync
def test_what_is_upcast_when_it_is_read_is_read(ledger: Any) -> None:
    store = store_of(ledger)
    ledger.upcasts.register(
        "variable.set", from_version=1, upcaster=lambda data: data | {"value": 2}
    )
    session = standing(variables={"a": 1})
    store.save(session)
    assert base_of(session) is None
    session.turn_count += 1
    session.variables["a"] = 2
    store.save(session)
    found = store.get(uuid(100))
    assert (found.turn_count, found.variables) == (1, {"a": 2})


@on_memory
@only_sync
def test_what_a_class_of_ones_own_adds_to_a_session_is_heard(ledger: Any) -> None:
    heard: list[int] = []

    class Titled(Session):
        title: str = ""

        def model_dump(self, **options: Any) -> dict[str, Any]:
            return super().model_dump(**options, exclude={"title"})

        @model_validator(mode="after")
        def hear(self) -> "Titled":
            heard.append(self.version)
            return self

    store = store_of(ledger)
    session = Titled(**dict(full_session()), title="Lyon")
    store.save(session)
    first = session.version
    session.turn_count += 1
    store.save(session)
    assert (session.title, heard[-1]) == ("Lyon", session.version)
    assert first in heard
    assert store.get(uuid(100)).turn_count == session.turn_count
