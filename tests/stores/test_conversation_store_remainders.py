"""What is kept because no fact says it goes on with what others tell, and is not kept anew for that."""

from typing import Any

from hypothesis import given, seed
from hypothesis import strategies as st

from ledger import Ledger, NewEvent
from projections.session_stores.conversation import Session, SessionStatus
from tests.properties.profile import SEED, examples
from tests.support.conversations import (
    CHANGES,
    FIELDS,
    OTHER_SCENARIO,
    SCENARIO,
    TENANT,
    clock_from,
    session_of,
    store_of,
    uuid,
    visit,
)

KEY = {"session_id": str(uuid(100)), "tenant": str(TENANT)}
FIRED = NewEvent({"rule_id": "greet", "times": 2}, "rule.fired")

_SCENARIOS = st.sampled_from(
    [str(SCENARIO), str(OTHER_SCENARIO), str(uuid(8)), "of another system"]
)
_NAMES = st.sampled_from(["a", "b", "c"])
_COUNTS = st.integers(0, 3)
_PLACES = st.fixed_dictionaries(
    {
        "scenario_id": _SCENARIOS,
        "scenario_version": _COUNTS,
        "step_id": st.integers(1, 4).map(lambda number: str(uuid(1_000 + number))),
        "step_name": st.none(),
        "step_content_hash": st.none(),
    }
)
_PAYLOADS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "rule.fired": st.fixed_dictionaries(
        {"rule_id": _NAMES, "turn_number": _COUNTS, "times": _COUNTS}
    ),
    "variable.set": st.fixed_dictionaries({"name": _NAMES, "value": _COUNTS}),
    "variable.unset": st.fixed_dictionaries({"name": _NAMES}),
    "turn.started": st.fixed_dictionaries({"turn_id": _NAMES, "turn_number": _COUNTS}),
    "scenario.step_entered": _PLACES,
    "scenario.started": st.fixed_dictionaries(
        {"scenario_id": _SCENARIOS, "scenario_version": _COUNTS, "primary": st.booleans()}
    ),
    **{
        f"scenario.{what}": st.fixed_dictionaries({"scenario_id": _SCENARIOS})
        for what in ("relocalized", "paused", "resumed", "completed", "exited")
    },
    "session.status_changed": st.fixed_dictionaries(
        {"status": st.sampled_from([*SessionStatus, "paused", "failed"]), "reopens": st.just(True)}
    ),
    "migration.cleared": st.just({}),
}
#: What others tell of a session, of all that is in it.
FOREIGN = st.sampled_from(sorted(_PAYLOADS)).flatmap(
    lambda type_: _PAYLOADS[type_].map(lambda payload: NewEvent(payload, type_))
)
ROUNDS = st.lists(st.tuples(CHANGES, st.lists(FOREIGN, max_size=4)), max_size=4)


def test_u_10_a_save_without_a_change_stores_nothing_where_others_went_on(ledger: Any) -> None:
    store = store_of(ledger)
    session = session_of(rule_fires={"greet": 5}, step_history=[visit(1), visit(2)])
    store.save(session)
    session.rule_fires["greet"] = 2  # which no fact says
    session.step_history.pop()
    store.save(session)
    ledger.append(events=FIRED, **KEY)
    early, late = store.get(uuid(100)), store.get(uuid(100))
    active_at, head = early.last_activity_at, ledger.head(**KEY)
    store.save(early)
    store.save(Session.model_validate(early.model_dump()))  # nobody knows any more what was stored
    assert store.update(uuid(100), lambda one: one).version == ledger.head(**KEY) == head
    assert store.get(uuid(100)) == early
    assert store.get(uuid(100)).last_activity_at == active_at
    late.variables["mine"] = 1
    store.save(late)  # nobody changed anything since
    ledger.append(events=NewEvent(FIRED.payload, FIRED.type), **KEY)
    found = store.get(uuid(100))
    assert (found.rule_fires, len(found.step_history)) == ({"greet": 6}, 1)


@seed(SEED)
@examples(60)
@given(first=st.fixed_dictionaries(FIELDS), rounds=ROUNDS)
def test_u_10_whatever_others_tell_a_save_without_a_change_stores_nothing(
    first: dict[str, Any], rounds: list[tuple[dict[str, Any], list[NewEvent]]]
) -> None:
    with Ledger.open("memory:") as ledger:
        store = store_of(ledger, clock=clock_from())
        store.save(session_of(**first))
        for changes, facts in rounds:
            session = store.get(uuid(100))
            for name, value in changes.items():
                setattr(session, name, value)
            store.save(session)
            said = store.get(uuid(100)).model_dump(exclude={"last_activity_at"})
            assert said == session.model_dump(exclude={"last_activity_at"})
            for fact in facts:
                ledger.append(events=NewEvent(fact.payload, fact.type), **KEY)
                found, head = store.get(uuid(100)), ledger.head(**KEY)
                for same in (store.get(uuid(100)), Session.model_validate(found.model_dump())):
                    store.save(same)
                    assert (ledger.head(**KEY), store.get(uuid(100))) == (head, found)
