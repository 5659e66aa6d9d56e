"""How a round that failed is tried again: together, unit by unit, or not at all."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ledger import (
    AppendTimeout,
    BackendUnavailable,
    LedgerClosed,
    LedgerError,
    RetryableError,
    StorageFailed,
    TransactionAborted,
)
from ledger.plans import run
from ledger.records import Busy, Numbered, Outcome, Part, Unit
from ledger.rounds import ALONE_S_MAX, CANCELLED_MAX, store_round

STORED = [Numbered(1, 1, 0, 0, b"", True)]
CANCELLED = RetryableError("The server cancelled it.")
#: What may be one unit's fault, and that each of its neighbours is then tried without it.
OWN = (CANCELLED, StorageFailed("No space."))
#: What is nobody's fault: whoever is tried next would wait for the same.
COMMON = (AppendTimeout(3, 0.25), BackendUnavailable("Gone."), TransactionAborted("A deadlock."))


def unit(bucket: int) -> Unit:
    return Unit((Part(bucket, "", f"s{bucket}", None, b"", ()),))


class Storage:
    """Fails with what is said of the buckets in a try; it notes the tries."""

    def __init__(self, failure: Callable[[list[int], bool], LedgerError | None]) -> None:
        self._failure = failure
        self.tries: list[tuple[list[int], bool]] = []

    def append(self, units: Sequence[Unit], *, wait: bool) -> list[Outcome]:
        buckets = [one.first_bucket for one in units]
        self.tries.append((buckets, wait))
        if failure := self._failure(buckets, wait):
            raise failure
        return [STORED] * len(units)

    def store(self, *buckets: int, wait: bool = False, **options: Any) -> Sequence[Outcome]:
        units = [unit(bucket) for bucket in buckets]
        options = {"retry_timeout_s": 0.0} | options
        return run(store_round(self.append, lambda _: None, units, wait=wait, **options))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock shows, to be changed."""
    now = [1_000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("error", OWN, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("wait", [False, True])
def test_one_units_failure_is_not_its_neighbours(error: LedgerError, wait: bool) -> None:
    storage = Storage(lambda buckets, wait: error if 2 in buckets else None)
    assert storage.store(1, 2, 3, wait=wait) == [STORED, error, STORED]
    # Alone nobody waits for a lock: each would do so in turn.
    assert storage.tries == [([1, 2, 3], wait), ([1], False), ([2], False), ([3], False)]


@pytest.mark.parametrize("error", COMMON, ids=lambda error: type(error).__name__)
def test_what_is_nobodys_fault_is_not_tried_unit_by_unit(error: LedgerError) -> None:
    storage = Storage(lambda buckets, wait: error)
    assert storage.store(1, 2, 3) == [error] * 3
    assert storage.tries == [([1, 2, 3], False)]


@pytest.mark.parametrize("error", COMMON, ids=lambda error: type(error).__name__)
def test_what_is_nobodys_fault_ends_the_tries_unit_by_unit(error: LedgerError) -> None:
    failures = {(1, 2, 3, 4): CANCELLED, (2,): error}
    storage = Storage(lambda buckets, wait: failures.get(tuple(buckets)))
    assert storage.store(1, 2, 3, 4) == [STORED, error, error, error]
    assert storage.tries[1:] == [([1], False), ([2], False)]


def stalled(clock: list[float], seconds: float, error: LedgerError) -> Storage:
    """Return a storage that takes so long to fail."""

    def failure(buckets: list[int], wait: bool) -> LedgerError:
        clock[0] += seconds
        return error

    return Storage(failure)


def test_a_server_that_cancels_whatever_comes_is_not_asked_for_every_unit(
    clock: list[float],
) -> None:
    storage, started = stalled(clock, 1.0, CANCELLED), clock[0]
    assert storage.store(*range(1_000)) == [CANCELLED] * 1_000
    assert len(storage.tries) == 1 + CANCELLED_MAX
    assert clock[0] - started == (1 + CANCELLED_MAX) * 1.0


def test_units_that_are_cancelled_now_and_then_leave_their_neighbours_theirs() -> None:
    storage = Storage(lambda buckets, wait: None if buckets[0] % 3 == 0 else CANCELLED)
    assert storage.store(*range(1, 13)) == [CANCELLED, CANCELLED, STORED] * 4


@pytest.mark.parametrize("round_s", [0.1, ALONE_S_MAX, 60.0])
def test_units_are_tried_alone_for_a_bounded_time(clock: list[float], round_s: float) -> None:
    full = StorageFailed("No space.")
    storage, started = stalled(clock, round_s, full), clock[0]
    assert storage.store(*range(1_000)) == [full] * 1_000
    assert clock[0] - started <= max(ALONE_S_MAX + 2 * round_s, 4 * round_s) + 1e-6
    assert len(storage.tries) >= 3


def test_an_outage_before_a_round_failed_gives_the_units_no_more_time(clock: list[float]) -> None:
    outage_s, full = 25.0, StorageFailed("No space.")

    def failure(buckets: list[int], wait: bool) -> LedgerError:
        if len(storage.tries) == 1:
            clock[0] += outage_s
            return BackendUnavailable("Gone.")
        clock[0] += 1.0
        return full

    storage = Storage(failure)
    started = clock[0]
    assert storage.store(*range(100), retry_timeout_s=30.0) == [full] * 100
    assert clock[0] - started <= outage_s + ALONE_S_MAX + 2.0


def test_who_waited_for_a_lock_too_long_for_the_server_hears_of_the_lock() -> None:
    def append(units: Sequence[Unit], *, wait: bool) -> list[Outcome]:
        if wait:
            raise CANCELLED
        return [Busy(one.first_bucket) for one in units]

    for units in ([unit(1)], [unit(1), unit(1)]):
        plan = store_round(append, time.sleep, units, wait=True, retry_timeout_s=0.0)
        assert run(plan) == [Busy(1)] * len(units)


@pytest.mark.parametrize("error", OWN, ids=lambda error: type(error).__name__)
def test_a_unit_without_neighbours_is_tried_once(error: LedgerError) -> None:
    storage = Storage(lambda buckets, wait: error)
    assert storage.store(1) == [error]
    assert storage.store(1, wait=True, lock_timeout_s=10.0) == [error]
    assert storage.tries == [([1], False), ([1], True)]


@pytest.mark.parametrize("error", OWN, ids=lambda error: type(error).__name__)
def test_one_callers_units_fail_together(error: LedgerError) -> None:
    storage = Storage(lambda buckets, wait: error if 2 in buckets else None)
    assert storage.store(1, 2, 3, wait=True, lock_timeout_s=10.0) == [error] * 3
    assert storage.tries == [([1, 2, 3], True)]


def test_a_closed_ledger_is_told_to_all() -> None:
    closed = LedgerClosed("The ledger is closed.")
    assert Storage(lambda buckets, wait: closed).store(1, 2, 3) == [closed] * 3
