"""What was read or saved is not looked at again where it has not changed, and what has changed is."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ledger import InvalidArgument, InvalidEvent
from projections.session_stores.conversation import Session
from projections.session_stores.conversation.models import base_of
from tests.support.builders import on_memory, only_sync
from tests.support.conversations import TENANT, instance, session_of, store_of, uuid, visit

KEY = str(uuid(100))
HERE = {"tenant": str(TENANT)}


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
