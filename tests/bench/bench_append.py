"""One writer: single appends and batches against plain INSERTs of the same rows."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from ledger import Ledger
from tests.bench import raw
from tests.bench.harness import WARM_UP_ROUNDS, Report, alternate
from tests.bench.sizes import Sizes
from tests.bench.workload import BATCH, Rows, event, events


def prepared_rows(buckets: int, sizes: Sizes, per_round: int) -> list[raw.Row]:
    """Return the rows a baseline will insert: making them is not what is measured."""
    count = per_round * (sizes.rounds + WARM_UP_ROUNDS)
    return list(Rows(buckets, per_session=count).take(count))


def test_one_durable_append_on_postgres(postgres_url: str, sizes: Sizes, report: Report) -> None:
    with Ledger.open(postgres_url) as ledger, raw.postgres(postgres_url) as connection:
        rows = iter(prepared_rows(ledger.buckets, sizes, sizes.singles))

        def ours() -> int:
            for _ in range(sizes.singles):
                ledger.append("live", event())
            return sizes.singles

        def baseline() -> int:
            for row in islice(rows, sizes.singles):
                connection.execute(raw.POSTGRES_INSERT, row, prepare=True)
            return sizes.singles

        report(
            alternate(
                "append, PostgreSQL",
                "one-row INSERT, prepared, autocommit",
                ours,
                baseline,
                rounds=sizes.rounds,
                target=0.7,
            )
        )


def test_a_batch_on_postgres(postgres_url: str, sizes: Sizes, report: Report) -> None:
    with Ledger.open(postgres_url) as ledger, raw.postgres(postgres_url) as connection:
        statement = raw.unnest_insert(connection)
        rows = iter(prepared_rows(ledger.buckets, sizes, sizes.batches * BATCH))

        def ours() -> int:
            for _ in range(sizes.batches):
                ledger.append("live", events(BATCH))
            return sizes.batches * BATCH

        def baseline() -> int:
            for _ in range(sizes.batches):
                columns = [list(column) for column in zip(*islice(rows, BATCH), strict=True)]
                connection.execute(statement, columns, prepare=True)
            return sizes.batches * BATCH

        report(
            alternate(
                f"batch of {BATCH}, PostgreSQL",
                "INSERT … SELECT unnest",
                ours,
                baseline,
                rounds=sizes.rounds,
                target=0.8,
            )
        )


def test_one_durable_append_on_sqlite(sqlite_path: Path, sizes: Sizes, report: Report) -> None:
    with Ledger.open(f"sqlite:///{sqlite_path}") as ledger, raw.sqlite(sqlite_path) as connection:
        rows = iter(prepared_rows(ledger.buckets, sizes, sizes.singles))

        def ours() -> int:
            for _ in range(sizes.singles):
                ledger.append("live", event())
            return sizes.singles

        def baseline() -> int:
            for row in islice(rows, sizes.singles):
                connection.execute(raw.SQLITE_INSERT, row)
            return sizes.singles

        report(
            alternate(
                "append, SQLite",
                "one-row INSERT, autocommit",
                ours,
                baseline,
                rounds=sizes.rounds,
                target=0.7,
            )
        )


def test_a_batch_on_sqlite(sqlite_path: Path, sizes: Sizes, report: Report) -> None:
    with Ledger.open(f"sqlite:///{sqlite_path}") as ledger, raw.sqlite(sqlite_path) as connection:
        rows = iter(prepared_rows(ledger.buckets, sizes, sizes.batches * BATCH))

        def ours() -> int:
            for _ in range(sizes.batches):
                ledger.append("live", events(BATCH))
            return sizes.batches * BATCH

        def baseline() -> int:
            for _ in range(sizes.batches):
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(raw.SQLITE_INSERT, islice(rows, BATCH))
                connection.execute("COMMIT")
            return sizes.batches * BATCH

        report(
            alternate(
                f"batch of {BATCH}, SQLite",
                "executemany in one transaction",
                ours,
                baseline,
                rounds=sizes.rounds,
                target=0.6,
            )
        )
