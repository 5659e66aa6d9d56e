"""Which facts of others a save from before would overwrite, and which are not a conversation's."""

from typing import Any

import pytest

from ledger import NewEvent, SequenceConflict
from projections.session_stores.conversation.rows import REMAINDER
from tests.support.builders import on_memory, only_sync
from tests.support.conversations import SCENARIO, TENANT, session_of, store_of, uuid

KEY = {"session_id": str(uuid(100)), "tenant": str(TENANT)}
ELSEWHERE: dict[str, dict[str, Any]] = {
    "session.created": {"metadata": {"x": 1}, "external_id": "e", "tags": ["t"]},
    "session.rekeyed": {"owner_id": "o", "external_id": "e", "dataset_id": None},
    "session.amended": {"metadata": {}, "context": {"x": 1}},
    "variable.set": {"scenario_id": "of another system", "name": "a", "value": 1},
    "scenario.started": {"scenario_id": "of another system", "scenario_version": 1},
    "scenario.paused": {"scenario_id": "of another system"},
    "snapshot.deleted": {"name": "another"},
}
OWN: list[tuple[str, dict[str, Any]]] = [
    ("session.created", {"interlocutor_id": str(uuid(7))}),
    *(
        ("session.rekeyed", {name: None})
        for name in ("customer_profile_id", "interlocutor_id", "agent_id", "channel")
    ),
    ("session.rekeyed", {"owner_id": "o", "user_channel_id": "other"}),
    ("session.amended", {"metadata": {}, "config_version": 2}),
    ("variable.set", {"scenario_id": None, "name": "a", "value": 1}),
    ("variable.set", {"scenario_id": str(SCENARIO), "name": "a", "value": 1}),
    ("scenario.relocalized", {"scenario_id": "of another system"}),
    ("snapshot.deleted", {"name": REMAINDER}),
    (
        "scenario.step_entered",
        {
            "scenario_id": "of another system",
            "scenario_version": 1,
            "step_id": str(uuid(1_001)),
            "step_name": None,
            "step_content_hash": None,
        },
    ),
    (
        "scenario.step_entered",
        {
            "scenario_id": str(SCENARIO),
            "scenario_version": 1,
            "step_id": "of another system",
            "step_name": None,
            "step_content_hash": None,
        },
    ),
]


@pytest.mark.parametrize("type_", ELSEWHERE)
def test_u_02_a_fact_of_what_a_conversation_does_not_say_is_no_conflict(
    ledger: Any, type_: str
) -> None:
    store = store_of(ledger)
    session = session_of()
    store.save(session)
    said = store.get(uuid(100)).model_dump(exclude={"version", "last_activity_at"})
    ledger.append(events=NewEvent(ELSEWHERE[type_], type_), **KEY)
    assert store.get(uuid(100)).model_dump(exclude={"version", "last_activity_at"}) == said
    session.turn_count = 1
    store.save(session)
    assert store.get(uuid(100)).turn_count == 1


@on_memory
@only_sync
@pytest.mark.parametrize("fact", OWN, ids=str)
def test_u_02_a_fact_of_what_a_conversation_says_is_a_conflict(
    ledger: Any, fact: tuple[str, dict[str, Any]]
) -> None:
    store = store_of(ledger)
    session = session_of()
    store.save(session)
    ledger.append(events=NewEvent(fact[1], fact[0]), **KEY)
    session.turn_count = 1
    with pytest.raises(SequenceConflict):
        store.save(session)
