"""Recorders of the persistence module against the library's own, on the same database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from uuid import UUID, uuid4

import pytest

from ledger.codec import encode_json
from tests.bench.harness import NAMES, Comparison, Report, alternate
from tests.bench.sizes import Sizes
from tests.bench.workload import payload

if TYPE_CHECKING:
    # At run time in the fixture alone, because importing it patches dataclasses.
    from eventsourcing.persistence import ApplicationRecorder

Pair = tuple["ApplicationRecorder", "ApplicationRecorder"]
# What both sides' pools can serve without anybody waiting for longer than the pools allow.
THREADS_MAX = 16


@pytest.fixture
def recorders(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    """The application recorders of both modules, ours first."""
    from eventsourcing.persistence import InfrastructureFactory

    ours = {"PERSISTENCE_MODULE": "projections.eventsourcing"}
    theirs = {"PERSISTENCE_MODULE": f"eventsourcing.{kind}"}
    if kind == "postgres":
        url = request.getfixturevalue("postgres_url")
        address = urlsplit(url)
        ours["LEDGER_URL"] = url
        theirs |= {
            "POSTGRES_DBNAME": address.path.lstrip("/"),
            "POSTGRES_HOST": address.hostname or "",
            "POSTGRES_PORT": str(address.port or 5432),
            "POSTGRES_USER": address.username or "",
            "POSTGRES_PASSWORD": unquote(address.password or "") or "none",
            "POSTGRES_POOL_SIZE": str(THREADS_MAX),
        }
    else:
        ours["LEDGER_URL"] = f"sqlite:///{tmp_path}/ours.db"
        theirs["SQLITE_DBNAME"] = f"{tmp_path}/theirs.db"
    factories = [InfrastructureFactory.construct(env) for env in (ours, theirs)]
    yield factories[0].application_recorder(), factories[1].application_recorder()
    for factory in factories:
        factory.close()


_states = cycle([encode_json(payload(number), "payload") for number in range(256)])


class Aggregates:
    """Aggregates of one recorder, and how far their versions are."""

    def __init__(self, recorder: ApplicationRecorder, count: int) -> None:
        self.recorder = recorder
        self.versions: dict[UUID, int] = {uuid4(): 0 for _ in range(count)}

    def insert(self, originator: UUID, count: int) -> None:
        """Insert the next events of one aggregate."""
        from eventsourcing.persistence import StoredEvent

        first = self.versions[originator] + 1
        self.versions[originator] += count
        self.recorder.insert_events(
            [
                StoredEvent(originator, first + place, "shop:Orders.Found", next(_states))
                for place in range(count)
            ]
        )


def compared(
    what: str,
    kind: str,
    pair: Pair,
    sizes: Sizes,
    work: Callable[[Any], Callable[[], int]],
    target: float = 1,
) -> Comparison:
    """Compare the same work on both recorders."""
    ours, theirs = map(work, pair)
    return alternate(
        f"{what}, {NAMES[kind]}",
        f"eventsourcing.{kind}",
        ours,
        theirs,
        rounds=sizes.rounds,
        target=target,
    )


def test_inserts(kind: str, recorders: Pair, sizes: Sizes, report: Report) -> None:
    def work(recorder: ApplicationRecorder) -> Callable[[], int]:
        aggregates = Aggregates(recorder, 1)
        [one] = aggregates.versions

        def round_() -> int:
            for _ in range(sizes.singles):
                aggregates.insert(one, 1)
            return sizes.singles

        return round_

    # Where nothing waits for a server or a lock, it is seen that an event here is chained by hash
    # and found by its id as well; the slower the disk's flush, the less.
    target = 0.4 if kind == "sqlite" else 1
    report(compared("insert_events, one by one", kind, recorders, sizes, work, target))


def test_inserts_of_threads(kind: str, recorders: Pair, sizes: Sizes, report: Report) -> None:
    count = min(sizes.tasks, THREADS_MAX)
    with ThreadPoolExecutor(count) as threads:

        def work(recorder: ApplicationRecorder) -> Callable[[], int]:
            aggregates = Aggregates(recorder, count)

            def writer(originator: UUID) -> None:
                for _ in range(sizes.appends_per_task):
                    aggregates.insert(originator, 1)

            def round_() -> int:
                list(threads.map(writer, aggregates.versions))
                return count * sizes.appends_per_task

            return round_

        report(compared(f"insert_events, {count} threads", kind, recorders, sizes, work))


def test_selects(kind: str, recorders: Pair, sizes: Sizes, report: Report) -> None:
    def work(recorder: ApplicationRecorder) -> Callable[[], int]:
        aggregates = Aggregates(recorder, sizes.sessions_read)
        for one in aggregates.versions:
            aggregates.insert(one, sizes.session)

        def round_() -> int:
            return sum(len(recorder.select_events(one)) for one in aggregates.versions)

        return round_

    report(compared(f"select_events, {sizes.session} each", kind, recorders, sizes, work))


def test_notifications(kind: str, recorders: Pair, sizes: Sizes, report: Report) -> None:
    def work(recorder: ApplicationRecorder) -> Callable[[], int]:
        aggregates = Aggregates(recorder, sizes.sessions_read)
        for one in aggregates.versions:
            aggregates.insert(one, sizes.session)

        def round_() -> int:
            done = after = 0
            while page := recorder.select_notifications(
                after, sizes.page, inclusive_of_start=False
            ):
                done, after = done + len(page), page[-1].id
            return done

        return round_

    report(compared("select_notifications", kind, recorders, sizes, work))
