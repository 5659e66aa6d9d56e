"""What the tests of the log are written with: events, shorthands for what is read, and waiting."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import pytest

from ledger import Append, Event, Ledger, NewEvent, RetryableError
from ledger.records import Unit

T = TypeVar("T")

#: Longer than any wait that succeeds, also where the machine stalls: it ends what would never end.
DEADLINE_S = 60.0
#: Longer than a test waits: what was told to wait so long and is there has not waited for its end.
FOREVER_S = 20 * DEADLINE_S
_MEASUREMENTS_MAX = 5

on_memory = pytest.mark.parametrize("url", ["memory"], indirect=True)
on_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("url", ["postgres"], indirect=True)
on_durable = pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
only_sync = pytest.mark.parametrize("loop", ["sync"], indirect=True)
only_async = pytest.mark.parametrize("loop", ["async"], indirect=True)


def note(text: str = "", **header: Any) -> NewEvent:
    """Return an event of a type that no catalogue knows."""
    return NewEvent({"text": text}, **({"type": "note"} | header))


def notes(texts: Iterable[str], **header: Any) -> list[NewEvent]:
    """Return one note per text."""
    return [note(text, **header) for text in texts]


def unit_of_notes(ledger: Ledger, session_id: str, *words: str) -> Unit:
    """Return notes of one session as a ledger hands them to its backend."""
    return ledger.door.batch([Append(session_id, notes(words))]).unit


def texts(events: Iterable[Event]) -> list[str]:
    """Return the texts of notes, in order; of any other event its type."""
    return [event.data.get("text", event.type) for event in events]


def sequences(events: Iterable[Any]) -> list[int]:
    """Return the sequences of events or of answers, in order."""
    return [event.sequence for event in events]


def whole_feed(ledger: Any, cursor: str | None = None, **options: Any) -> list[Event]:
    """Return all events of the log from a cursor on."""
    events: list[Event] = []
    while True:
        page = ledger.feed(cursor, **options)
        events += page.events
        if not page.more:
            return events
        assert page.cursor != cursor, "the feed does not move on"
        cursor = page.cursor


def all_session_ids(ledger: Any, **options: Any) -> list[str]:
    """Return the session ids of all pages."""
    found: list[str] = []
    cursor = None
    while True:
        page = ledger.list_session_ids(cursor=cursor, **options)
        found += page.session_ids
        if page.cursor is None:
            return found
        assert page.cursor != cursor, "the list does not move on"
        cursor = page.cursor


def sessions_in_buckets(ledger: Any, count: int) -> list[str]:
    """Return session ids of which each lies in a bucket of its own."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < count:
        found.setdefault(ledger.door.bucket("", f"s{number}"), f"s{number}")
        number += 1
    return list(found.values())


def take(iterable: Iterable[T], count: int) -> list[T]:
    """Return the next items of an endless iterator; TimeoutError if they do not come."""
    return background(lambda: list(islice(iter(iterable), count))).result(DEADLINE_S)


def background(call: Callable[[], T]) -> "Future[T]":
    """Start a call in a daemon thread of its own."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future


def together(calls: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """Start all calls at the same moment and return what each returned or raised."""
    gate = threading.Barrier(len(calls))

    def at_the_gate(call: Callable[[], T]) -> T | Exception:
        gate.wait(DEADLINE_S)
        try:
            return call()
        except Exception as error:
            return error

    started = [background(partial(at_the_gate, call)) for call in calls]
    return [future.result(4 * DEADLINE_S) for future in started]


def repeated(call: Callable[[], T]) -> T:
    """Return what a call returns, repeated while it says that it may succeed later.

    For calls with time-outs so short that a machine that stalls exceeds them.
    """

    def attempt() -> tuple[T] | None:
        try:
            return (call(),)
        except RetryableError:
            return None

    return eventually(attempt)[0]  # type: ignore[index]  # it is true, or eventually raises


def at_best(measure: Callable[[], float], enough_s: float) -> float:
    """Return the shortest of a few measured times, or the first that is short enough.

    A busy machine delays everybody: only what takes long every time is slow.
    """
    shortest_s = measure()
    for _ in range(_MEASUREMENTS_MAX - 1):
        if shortest_s < enough_s:
            break
        shortest_s = min(shortest_s, measure())
    return shortest_s


def eventually(condition: Callable[[], T], deadline_s: float = DEADLINE_S) -> T:
    """Return the first true value of a condition; AssertionError if it does not come in time."""
    until = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < until, "the condition did not become true in time"
        time.sleep(0.002)
