"""Variables hold any JSON: what is none is refused by its place, never made into something else."""

from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest

from ledger import InvalidArgument, InvalidEvent
from projections.folds.scripts import VARIABLES_MAX
from projections.session_stores.conversation import Session
from tests.support.builders import on_memory, only_sync
from tests.support.conversations import TENANT, instance, session_of, store_of, uuid, visit

KEY = {"session_id": str(uuid(100)), "tenant": str(TENANT)}
SURROGATES = dict.fromkeys(["\ud800", "\ud801"], 1)


class Color(StrEnum):
    RED = "red"


def mine(value: Any) -> Callable[[Session], None]:
    return lambda one: one.variables.update(mine=value)


def of_scenario(value: Any) -> Callable[[Session], None]:
    return lambda one: one.active_scenarios[0].variables.update(value)


# Where it is, and what pydantic would make into something else.
UNFIT: dict[str, tuple[str, Callable[[Session], None]]] = {
    "names": ("session.variables", lambda one: one.variables.update(SURROGATES)),
    "names assigned": ("session.variables", lambda one: setattr(one, "variables", SURROGATES)),
    "rules": ("session.rule_fires", lambda one: one.rule_fires.update(SURROGATES)),
    "turns": (
        "session.rule_last_fire_turn",
        lambda one: one.rule_last_fire_turn.update(SURROGATES),
    ),
    "names of a scenario": ("session.active_scenarios[0].variables", of_scenario(SURROGATES)),
    "nested": ("session.variables.mine", mine({"\udc00x": 1})),
    "nested of a scenario": (
        "session.active_scenarios[0].variables.a[1]",
        of_scenario({"a": [1, {1: 2}]}),
    ),
    "two keys that become one": ("session.variables.mine", mine({1: "one", "1": "text one"})),
    "None and True": ("session.variables.mine", mine({None: 1, True: 2})),
    "bytes": ("session.variables.mine", mine(b"x")),
    "bytes as a key": ("session.variables.mine[0]", mine([{b"x": 1}])),
    "set": ("session.variables.mine", mine({1, 2})),
    "deque": ("session.variables.mine", mine(deque([1]))),
    "generator": ("session.variables.mine", mine(iter([1]))),
    "decimal": ("session.variables.mine.deep", mine({"deep": Decimal("1.10")})),
    "model": ("session.variables.mine", mine(instance())),
}


@pytest.mark.parametrize("what", UNFIT)
def test_u_18_what_is_no_json_is_refused_by_its_place(ledger: Any, what: str) -> None:
    store = store_of(ledger)
    place, put = UNFIT[what]
    new = session_of(active_scenarios=[instance()])
    put(new)
    for save in (store.save, store.get_or_create):
        with pytest.raises(InvalidArgument) as caught:
            save(new)
        assert caught.value.argument == place
    assert ledger.head(**KEY) == 0


@on_memory
@only_sync
@pytest.mark.parametrize("what", UNFIT)
def test_u_18_what_is_no_json_is_refused_in_a_session_that_was_read_too(
    ledger: Any, what: str
) -> None:
    store = store_of(ledger)
    store.save(session_of(active_scenarios=[instance()]))
    session = store.get(uuid(100))
    UNFIT[what][1](session)
    with pytest.raises(InvalidArgument) as caught:
        store.save(session)
    assert caught.value.argument == UNFIT[what][0]
    assert ledger.head(**KEY) == session.version


@on_memory
@only_sync
def test_u_18_a_lone_surrogate_deep_in_a_variable_is_refused_by_its_place(ledger: Any) -> None:
    with pytest.raises(InvalidEvent, match="lone surrogate") as caught:
        store_of(ledger).save(session_of(variables={"mine": [1, {"deep": "\ud800"}]}))
    assert caught.value.field == "session.variables.mine[1].deep"
    assert ledger.head(**KEY) == 0


def test_u_18_what_would_become_what_is_stored_is_refused_too(ledger: Any) -> None:
    store = store_of(ledger)
    saved = session_of(variables={"mine": {"1": "one"}})
    store.save(saved)
    saved.variables["mine"] = {1: "one"}
    with pytest.raises(InvalidArgument, match="key 1 is not text"):
        store.save(saved)


def test_a_12_what_json_has_comes_back_and_ids_and_times_as_text(ledger: Any) -> None:
    store = store_of(ledger)
    given = {
        "json": [None, True, 1, 1.5, "é", {"a": {}}],
        "pair": (1, 2),
        "ordered": OrderedDict(a=1),
        "words": {Color.RED: Color.RED},
        "id": uuid(1),
        "moment": datetime(2026, 1, 1, tzinfo=UTC),
        "day": {"in": [date(2026, 1, 1)]},
        "time": time(12),
        "while": timedelta(seconds=1),
    }
    store.save(session_of(variables=given))
    assert store.get(uuid(100)).variables == given | {
        "pair": [1, 2],
        "words": {"red": "red"},
        "id": str(uuid(1)),
        "moment": "2026-01-01T00:00:00Z",
        "day": {"in": ["2026-01-01"]},
        "time": "12:00:00",
        "while": "PT1S",
    }


@on_memory
@only_sync
def test_u_10_a_negative_zero_that_no_fact_says_is_not_kept_anew(ledger: Any) -> None:
    store = store_of(ledger)
    variables: dict[str, Any] = {f"v{number:04}": 1 for number in range(VARIABLES_MAX)}
    store.save(session_of(variables=variables | {"z": -0.0}))  # beyond what the views keep
    found = store.get(uuid(100))
    found.turn_count, found.variables["z"] = 1, -0.0
    head = ledger.head(**KEY)
    store.save(found)
    assert [event.type for event in ledger.read(after=head, **KEY)] == ["turn.started"]


def test_u_10_a_negative_zero_is_stored_once(ledger: Any) -> None:
    store = store_of(ledger)
    saved = session_of(
        variables={"x": -0.0, "deep": [{"y": -0.0}, "-0.0"]},
        active_scenarios=[instance(variables={"x": -0.0})],
        step_history=[visit(1, confidence=-0.0)],
    )
    store.save(saved)
    head = ledger.head(**KEY)
    found = store.get(uuid(100))
    assert found == saved
    found.variables["x"] = -0.0
    for same in (saved, found, Session.model_validate(saved.model_dump())):
        store.save(same)
    assert ledger.head(**KEY) == head


def test_u_10_what_changes_beside_a_negative_zero_is_stored(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of(variables={"deep": [{"y": -0.0}, 1]}))
    for deep in ([{"y": -0.0}, 2], [{"y": 0.0}, 2.0], [{"y": -1.5}, -0.0]):
        changed = store.get(uuid(100))
        changed.variables["deep"] = deep
        store.save(changed)
        assert repr(store.get(uuid(100)).variables["deep"]) == repr(deep).replace("-0.0", "0.0")
