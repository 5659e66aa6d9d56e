"""Waiting reads: they end with the first event that fits, or when their time is over."""

import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest

from ledger import Append, LedgerClosed, NewEvent
from tests.support.blocking import Blocking, LoopThread
from tests.support.builders import (
    DEADLINE_S,
    FOREVER_S,
    at_best,
    background,
    note,
    notes,
    on_durable,
    on_memory,
    sessions_in_buckets,
    texts,
)

Open = Callable[..., Any]
#: What a wake-up inside the process may take: 50 ms where it matters, more on a busy test machine.
WAKE_UP_S = 0.5
PROMPT_S = 5.0


def seconds(call: Callable[[], Any]) -> float:
    """Return how long a call takes, without what a busy machine takes for itself."""

    def measured() -> float:
        started = time.monotonic()
        call()
        return time.monotonic() - started

    return at_best(measured, PROMPT_S)


def test_asm_63_what_is_there_is_returned_at_once(ledger: Any) -> None:
    ledger.append("s", note("a"))
    assert seconds(lambda: ledger.read("s", wait=FOREVER_S)) < PROMPT_S


def test_asm_64_an_append_ends_the_wait(ledger: Any) -> None:
    found = background(lambda: ledger.read("s", wait=FOREVER_S))
    ledger.append("s", note("a"))
    assert texts(found.result(DEADLINE_S)) == ["a"]


def test_asm_65_without_an_append_the_time_runs_out(ledger: Any) -> None:
    ledger.append("s", notes("ab"))
    found: list[Any] = []
    took = seconds(lambda: found.extend(ledger.read("s", after=2, wait=0.15)))
    assert found == []
    assert 0.14 < took < PROMPT_S


def test_asm_69_without_a_wait_nothing_is_waited_for(ledger: Any) -> None:
    assert seconds(lambda: ledger.read("s")) < PROMPT_S
    assert seconds(lambda: ledger.read("s", wait=0)) < PROMPT_S


@pytest.mark.parametrize(
    ("options", "others", "fitting"),
    [
        ({}, ("other", note("no")), note("yes")),
        ({"types": ["b"]}, ("s", NewEvent({}, "a")), NewEvent({"text": "yes"}, "b")),
        ({"run_id": "r2"}, ("s", note("no", run_id="r1")), note("yes", run_id="r2")),
        ({"after": 1}, ("s", note("no")), note("yes")),
        ({"newest_first": True, "after": 1}, ("s", note("no")), note("yes")),
    ],
    ids=["session", "type", "run", "after", "newest first"],
)
def test_asm_66_68_what_does_not_fit_does_not_end_the_wait(
    open_ledger: Open, options: dict[str, Any], others: tuple[str, NewEvent], fitting: NewEvent
) -> None:
    ledger = open_ledger(buckets=1)  # so that every append wakes the waiter
    found = background(lambda: ledger.read("s", wait=FOREVER_S, **options))
    ledger.append(*others)
    ledger.append("s", note("no"), tenant="t")
    ledger.append("s", fitting)
    assert texts(found.result(DEADLINE_S)) == ["yes"]


def test_an_append_to_another_session_leaves_the_waiter_waiting(ledger: Any) -> None:
    found = background(lambda: ledger.read("s", wait=0.3))
    ledger.append("other", note())
    assert found.result(DEADLINE_S) == []


def test_who_waits_for_a_session_is_not_woken_for_others(
    open_ledger: Open, loop: LoopThread | None
) -> None:
    ledger = open_ledger(buckets=1)
    backend = ledger.backend if loop is None else Blocking(ledger.backend, loop)
    token = backend.token((0, "", "s"))
    ledger.append("other", note())
    ledger.append_many([Append("s", note(), tenant="t"), Append("another", note())])
    assert not backend.wait((0, "", "s"), token, 0.1)
    ledger.append_many([Append("other", note()), Append("s", note())])
    assert backend.wait((0, "", "s"), token, 0.1)
    assert backend.token((0, "", "s")) > token


def test_a_wait_for_what_can_never_come_lasts_its_time(ledger: Any) -> None:
    took = seconds(lambda: ledger.read("s", before=1, wait=0.15))
    assert 0.14 < took < PROMPT_S


def test_a_limit_of_0_waits_for_nothing(ledger: Any) -> None:
    assert seconds(lambda: ledger.read("s", limit=0, wait=FOREVER_S)) < PROMPT_S


def test_one_append_wakes_all_who_wait(ledger: Any) -> None:
    waiting = [background(lambda: ledger.read("s", wait=FOREVER_S, limit=1)) for _ in range(3)]
    ledger.append("s", notes("ab"))
    assert [texts(one.result(DEADLINE_S)) for one in waiting] == [["a"]] * 3


def test_a_batch_wakes_the_waiters_of_all_its_sessions(open_ledger: Open) -> None:
    ledger = open_ledger(buckets=8)
    a, b = sessions_in_buckets(ledger, 2)
    waiting = [background(lambda s=s: ledger.read(s, wait=FOREVER_S)) for s in (a, b)]
    ledger.append_many([Append(a, note("1")), Append(b, note("2"))])
    assert [texts(one.result(DEADLINE_S)) for one in waiting] == [["1"], ["2"]]


def test_a_wait_works_after_a_deletion(ledger: Any) -> None:
    ledger.append("s", note("old"))
    ledger.delete("s")
    found = background(lambda: ledger.read("s", wait=FOREVER_S))
    ledger.append("s", note("new"))
    assert texts(found.result(DEADLINE_S)) == ["new"]


def test_a_fork_can_be_waited_for(ledger: Any) -> None:
    ledger.append("s", note("a"))
    found = background(lambda: ledger.read("t", wait=FOREVER_S, lineage=True))
    ledger.fork("s", 1, "t")
    assert texts(found.result(DEADLINE_S)) == ["a", "session.forked"]


def test_closing_the_ledger_ends_the_wait(ledger: Any) -> None:
    found = background(lambda: ledger.read("s", wait=FOREVER_S))
    ledger.append("other", note())
    ledger.close()
    with pytest.raises(LedgerClosed):
        found.result(DEADLINE_S)


def test_a_waiter_wakes_soon_after_the_append(ledger: Any) -> None:
    def delay() -> float:
        woken: list[float] = []
        after = ledger.head("s")

        def wait() -> None:
            ledger.read("s", after=after, wait=FOREVER_S)
            woken.append(time.monotonic())

        waiting = background(wait)
        ledger.append("s", note())
        stored = time.monotonic()
        waiting.result(DEADLINE_S)
        return woken[0] - stored

    assert at_best(lambda: median(delay() for _ in range(11)), WAKE_UP_S) < WAKE_UP_S


APPEND_FROM_OUTSIDE = """
import sys
from ledger import Ledger, NewEvent
with Ledger.open(sys.argv[1]) as ledger:
    ledger.append("other", NewEvent({"text": "no"}, "note"))
    ledger.append("s", NewEvent({"text": "from outside"}, "note"))
"""


@on_durable
def test_an_append_by_another_process_ends_the_wait(ledger: Any, url: str) -> None:
    found = background(lambda: ledger.read("s", wait=FOREVER_S))
    subprocess.run([sys.executable, "-c", APPEND_FROM_OUTSIDE, url], check=True)
    assert texts(found.result(DEADLINE_S)) == ["from outside"]


@on_durable
def test_an_append_by_another_ledger_object_ends_the_wait(open_ledger: Open) -> None:
    reader, writer = open_ledger(), open_ledger()
    found = background(lambda: reader.read("s", wait=FOREVER_S))
    writer.append("s", note("a"))
    assert texts(found.result(DEADLINE_S)) == ["a"]


@on_memory
def test_a_wait_may_be_as_long_as_a_day(ledger: Any) -> None:
    found = background(lambda: ledger.read("s", wait=86_400))
    ledger.append("s", note("a"))
    assert texts(found.result(DEADLINE_S)) == ["a"]
