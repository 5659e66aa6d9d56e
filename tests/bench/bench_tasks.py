"""Many writers in one process: tasks that append one by one, each to a session of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID, uuid4

from ledger import Append, AsyncLedger, Ledger
from ledger.codec import encode_json
from ledger.rounds import numbers_or_raise
from tests.bench import raw
from tests.bench.bench_append import prepared_rows
from tests.bench.harness import Report, alternate
from tests.bench.sizes import Sizes
from tests.bench.workload import event, payload

AppendOne = Callable[[str], Awaitable[Any]]
# What did best here of 4, 8, 16 and 32, for both baselines.
POOL_SIZE = 16


def run_tasks(runner: asyncio.Runner, sizes: Sizes, append: AppendOne) -> int:
    """Let all tasks append to their own sessions; return how many appends that was."""

    async def writer(session_id: str) -> None:
        for _ in range(sizes.appends_per_task):
            await append(session_id)

    async def writers() -> None:
        await asyncio.gather(*(writer(f"task-{number}") for number in range(sizes.tasks)))

    runner.run(writers())
    return sizes.tasks * sizes.appends_per_task


@contextmanager
def appending_tasks(url: str, sizes: Sizes) -> Iterator[Callable[[], int]]:
    """Yield a round of tasks on a ledger, which stays open between the rounds."""
    with asyncio.Runner() as runner:
        ledger = runner.run(AsyncLedger.open(url))

        async def append(session_id: str) -> None:
            await ledger.append(session_id, event())

        try:
            yield lambda: run_tasks(runner, sizes, append)
        finally:
            runner.run(ledger.close())


@contextmanager
def ungrouped_tasks(url: str, sizes: Sizes) -> Iterator[Callable[[], int]]:
    """Yield the same round with a call of the append function, so a commit, for every append."""
    with asyncio.Runner() as runner:
        # The backend beneath the group commit is a pool of connections, and each call takes one.
        ledger = runner.run(AsyncLedger.open(url, pool_size=POOL_SIZE, lanes=1))

        async def append(session_id: str) -> None:
            batch = ledger.door.batch([Append(session_id, (event(),))])
            [outcome] = await ledger.backend.append([batch.unit], wait=True)
            batch.answer(numbers_or_raise(outcome), ledger.upcasts)

        try:
            yield lambda: run_tasks(runner, sizes, append)
        finally:
            runner.run(ledger.close())


@contextmanager
def eventsourcing_threads(url: str, sizes: Sizes) -> Iterator[Callable[[], int]]:
    """Yield the same round on eventsourcing's recorder, with a thread for every task."""
    # Here, because importing it patches dataclasses.
    from eventsourcing.persistence import StoredEvent
    from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

    address = urlsplit(url)
    datastore = PostgresDatastore(
        dbname=address.path.lstrip("/"),
        host=address.hostname or "",
        port=address.port or 5432,
        user=address.username or "",
        password=unquote(address.password or ""),
        pool_size=POOL_SIZE,
        connect_timeout=30,
    )
    recorder = PostgresApplicationRecorder(datastore)
    recorder.create_table()
    state = encode_json(payload(7), "payload")
    versions: dict[UUID, int] = {uuid4(): 0 for _ in range(sizes.tasks)}

    def writer(originator: UUID) -> None:
        for _ in range(sizes.appends_per_task):
            versions[originator] += 1
            recorder.insert_events(
                [StoredEvent(originator, versions[originator], "tool.finished", state)]
            )

    threads = ThreadPoolExecutor(sizes.tasks)

    def round_() -> int:
        list(threads.map(writer, versions))
        return sizes.tasks * sizes.appends_per_task

    try:
        yield round_
    finally:
        threads.shutdown()
        datastore.close()


def test_tasks_against_a_pool_without_group_commit(
    postgres_url: str, sizes: Sizes, report: Report
) -> None:
    with appending_tasks(postgres_url, sizes) as ours, ungrouped_tasks(postgres_url, sizes) as pool:
        report(
            alternate(
                f"{sizes.tasks} tasks, PostgreSQL",
                f"pool of {POOL_SIZE}, no group commit",
                ours,
                pool,
                rounds=sizes.rounds,
                target=5,
            )
        )


def test_tasks_against_eventsourcing(postgres_url: str, sizes: Sizes, report: Report) -> None:
    with (
        appending_tasks(postgres_url, sizes) as ours,
        eventsourcing_threads(postgres_url, sizes) as recorder,
    ):
        report(
            alternate(
                f"{sizes.tasks} tasks, PostgreSQL",
                f"eventsourcing, {sizes.tasks} threads",
                ours,
                recorder,
                rounds=sizes.rounds,
                target=10,
            )
        )


def test_tasks_on_sqlite(sqlite_path: Path, sizes: Sizes, report: Report) -> None:
    url = f"sqlite:///{sqlite_path}"
    Ledger.open(url).close()
    inserts = sizes.singles
    with appending_tasks(url, sizes) as ours, raw.sqlite(sqlite_path) as connection:
        rows = iter(prepared_rows(1, sizes, inserts))

        def baseline() -> int:
            for row in islice(rows, inserts):
                connection.execute(raw.SQLITE_INSERT, row)
            return inserts

        report(
            alternate(
                f"{sizes.tasks} tasks, SQLite",
                "INSERTs one by one, autocommit",
                ours,
                baseline,
                rounds=sizes.rounds,
                target=5,
            )
        )
