"""Views of projections: rows and tracking change together, once, whoever comes in between."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent, Tracking

from ledger import LedgerClosed
from projections.eventsourcing import Edit, LedgerFactory, LedgerProcessRecorder
from projections.eventsourcing.rows import table_name
from tests.eventsourcing.cases import COUNTERS, Counter, CountersView
from tests.support.builders import background, on_sqlite

NOTIFICATIONS = 30
WORKERS = 4


@pytest.fixture
def factory(url: str) -> Iterator[LedgerFactory]:
    factory = LedgerFactory({"LEDGER_URL": url})
    yield factory
    factory.close()


def worked(work: Any) -> int:
    """How many notifications a worker got through, others being first with the rest."""
    done = 0
    for number in range(1, NOTIFICATIONS + 1):
        try:
            work(Tracking("upstream", number))
            done += 1
        except IntegrityError:
            pass
    return done


def test_workers_on_one_view_process_each_notification_at_most_once(
    factory: LedgerFactory,
) -> None:
    view = factory.tracking_recorder(CountersView)
    workers = [background(lambda: worked(view.incr_created_event_counter)) for _ in range(WORKERS)]
    done = sum(worker.result() for worker in workers)
    assert view.get_created_event_counter() == done
    assert view.max_tracking_id("upstream") == NOTIFICATIONS


def test_workers_of_one_process_record_each_notification_at_most_once(
    factory: LedgerFactory,
) -> None:
    recorder = factory.process_recorder()
    assert isinstance(recorder, LedgerProcessRecorder)

    def process(tracking: Tracking) -> None:
        event = StoredEvent(f"result-{tracking.notification_id}", 1, "topic", b"{}")
        recorder.insert_events([event], tracking=tracking)

    workers = [background(lambda: worked(process)) for _ in range(WORKERS)]
    done = sum(worker.result() for worker in workers)
    assert len(recorder.select_notifications(None, 1_000)) == done
    assert recorder.max_tracking_id("upstream") == NOTIFICATIONS
    assert factory.ledger.verify().ok


def test_views_follow_one_application_at_their_own_pace(url: str, factory: LedgerFactory) -> None:
    names = ["first", "Second", "zweite Sicht"]
    views = [type("View", (CountersView,), {})(factory.ledger, name) for name in names]
    for number, view in enumerate(views, 1):
        view.create_tables()
        view.insert_tracking(Tracking("upstream", number))
    assert [view.max_tracking_id("upstream") for view in views] == [1, 2, 3]


def test_several_rows_change_at_once_or_not_at_all(factory: LedgerFactory) -> None:
    view = factory.tracking_recorder(CountersView)

    def failing(row: Counter | None) -> Counter:
        raise ZeroDivisionError

    def one_more(row: Counter | None) -> Counter:
        return Counter("a", 1 + (row.count if row else 0))

    twice = [Edit(COUNTERS, ("a",), one_more)] * 2
    view.change(
        Tracking("upstream", 1), *twice, Edit(COUNTERS, ("b",), lambda row: Counter("b", 9))
    )
    with pytest.raises(ZeroDivisionError):
        view.change(Tracking("upstream", 2), *twice, Edit(COUNTERS, ("b",), failing))
    assert view.rows(COUNTERS, order=("kind",)) == [Counter("a", 2), Counter("b", 9)]
    view.change(Tracking("upstream", 2), Edit(COUNTERS, ("a",), lambda row: None))
    assert view.rows(COUNTERS) == [Counter("b", 9)]
    assert view.rows(COUNTERS, kind="a") == []


def test_a_row_that_moves_to_another_key_is_refused(factory: LedgerFactory) -> None:
    view = factory.tracking_recorder(CountersView)
    with pytest.raises(ValueError, match="other"):
        view.change(
            Tracking("upstream", 1), Edit(COUNTERS, ("a",), lambda row: Counter("other", 1))
        )
    assert view.max_tracking_id("upstream") is None


def test_a_deleted_tracking_begins_again(factory: LedgerFactory) -> None:
    recorder = factory.process_recorder()
    recorder.insert_tracking(Tracking("upstream", 5))
    factory.ledger.delete("upstream", tenant="/tracking")
    assert recorder.max_tracking_id("upstream") is None
    recorder.insert_tracking(Tracking("upstream", 1))
    assert recorder.max_tracking_id("upstream") == 1


@on_sqlite
def test_a_views_rows_are_a_table_that_sql_reads(url: str, factory: LedgerFactory) -> None:
    import apsw

    view = factory.tracking_recorder(CountersView)
    view.incr_created_event_counter(Tracking("upstream", 1))
    connection = apsw.Connection(url.removeprefix("sqlite:///"))
    rows = connection.execute("SELECT kind, count FROM view_event_counters_v1").fetchall()
    assert rows == [("created", 1)]


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("tracking", ""), "tracking"),
        (("tracking", "dogs"), "tracking_dogs"),
        (("tracking", "Dogs"), "tracking_dogs_2b6c46c5"),
    ],
)
def test_table_names_are_readable_and_never_shared(parts: tuple[str, ...], name: str) -> None:
    assert table_name(*parts) == name


def test_a_ledger_is_closed_with_its_last_recorder(url: str) -> None:
    # The library's ProjectionRunner drops the factory of its view.
    view = LedgerFactory({"LEDGER_URL": url}).tracking_recorder(CountersView)
    backend = view.ledger.backend
    gc.collect()
    view.insert_tracking(Tracking("upstream", 1))
    del view
    gc.collect()
    with pytest.raises(LedgerClosed):
        backend.positions()
