"""A caller's own transaction that stays open: who waits for it, and for how long."""

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from ledger import Append, AppendTimeout, OutcomeUnknown, RetryableError
from tests.support.activity import connections
from tests.support.blocking import Blocking
from tests.support.builders import (
    DEADLINE_S,
    at_best,
    background,
    eventually,
    note,
    on_postgres,
    sessions_in_buckets,
    texts,
    together,
)

BUCKETS = 16
#: How much longer than its time-out a caller may wait: two slices of a lock's wait, and the machine.
SLACK_S = 1.0

pytestmark = on_postgres


def waiters(url: str) -> int:
    return connections(url, "wait_event_type = 'Lock'")


def is_connected(url: str, pid: int) -> bool:
    with psycopg.connect(url) as observer:
        found = observer.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [pid])
        return found.fetchone() is not None


def open_transaction(ledger: Any, outbox: Any, session: str) -> None:
    connection = outbox._target if isinstance(outbox, Blocking) else outbox
    ledger.append(session, note("from the outbox"), connection=connection)


def test_an_open_outbox_transaction_stops_only_its_own_bucket(
    open_ledger: Callable[..., Any], outbox: Any
) -> None:
    ledger = open_ledger(buckets=BUCKETS)
    held, *others = sessions_in_buckets(ledger, BUCKETS)
    open_transaction(ledger, outbox, held)
    waiting = background(lambda: ledger.append(held, note("behind it")))
    answers = together(
        [lambda session=session: ledger.append(session, note("beside it")) for session in others]
    )
    assert [getattr(answer, "sequence", answer) for answer in answers] == [1] * len(others)
    assert not waiting.done()
    outbox.commit()
    assert waiting.result(DEADLINE_S).sequence == 2
    assert texts(ledger.read(held)) == ["from the outbox", "behind it"]
    assert ledger.verify().ok


def test_appends_behind_a_long_transaction_time_out_and_can_be_repeated(
    open_ledger: Callable[..., Any], outbox: Any
) -> None:
    ledger = open_ledger(buckets=BUCKETS, lock_timeout_s=0.2)
    held, *_ = sessions_in_buckets(ledger, BUCKETS)
    events = [note(f"late {number}", event_id=f"e{number}") for number in range(6)]
    open_transaction(ledger, outbox, held)
    refused = together([lambda event=event: ledger.append(held, event) for event in events])
    assert {type(answer) for answer in refused} == {AppendTimeout}
    assert issubclass(AppendTimeout, RetryableError)
    outbox.commit()
    for event in events:
        assert ledger.append(held, event).stored
    assert ledger.head(held) == 1 + len(events)
    assert ledger.verify().ok


def test_a_rolled_back_outbox_transaction_lets_the_waiting_appends_through(
    open_ledger: Callable[..., Any], outbox: Any, url: str
) -> None:
    ledger = open_ledger(buckets=BUCKETS)
    held, *_ = sessions_in_buckets(ledger, BUCKETS)
    open_transaction(ledger, outbox, held)
    waiting = [
        background(lambda text=text: ledger.append(held, note(text))) for text in ("a", "b", "c")
    ]
    eventually(lambda: waiters(url) > 0)
    outbox.rollback()
    assert sorted(append.result(DEADLINE_S).sequence for append in waiting) == [1, 2, 3]
    assert sorted(texts(ledger.read(held))) == ["a", "b", "c"]


def test_a_transaction_that_the_server_ended_for_being_idle_is_to_be_run_again(
    open_ledger: Callable[..., Any], url: str, outbox: Any
) -> None:
    ledger = open_ledger(buckets=BUCKETS)
    outbox.execute("SELECT set_config('idle_in_transaction_session_timeout', '10ms', false)")
    eventually(lambda: not is_connected(url, outbox.info.backend_pid))
    with pytest.raises(OutcomeUnknown, match="25P03"):
        open_transaction(ledger, outbox, "s")
    assert ledger.head("s") == 0


def test_more_held_buckets_than_waiting_lines_leave_the_others_going(
    open_ledger: Callable[..., Any], url: str, outbox: Any
) -> None:
    ledger = open_ledger(buckets=BUCKETS)
    sessions = sessions_in_buckets(ledger, BUCKETS)
    held, free = sessions[:8], sessions[8:]
    for session in held:
        open_transaction(ledger, outbox, session)
    waiting = [
        background(lambda session=session: ledger.append(session, note("behind")))
        for session in held
    ]
    for session in free:
        assert ledger.append(session, note("beside")).sequence == 1
    assert not any(append.done() for append in waiting)
    outbox.commit()
    assert [append.result(DEADLINE_S).sequence for append in waiting] == [2] * len(held)


def test_a_bucket_locked_for_a_moment_goes_on_beside_buckets_locked_for_long(
    open_ledger: Callable[..., Any], url: str, outbox: Any
) -> None:
    ledger = open_ledger(buckets=BUCKETS, lock_timeout_s=4 * DEADLINE_S)
    *held, brief = sessions_in_buckets(ledger, 9)
    for session in held:
        open_transaction(ledger, outbox, session)
    waiting = [
        background(lambda session=session: ledger.append(session, note("behind")))
        for session in held
    ]
    eventually(lambda: waiters(url) > 0)
    with psycopg.connect(url) as other:
        other.execute(
            "SELECT FROM ledger.buckets WHERE bucket = %s FOR UPDATE",
            [ledger.door.bucket("", brief)],
        )
        behind = background(lambda: ledger.append(brief, note("behind")))
        time.sleep(0.3)  # long enough to be found locked; nothing tells from outside
        assert not behind.done()
    assert behind.result(DEADLINE_S).sequence == 1
    assert not any(append.done() for append in waiting)
    outbox.commit()
    assert [append.result(DEADLINE_S).sequence for append in waiting] == [2] * len(held)


def test_a_caller_waits_for_its_own_time_whoever_waited_before_it(
    open_ledger: Callable[..., Any], outbox: Any
) -> None:
    timeout_s = 1.0
    ledger = open_ledger(buckets=BUCKETS, lock_timeout_s=timeout_s)
    held, *_ = sessions_in_buckets(ledger, BUCKETS)
    open_transaction(ledger, outbox, held)

    def late(delay_s: float) -> float:
        threading.Event().wait(delay_s)
        started = time.monotonic()
        with pytest.raises(AppendTimeout) as caught:
            ledger.append(held, note())
        assert caught.value.waited_s == timeout_s
        return time.monotonic() - started

    def longest() -> float:
        callers = [background(lambda d=d: late(d)) for d in (0, 0.1, 0.3, 0.6, 0.9, 0.95)]
        waited = [caller.result(DEADLINE_S) for caller in callers]
        assert min(waited) >= timeout_s
        return max(waited)

    assert at_best(longest, timeout_s + SLACK_S) < timeout_s + SLACK_S
    assert ledger.head(held) == 0


def test_the_timeout_names_the_bucket_that_was_locked(
    open_ledger: Callable[..., Any], outbox: Any
) -> None:
    ledger = open_ledger(buckets=BUCKETS, lock_timeout_s=0.3)
    sessions = sessions_in_buckets(ledger, BUCKETS)
    in_order = sorted(sessions, key=lambda session: ledger.door.bucket("", session))
    held = in_order[9]
    open_transaction(ledger, outbox, held)
    calls = [
        lambda: ledger.append(held, note()),
        lambda: ledger.append_many([Append(session, note()) for session in in_order]),
    ]
    for error in together(calls):
        assert isinstance(error, AppendTimeout)
        assert (error.bucket, error.waited_s) == (ledger.door.bucket("", held), 0.3)
    assert [ledger.head(session) for session in in_order] == [0] * BUCKETS
