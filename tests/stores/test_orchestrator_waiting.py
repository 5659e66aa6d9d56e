"""The long poll, on every backend."""

import time
from collections.abc import Callable
from typing import Any

from projections.session_stores.orchestrator import EventRecord, ExecutionResult
from projections.session_stores.orchestrator import OrchestratorStore as Store
from tests.stores.orchestrator_cases import event, events, filled, ids, refused, run_of, session
from tests.support.builders import DEADLINE_S, FOREVER_S, background

FOREVER_MS = int(FOREVER_S * 1_000)


def waiting(store: Store, **filters: Any) -> Callable[[], list[EventRecord]]:
    """Start a long poll in a thread; the function that is returned waits for its answer."""
    future = background(lambda: store.get_events("s", wait_timeout_ms=FOREVER_MS, **filters))
    return lambda: future.result(DEADLINE_S)


def test_asm_63_69_u26_u27_what_need_not_be_waited_for_is_answered_at_once(store: Store) -> None:
    assert store.get_events("s") == store.get_events("s", wait_timeout_ms=0) == []
    assert waiting(store, before=1)() == []
    filled(store, 1)
    assert waiting(store, type="message_sent", before=2)() == []
    assert ids(waiting(store)()) == ["e1"]


def test_asm_64_an_append_ends_the_wait(store: Store) -> None:
    answer = waiting(store)
    store.append_event(event("e"))
    assert ids(answer()) == ["e"]


def test_asm_65_without_an_append_the_time_runs_out(store: Store) -> None:
    began = time.monotonic()
    assert store.get_events("s", wait_timeout_ms=100) == []
    assert time.monotonic() - began >= 0.08


def test_asm_66_67_68_what_does_not_fit_does_not_end_the_wait(store: Store) -> None:
    data = {"role": "user", "content": "x"}
    given = event("e", "message_received", run_id="r", data=data)
    answers = [
        waiting(store),
        waiting(store, type="message_received", limit=1),
        waiting(store, run_id="r"),
    ]
    store.append_event(event("other session", session_id="t"))
    store.append_event(event("other run and type", "message_sent", data=data, run_id="other"))
    store.append_event(given)
    found = [ids(answer()) for answer in answers]
    assert found[0][0] == "other run and type"
    assert found[1:] == [["e"], ["e"]]


def test_asm_71_u24_a_flush_wakes_all_who_wait(store: Store) -> None:
    filled(store, 3)
    answers = [waiting(store, after=3), waiting(store, after=3), waiting(store, after=3, limit=2)]
    given = events("f1", "f2", "f3")
    store.flush(ExecutionResult(session=session(), run=run_of(), events=given))
    assert [ids(answer()) for answer in answers] == [ids(given), ids(given), ids(given[:2])]


def test_asm_u28_closing_the_ledger_tells_those_who_wait(store: Store) -> None:
    def poll() -> None:
        with refused("storage_error"):
            store.get_events("s", wait_timeout_ms=FOREVER_MS)

    future = background(poll)
    # As long as that takes, so that the other one waits; it would be told as well if it came later.
    assert store.get_events("s", wait_timeout_ms=50) == []
    store.ledger.close()
    future.result(DEADLINE_S)


def test_asm_u33_a_wait_may_be_longer_than_a_call_used_to_last(store: Store) -> None:
    answer = background(lambda: store.get_events("s", wait_timeout_ms=86_400_000))
    store.append_event(event("e"))
    assert ids(answer.result(DEADLINE_S)) == ["e"]
