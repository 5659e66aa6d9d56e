"""What happens between two questions of an orchestrator's store."""

import pytest

from projections.session_stores.orchestrator import OrchestratorStore as Store
from tests.stores.orchestrator_cases import event, ids, session
from tests.support.builders import only_sync
from tests.support.interrupting import calls_of, interrupted


@only_sync
@pytest.mark.parametrize("after", [1, 2])
def test_an_event_appended_as_its_session_is_deleted_is_stored_once(
    store: Store, after: int
) -> None:
    store.save_session(session())
    given = [event("e"), event("f", session_id="other")]
    interrupted(store.plans.append_events(given), after, lambda: store.delete_session("s"))
    assert ids(store.get_events("s")) == (["e"] if after == 1 else [])
    again = store.append_events(given)  # its user got no answer
    assert ids(again) == ["e", "f"]
    assert [ids(store.get_events(name)) for name in ("s", "other")] == [["e"], ["f"]]
    kept = [one.event_id for one in store.ledger.read("s", deleted=True)]
    assert [one for one in kept if one.startswith("e@")] == [kept[-1]]


@only_sync
def test_events_of_many_sessions_take_two_calls(store: Store) -> None:
    given = [event(f"e{n}", session_id=f"s{n % 50}") for n in range(100)]
    stored, calls = calls_of(store.plans.append_events(given))
    assert (ids(stored), calls) == (ids(given), 2)
