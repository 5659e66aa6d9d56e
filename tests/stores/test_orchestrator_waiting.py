"""The long poll, on every backend."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from projections.session_stores.orchestrator import EventRecord, ExecutionResult
from projections.session_stores.orchestrator import OrchestratorStore as Store
from tests.stores.orchestrator_cases import (
    event,
    events,
    filled,
    ids,
    numbers,
    refused,
    run_of,
    session,
)
from tests.support.blocking import Blocking
from tests.support.builders import DEADLINE_S, FOREVER_S, background, eventually

FOREVER_MS = int(FOREVER_S * 1_000)


def waiting(store: Store, **filters: Any) -> Callable[[], list[EventRecord]]:
    """Start a long poll in a thread; the function that is returned waits for its answer."""
    future = background(lambda: store.get_events("s", wait_timeout_ms=FOREVER_MS, **filters))
    return lambda: future.result(DEADLINE_S)


def noted_reads(store: Any, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the waits of all reads of a store's ledger from now on, as they are made."""
    ledger = store._target.ledger if isinstance(store, Blocking) else store.ledger
    read, waits = ledger.read, list[float]()

    def noted(*args: Any, wait: float = 0, **options: Any) -> Any:
        waits.append(wait)
        return read(*args, wait=wait, **options)

    monkeypatch.setattr(ledger, "read", noted)
    return waits


def test_asm_63_69_u26_u27_what_need_not_be_waited_for_is_answered_at_once(store: Store) -> None:
    assert store.get_events("s") == store.get_events("s", wait_timeout_ms=0) == []
    assert waiting(store, before=1)() == []
    filled(store, 1)
    assert waiting(store, type="message_sent", before=2)() == []
    assert ids(waiting(store)()) == ["e1"]
    with refused("validation_error"):  # as in a search: it would be waited for in vain
        waiting(store, type="mesage_sent")()


def test_a_wait_ends_when_nothing_can_come_before_its_bound_any_more(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = noted_reads(store, monkeypatch)
    asked = {"type": "message_received", "before": 4}
    answers = [waiting(store, **asked), waiting(store, **asked, after=1, limit=1)]
    store.append_event(event("a", "message_sent"))
    store.append_events([event("b", "message_sent"), event("other session", session_id="t")])
    eventually(lambda: any(one > DEADLINE_S for one in waits))
    store.save_session(session())
    assert [answer() for answer in answers] == [[], []]


def test_what_comes_before_a_bound_ends_the_wait(store: Store) -> None:
    answers = [waiting(store, before=3), waiting(store, before=3, type="message_received")]
    store.append_events([event("a", "message_sent"), *events("b", "c")])
    assert [ids(answer()) for answer in answers] == [["a", "b"], ["b"]]


def test_a_deletion_may_be_the_last_that_comes_before_a_bound(store: Store) -> None:
    filled(store, 1)
    answer = waiting(store, before=3, type="message_sent")
    store.delete_session("s")
    assert answer() == []


def test_asm_64_an_append_ends_the_wait(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = noted_reads(store, monkeypatch)
    answer = waiting(store)
    eventually(lambda: waits)
    store.append_event(event("e"))
    assert ids(answer()) == ["e"]


def test_asm_65_without_an_append_the_time_runs_out(store: Store) -> None:
    began = time.monotonic()
    assert store.get_events("s", wait_timeout_ms=100) == []
    assert time.monotonic() - began >= 0.08


def test_asm_66_67_68_what_does_not_fit_does_not_end_the_wait(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {"role": "user", "content": "x"}
    given = event("e", "message_received", run_id="r", data=data)
    waits = noted_reads(store, monkeypatch)
    answers = [
        waiting(store),
        waiting(store, type="message_received", limit=1),
        waiting(store, run_id="r"),
    ]
    eventually(lambda: len(waits) == len(answers))
    store.append_event(event("other session", session_id="t"))
    store.append_event(event("other run and type", "message_sent", data=data, run_id="other"))
    store.append_event(given)
    found = [ids(answer()) for answer in answers]
    assert found[0][0] == "other run and type"
    assert found[1:] == [["e"], ["e"]]


def test_asm_66_67_who_waits_sleeps_until_something_is_appended(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = noted_reads(store, monkeypatch)
    answer = waiting(store, type="message_received")
    eventually(lambda: waits)
    data = {"role": "user", "content": "x"}
    for n in range(3):  # as the same fact as what is waited for
        store.append_event(event(f"e{n}", "message_sent", data=data))
        assert store.get_events("other", wait_timeout_ms=50) == []
    store.append_event(event("e", "message_received", data=data))
    assert ids(answer()) == ["e"]
    # One for each append, with one for what hides it, and those of the other session.
    assert len(waits) <= 40
    assert waits[0] > DEADLINE_S


def test_asm_71_106_a_follower_begun_before_a_run_gets_its_events_in_order(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(store, 3)
    waits = noted_reads(store, monkeypatch)

    def follow() -> list[list[EventRecord]]:
        pages: list[list[EventRecord]] = []
        last = 3
        while last < 7:
            pages.append(store.get_events("s", after=last, limit=2, wait_timeout_ms=FOREVER_MS))
            last = pages[-1][-1].sequence_number or 0
        return pages

    future = background(follow)
    eventually(lambda: waits)
    store.append_event(event(type="message_sent", run_id="r"))
    store.append_event(event(type="run_started", run_id="r"))
    store.append_events([event(type=f"message_{one}") for one in ("streamed", "received")])
    pages = future.result(DEADLINE_S)
    found = [one for page in pages for one in page]
    assert [one.type for one in found] == [
        *("message_sent", "run_started", "message_streamed", "message_received"),
    ]
    assert numbers(found) == [4, 5, 6, 7]
    assert {len(page) for page in pages} <= {1, 2}


def test_asm_71_u24_a_flush_wakes_all_who_wait(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(store, 3)
    waits = noted_reads(store, monkeypatch)
    answers = [waiting(store, after=3), waiting(store, after=3), waiting(store, after=3, limit=2)]
    eventually(lambda: len(waits) == len(answers))
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


def test_asm_70_u33_a_wait_may_be_longer_than_a_call_used_to_last(store: Store) -> None:
    answer = background(lambda: store.get_events("s", wait_timeout_ms=86_400_000))
    assert store.get_events("other", wait_timeout_ms=5_050) == []  # meanwhile
    assert not answer.done()
    store.append_event(event("e"))
    assert ids(answer.result(DEADLINE_S)) == ["e"]
