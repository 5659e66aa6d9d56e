"""Runners beside each other: one has a bucket, the others go on, and nobody is waited for for ever."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from ledger import Event
from tests.support.builders import (
    DEADLINE_S,
    background,
    eventually,
    note,
    notes,
    only_sync,
    sessions_in_buckets,
    together,
)
from tests.support.handling import Calls, Clock, handler, handlers_of


class Within:
    """A handler's function that does something within its first call."""

    def __init__(self, calls: Calls, act: Callable[[], None]) -> None:
        self.calls = calls
        self.act: Callable[[], None] | None = act

    def __call__(self, event: Event, key: str) -> None:
        act, self.act = self.act, None
        if act is not None:
            act()
        self.calls(event, key)


@only_sync
def test_a_claimed_bucket_is_left_to_its_holder_and_others_are_not(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=3)
    for session_id in sessions_in_buckets(ledger, 3):
        ledger.append(session_id, notes("abc"))
    ours, theirs, found = Calls(), Calls(), []
    other = handlers_of(ledger, handler(theirs))
    runner = handlers_of(ledger, handler(Within(ours, lambda: found.append(other.run(wait_s=0)))))
    report = runner.run()
    [within] = found
    assert (report.called, within.called, len(within.held)) == (3, 6, 1)
    assert {*ours.keys}.isdisjoint(theirs.keys)
    assert (report.held, report.failures, report.superseded) == ((), (), ())
    assert [one.run(wait_s=0).called for one in (runner, other)] == [0, 0]


@only_sync
@pytest.mark.parametrize("last", [False, True])
def test_who_stalls_for_too_long_loses_the_bucket_and_moves_nothing(
    open_ledger: Any, last: bool
) -> None:
    ledger = open_ledger(buckets=1)
    ledger.append("s", notes("a" if last else "abcdefgh"))
    ours, theirs, clock = Calls(), Calls(), Clock()
    other = handlers_of(ledger, handler(theirs), clock=clock, repeats_max=2)

    def stall() -> None:
        assert other.run(wait_s=0).held == (("notify", 0),)
        clock.now += 9.9
        assert other.run(wait_s=0).called == 0
        clock.now += 0.1
        assert other.run(wait_s=0).called == len(ledger.read("s"))
        clock.now -= 10  # by its own clock the holder noticed nothing

    stalled = handler(Within(ours, stall))
    runner = handlers_of(ledger, stalled, clock=clock, repeats_max=2)
    report = runner.run(wait_s=0)
    # It learns of it at its next checkpoint, and what it called up to there was called twice.
    assert ours.sequences == ([1] if last else [1, 2])
    assert report.held == (("notify", 0),)
    assert theirs.sequences == list(range(1, len(theirs.events) + 1))
    ledger.append("s", note())
    assert runner.run().called == 1
    assert other.run(wait_s=0).called == 0


@only_sync
def test_a_holder_that_is_slow_but_lives_keeps_its_bucket(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=1)
    ledger.append("s", notes("abcdefgh"))
    theirs, clock = Calls(), Clock()
    other = handlers_of(ledger, handler(theirs), clock=clock)

    def slow(event: Event, key: str) -> None:
        clock.now += 4  # with each checkpoint the claim lives on
        assert other.run(wait_s=0).called == 0
        clock.now += 4
        assert other.run(wait_s=0).held == (("notify", 0),)

    assert handlers_of(ledger, handler(slow), clock=clock).run().called == 8
    assert theirs.events == []


def test_runners_beside_each_other_call_for_every_event_once(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=4)
    sessions = sessions_in_buckets(ledger, 4)
    for session_id in sessions * 3:
        ledger.append(session_id, notes("abcde"))
    # None stalls for as long as the claim lives, so nothing is called twice.
    made = [Calls() for _ in range(4)]
    runners = [handlers_of(ledger, handler(calls), repeats_max=3) for calls in made]
    reports = together([runner.run for runner in runners])
    assert [report for report in reports if isinstance(report, Exception)] == []
    runners[0].run()
    keys = [key for calls in made for key in calls.keys]
    assert len(keys) == len({*keys}) == 60
    for session_id in sessions:
        parts = [[e.sequence for e in c.events if e.session_id == session_id] for c in made]
        assert all(part == sorted(part) for part in parts)


@only_sync
def test_one_runner_in_two_threads_runs_in_one_at_a_time(ledger: Any) -> None:
    ledger.append("s", notes("abc"))
    calls, entered, leave = Calls(), threading.Event(), threading.Event()

    def act() -> None:
        entered.set()
        leave.wait(DEADLINE_S)

    runner = handlers_of(ledger, handler(Within(calls, act)))
    first = background(runner.run)
    assert entered.wait(DEADLINE_S)
    second = background(runner.run)
    assert handlers_of(ledger, handler(Calls())).run(wait_s=0).called == 0
    leave.set()
    assert (first.result(DEADLINE_S).called, second.result(DEADLINE_S).called) == (3, 0)
    assert calls.sequences == [1, 2, 3]


@only_sync
def test_a_daemon_takes_over_what_the_dead_have_left(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=1)
    ledger.append("s", notes("ab"))
    calls, clock = Calls(), Clock()
    clock.looks_left = 2
    dead = background(handlers_of(ledger, handler(calls), clock=clock).run)
    assert dead.exception(DEADLINE_S) is not None
    clock.looks_left = None
    runner = handlers_of(ledger, handler(calls), clock=clock)
    watching = background(runner.watch)

    def taken() -> bool:
        clock.now += 1
        return calls.sequences == [1, 1, 2]

    eventually(taken)
    runner.stop()
    watching.result(DEADLINE_S)


@only_sync
@pytest.mark.parametrize("alive", [True, False])
def test_a_run_waits_until_a_holder_is_seen_to_live_or_to_be_dead(
    open_ledger: Any, alive: bool
) -> None:
    ledger = open_ledger(buckets=1)
    ledger.append("s", notes("abc"))
    ours, theirs, leave = Calls(), Calls(), threading.Event()
    pace = {"repeats_max": 1, "checkpoint_s": 0.1, "claim_s": 0.3}
    if alive:
        pace |= {"checkpoint_s": 1_000.0, "claim_s": 3_000.0}

    def stay(event: Event, key: str) -> None:
        ours(event, key)
        leave.wait(DEADLINE_S if not alive or event.sequence == 3 else 0.2)

    holder = background(handlers_of(ledger, handler(stay), **pace).run)
    eventually(lambda: ours.events)
    report = handlers_of(ledger, handler(theirs), **pace).run()
    leave.set()
    holder.result(DEADLINE_S)
    if alive:
        assert (report.called, report.held) == (0, (("notify", 0),))
        assert ours.sequences == [1, 2, 3]
    else:
        assert (report.called, report.held) == (3, ())
        assert ours.sequences == [1]
