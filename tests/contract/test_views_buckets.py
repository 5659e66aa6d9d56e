"""Many buckets are brought up to date together, as one after the other would be."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from ledger import Event
from projections import ProjectionFailed
from projections.backends.side_by_side import THREAD_NAME
from projections.engine.folding import Change
from tests.support.blocking import Blocking
from tests.support.builders import (
    DEADLINE_S,
    on_postgres,
    sessions_in_buckets,
    whole_feed,
)
from tests.support.views import TALLY, counted, folded, stored, tally, tally_apply, views_of

pytestmark = pytest.mark.usefixtures("new_database")

BUCKETS = 6


def grown(open_ledger: Any, *poisoned: int, **options: Any) -> tuple[Any, list[str]]:
    """Return a ledger with events in each bucket, the sixth in some of them of the name `p`."""
    ledger = open_ledger(buckets=BUCKETS, **options)
    ids = sessions_in_buckets(ledger, BUCKETS)
    sessions = sorted(ids, key=lambda one: int(ledger.door.bucket("", one)))
    for number, session_id in enumerate(sessions):
        names = ["x"] * 5 + ["p" if number in poisoned else "x"] + ["x"] * number
        ledger.append(session_id, [counted(name) for name in names])
    return ledger, sessions


def refusing(view: Any, event: Event) -> Any:
    """The tally's fold, which fails at the name `p`."""
    if event.data["name"] == "p":
        raise ZeroDivisionError("poison")
    return tally_apply(view, event)


def rows_of(views: Any, name: str, sessions: list[str]) -> list[Any]:
    return [stored(views, tally(name), one, consistency="eventual") for one in sessions]


def test_many_buckets_get_the_rows_and_failures_of_one_after_the_other(open_ledger: Any) -> None:
    ledger, sessions = grown(open_ledger, 2, 4)
    known = [tally(name, refusing) for name in ("together", "singly")]
    with pytest.raises(ProjectionFailed) as failed:
        views_of(ledger, known[0], batch_events_max=4).catch_up()
    assert (failed.value.bucket, failed.value.position) == (2, 6)

    singly = views_of(ledger, known[1], batch_events_max=4)
    for bucket in range(BUCKETS):
        if bucket in (2, 4):
            with pytest.raises(ProjectionFailed):
                singly.catch_up(bucket)
        else:
            singly.catch_up(bucket)

    views = views_of(ledger, *known)
    rows = rows_of(views, "singly", sessions)
    assert [sum(row.count for row in one.values()) for one in rows] == [6, 7, 5, 9, 5, 11]
    assert rows_of(views, "together", sessions) == rows
    for view in views.status().views:
        stops = [(one.bucket, one.position) for one in view.failures]
        assert (stops, view.positions) == ([(2, 6), (4, 6)], (6, 7, 5, 9, 5, 11))


class Gone(BaseException):
    """What is no mistake of a fold, as an interrupt is none."""


def test_what_is_raised_in_any_bucket_reaches_the_caller_and_leaves_nothing_running(
    open_ledger: Any,
) -> None:
    ledger, sessions = grown(open_ledger, 3)
    mended = threading.Event()

    def fold(view: Any, event: Event) -> Any:
        if event.data["name"] == "p" and not mended.is_set():
            raise Gone
        return tally_apply(view, event)

    views = views_of(ledger, tally(apply=fold), batch_events_max=4)
    with pytest.raises(Gone):
        views.catch_up()
    assert THREAD_NAME not in [thread.name for thread in threading.enumerate()]
    mended.set()
    views.catch_up()
    events = whole_feed(ledger)
    expected = [folded(TALLY, [e for e in events if e.session_id == one]) for one in sessions]
    assert rows_of(views, "tally", sessions) == expected


class Meeting:
    """Stores that wait for each other, until so many of them have been on their way at once."""

    def __init__(self, backend: Any, monkeypatch: pytest.MonkeyPatch, expected: int) -> None:
        self._store = backend.store
        self._expected = expected
        self._met, self._met_later = threading.Event(), asyncio.Event()
        self._inside: list[int] = []
        self.most = 0
        style = self.later if asyncio.iscoroutinefunction(backend.store) else self.now
        monkeypatch.setattr(backend, "store", style)

    def now(self, bucket: int, changes: Sequence[Change], *, durable: bool) -> Any:
        self._enter(bucket)
        assert self._met.wait(DEADLINE_S)
        stored = self._store(bucket, changes, durable=durable)
        self._inside.remove(bucket)
        return stored

    async def later(self, bucket: int, changes: Sequence[Change], *, durable: bool) -> Any:
        self._enter(bucket)
        await asyncio.wait_for(self._met_later.wait(), DEADLINE_S)
        stored = await self._store(bucket, changes, durable=durable)
        self._inside.remove(bucket)
        return stored

    def _enter(self, bucket: int) -> None:
        self._inside.append(bucket)
        self.most = max(self.most, len(self._inside))
        if self.most >= self._expected:
            self._met.set()
            self._met_later.set()


@on_postgres
@pytest.mark.parametrize(("pool_size", "at_once"), [(1, 1), (2, 2), (8, 4)])
def test_a_server_stores_as_many_buckets_at_once_as_there_are_connections_up_to_four(
    open_ledger: Any, monkeypatch: pytest.MonkeyPatch, pool_size: int, at_once: int
) -> None:
    ledger, sessions = grown(
        open_ledger, pool_size=pool_size, lanes=1, connect_timeout_s=DEADLINE_S
    )
    views = views_of(ledger, TALLY, batch_events_max=4)
    target = views._target if isinstance(views, Blocking) else views
    meeting = Meeting(target._reader._views, monkeypatch, at_once)
    views.catch_up()
    assert meeting.most == at_once
    counts = [row.count for rows in rows_of(views, "tally", sessions) for row in rows.values()]
    assert counts == [6, 7, 8, 9, 10, 11]
