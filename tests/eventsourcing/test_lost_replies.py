"""A commit whose reply is lost: found out and answered as if nothing had happened."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError, Notification, StoredEvent, Tracking

from projections.engine.folding import Change
from projections.eventsourcing import LedgerFactory, LedgerProcessRecorder
from tests.eventsourcing.cases import CountersView
from tests.support.builders import background, on_postgres
from tests.support.proxy import Cut, CuttingProxy, Deck

CUTS = 5
CHANGES = 60
ENDED_EVERY_S = 0.01
WORKERS = 2


def stored(originator_id: str, version: int) -> StoredEvent:
    return StoredEvent(originator_id, version, "topic", b"{}")


def everything(recorder: Any) -> list[Notification]:
    return list(recorder.select_notifications(None, 1_000))


@contextmanager
def cut(url: str) -> Iterator[tuple[LedgerFactory, CuttingProxy]]:
    """Yield a factory whose appends are cut before, during and after their commit."""
    LedgerFactory({"LEDGER_URL": url}).close()
    deck = Deck(7, cuts_of_each_kind=CUTS, spared=10)
    with CuttingProxy(url, deck, seed=7) as proxy:
        factory = LedgerFactory({"LEDGER_URL": proxy.url})
        yield factory, proxy
        assert proxy.made == dict.fromkeys(Cut, CUTS)
        assert factory.ledger.verify().ok
        factory.close()


@on_postgres
def test_of_an_application_recorder(url: str) -> None:
    with cut(url) as (factory, proxy):
        recorder = factory.application_recorder()
        version = 1
        ids: list[int] = []
        while not proxy.is_done:
            events = [stored("one", version), stored("one", version + 1)]
            if version % 4 == 1:  # in turns, which is another way to append
                events.insert(1, stored(f"other-{version}", 1))
            ids += recorder.insert_events(events) or []
            version += 2
        assert ids == list(range(1, len(ids) + 1))
        found = recorder.select_events("one")
        assert [event.originator_version for event in found] == list(range(1, version))


@on_postgres
def test_of_an_application_recorder_while_others_append_to_the_log(url: str) -> None:
    with cut(url) as (factory, proxy):
        recorder = factory.application_recorder()

        def insert(writer: str) -> list[int]:
            ids: list[int] = []
            while not proxy.is_done:
                ids += recorder.insert_events([stored(writer, len(ids) + 1)]) or []
            return ids

        writers = [background(lambda name=name: insert(name)) for name in ("one", "two")]
        ids = list(chain.from_iterable(writer.result(60) for writer in writers))
        assert sorted(ids) == [n.id for n in everything(recorder)]


@on_postgres
def test_of_a_process_recorder(url: str) -> None:
    with cut(url) as (factory, proxy):
        recorder = factory.process_recorder()
        assert isinstance(recorder, LedgerProcessRecorder)
        number = 0
        while not proxy.is_done:
            number += 1
            tracking = Tracking("upstream", number)
            if number % 3 == 0:
                recorder.insert_tracking(tracking)
            else:
                ids = recorder.insert_events([stored(f"made-of-{number}", 1)], tracking=tracking)
                assert len(ids or ()) == 1
        assert recorder.max_tracking_id("upstream") == number
        made = [n.originator_id for n in everything(recorder)]
        assert made == [f"made-of-{n}" for n in range(1, number + 1) if n % 3]
        with pytest.raises(IntegrityError):
            recorder.insert_tracking(Tracking("upstream", number))


@on_postgres
def test_of_several_workers_of_a_process_recorder(url: str) -> None:
    with cut(url) as (factory, proxy):
        recorder = factory.process_recorder()

        def work() -> set[int]:
            done = set()
            number = 0
            while not proxy.is_done:
                number += 1
                try:
                    event = stored(f"made-of-{number}", 1)
                    recorder.insert_events([event], tracking=Tracking("upstream", number))
                    done.add(number)
                except IntegrityError:  # of this one the other worker was told
                    number = recorder.max_tracking_id("upstream") or 0
            return done

        one, two = [worker.result(60) for worker in [background(work) for _ in range(WORKERS)]]
        assert one.isdisjoint(two)
        made = [n.originator_id for n in everything(recorder)]
        assert made == [f"made-of-{number}" for number in sorted(one | two)]


class LosesReplies:
    """A view backend as it looks to a caller whose connection broke after each commit."""

    def __init__(self, views: Any) -> None:
        self._views = views

    def __getattr__(self, name: str) -> Any:
        return getattr(self._views, name)

    def store(self, bucket: int, changes: Sequence[Change], *, durable: bool = True) -> bool:
        assert self._views.store(bucket, changes)
        return bool(self._views.store(bucket, changes))  # repeated: the checkpoint has moved


def test_of_a_view_and_of_snapshots(url: str) -> None:
    factory = LedgerFactory({"LEDGER_URL": url})
    view = factory.tracking_recorder(CountersView)
    view._views = LosesReplies(view._views)
    view.incr_created_event_counter(Tracking("upstream", 1))
    view.incr_created_event_counter(Tracking("upstream", 2))
    assert view.get_created_event_counter() == 2
    snapshots: Any = factory.aggregate_recorder("snapshots")
    snapshots._views = LosesReplies(snapshots._views)
    snapshots.insert_events([stored("one", 1)])
    assert len(snapshots.select_events("one")) == 1
    factory.close()


@contextmanager
def connections_ended(url: str) -> Iterator[Callable[[], int]]:
    """End every other connection to the database again and again; yield how many that were."""
    over = threading.Event()
    ended = 0

    def work() -> None:
        nonlocal ended
        with psycopg.connect(url, autocommit=True) as admin:
            while not over.wait(ENDED_EVERY_S):
                ended += admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    " AND query LIKE '%view_%'"
                ).rowcount

    ending = background(work)
    try:
        yield lambda: ended
    finally:
        over.set()
        ending.result()


@on_postgres
def test_of_a_view_whose_connections_are_ended_at_any_moment(url: str) -> None:
    factory = LedgerFactory({"LEDGER_URL": url})
    view = factory.tracking_recorder(CountersView)
    number = 0
    with connections_ended(url) as ended:
        while number < CHANGES or ended() < CUTS:
            number += 1
            view.incr_created_event_counter(Tracking("upstream", number))
    assert view.get_created_event_counter() == view.max_tracking_id("upstream") == number
    factory.close()
