"""Reading decoded events against fetching the same rows as tuples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import apsw
import psycopg
import pytest

from ledger import Ledger
from tests.bench import raw
from tests.bench.harness import NAMES, Report, alternate
from tests.bench.sizes import Sizes
from tests.bench.workload import Rows

Fetch = Callable[[str, tuple[Any, ...]], list[raw.Row]]


@pytest.fixture
def filled(kind: str, url: str, sizes: Sizes) -> Iterator[tuple[Ledger, list[str], Fetch]]:
    """A ledger with sessions of equal length, their ids, and a way to fetch rows without it."""
    with Ledger.open(url) as ledger:
        rows = Rows(ledger.buckets, sizes.session)
    raw.fill(url, rows, sizes.feed)
    connection: Any
    if kind == "postgres":
        connection = psycopg.connect(url, autocommit=True)

        def fetch(statement: str, parameters: tuple[Any, ...]) -> list[raw.Row]:
            statement = statement.replace("?", "%s").replace("events", "ledger.events")
            # Binary, because it is the faster one: bytea comes as hexadecimal digits otherwise.
            found: list[raw.Row] = connection.execute(
                statement, parameters, prepare=True, binary=True
            ).fetchall()
            return found
    else:
        connection = apsw.Connection(url.removeprefix("sqlite:///"), apsw.SQLITE_OPEN_READWRITE)

        def fetch(statement: str, parameters: tuple[Any, ...]) -> list[raw.Row]:
            return list(connection.execute(statement, parameters).fetchall())

    ledger = Ledger.open(url)
    yield ledger, rows.sessions, fetch
    ledger.close()
    connection.close()


def test_reading_a_session(
    filled: tuple[Ledger, list[str], Fetch], kind: str, sizes: Sizes, report: Report
) -> None:
    ledger, sessions, fetch = filled
    ours_next, theirs_next = cycle(sessions), cycle(sessions)

    def ours() -> int:
        return sum(len(ledger.read(next(ours_next))) for _ in range(sizes.sessions_read))

    def baseline() -> int:
        statement = (
            "SELECT * FROM events WHERE bucket = ? AND tenant = ? AND session_id = ?"
            " ORDER BY sequence"
        )
        count = 0
        for _ in range(sizes.sessions_read):
            session_id = next(theirs_next)
            count += len(fetch(statement, (ledger.door.bucket("", session_id), "", session_id)))
        return count

    report(
        alternate(
            f"read a session of {sizes.session:,}, {NAMES[kind]}",
            "the rows as tuples",
            ours,
            baseline,
            rounds=sizes.rounds,
            target=0.5,
        )
    )


def test_reading_the_feed(
    filled: tuple[Ledger, list[str], Fetch], kind: str, sizes: Sizes, report: Report
) -> None:
    ledger, _, fetch = filled

    def ours() -> int:
        count, cursor, more = 0, None, True
        while more:
            page = ledger.feed(cursor, limit=sizes.page)
            count, cursor, more = count + len(page.events), page.cursor, page.more
        assert count == sizes.feed
        return count

    def baseline() -> int:
        statement = (
            "SELECT * FROM events WHERE (bucket, position) > (?, ?)"
            " ORDER BY bucket, position LIMIT ?"
        )
        count, place = 0, (0, 0)
        while rows := fetch(statement, (*place, sizes.page)):
            count, place = count + len(rows), rows[-1][:2]
        assert count == sizes.feed
        return count

    report(
        alternate(
            f"feed of {sizes.feed:,}, {NAMES[kind]}",
            f"pages of {sizes.page:,} rows as tuples",
            ours,
            baseline,
            rounds=min(5, sizes.rounds),
            target=0.5,
        )
    )
