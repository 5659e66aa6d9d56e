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
    instance,
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


def kept(ledger: Any) -> Any:
    """Return what is kept of the session's history beside its facts."""
    return ledger.read(types=["snapshot.saved"], **KEY)[-1].data["state"]["history"]


def test_a_29_what_moves_without_a_history_keeps_no_number_of_every_move(ledger: Any) -> None:
    store = store_of(ledger)
    session = session_of(active_scenarios=[instance(SCENARIO, 1)])
    for number in range(1, 12):
        session.active_scenarios[0].current_step_id = uuid(1_000 + number)
        store.save(session)
        assert store.get(uuid(100)).step_history == []
        assert kept(ledger)["hidden"] == []
    session.step_history.append(visit(12, 12))
    session.active_scenarios[0].current_step_id = uuid(1_012)
    store.save(session)
    session.active_scenarios[0].current_step_id = uuid(1_001)  # hidden, behind one that is shown
    store.save(session)
    assert len(kept(ledger)["hidden"]) == 1
    session.step_history.append(visit(13, 13))
    store.save(session)
    assert store.get(uuid(100)).step_history == session.step_history
    session.step_history.clear()
    session.active_scenarios[0].current_step_id = uuid(1_002)
    store.save(session)
    assert (store.get(uuid(100)).step_history, kept(ledger)["hidden"]) == ([], [])
    told = {"scenario_id": str(SCENARIO), "step_id": str(uuid(1_003)), "scenario_version": 1}
    told |= {"step_name": None, "step_content_hash": None}
    ledger.append(events=NewEvent(told, "scenario.step_entered"), **KEY)  # others go on from there
    assert [one.step_id for one in store.get(uuid(100)).step_history] == [uuid(1_003)]


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
