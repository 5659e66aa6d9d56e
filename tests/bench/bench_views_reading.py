"""Reading views when nothing is left to be folded, against the statement itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apsw
import psycopg
import pytest

from ledger import Ledger
from projections import Views
from projections.folds.sessions import SESSIONS
from tests.bench.harness import NAMES, Report, alternate
from tests.bench.sizes import Sizes
from tests.bench.workload import event

Fetch = Callable[[str, Sequence[Any]], list[Any]]
LISTED = 100
STATUSES = ("active", "idle", "processing", "paused", "completed", "cancelled", "failed", "closed")


@pytest.fixture
def connection(kind: str, url: str) -> Iterator[Any]:
    """A connection without the ledger."""
    with Ledger.open(url) as ledger:
        Views(ledger, projections=[SESSIONS]).catch_up()
    opened: Any
    if kind == "postgres":
        opened = psycopg.connect(url, autocommit=True)
    else:
        opened = apsw.Connection(url.removeprefix("sqlite:///"))
    yield opened
    opened.close()


@pytest.fixture
def fetch(kind: str, connection: Any) -> Fetch:
    """A way to fetch rows as they are."""

    def fetch(statement: str, parameters: Sequence[Any]) -> list[Any]:
        if kind == "postgres":
            statement = statement.replace("?", "%s").replace("view_", "ledger.view_")
            found = connection.execute(statement, parameters, prepare=True, binary=True)
        else:
            found = connection.execute(statement, parameters)
        return list(found.fetchall())

    return fetch


def many(kind: str, connection: Any, count: int) -> None:
    """Fill the view, and nothing else, with copies of the one session that is there."""
    postgres = kind == "postgres"
    schema = "ledger." if postgres else ""
    [[buckets]] = connection.execute(f"SELECT count(*) FROM {schema}buckets").fetchall()
    series = (
        "generate_series(1, {n}) AS s (n)"
        if postgres
        else "(WITH RECURSIVE r (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < {n}) SELECT n FROM r) AS s"
    ).format(n=count)
    names = [
        name
        for name, *_ in (
            connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'ledger.view_sessions_v1'::regclass AND attnum > 0 AND NOT attisdropped"
            )
            if postgres
            else connection.execute("SELECT name FROM pragma_table_info('view_sessions_v1')")
        ).fetchall()
        if name not in ("search_id", "search_words")
    ]
    at = (
        "v.last_activity_at + s.n * interval '1 second'"
        if postgres
        else "strftime('%Y-%m-%dT%H:%M:%S.000000Z', 1750000000 + s.n, 'unixepoch')"
    )
    status = (
        "CASE s.n % 8 "
        + " ".join(f"WHEN {number} THEN '{name}'" for number, name in enumerate(STATUSES))
        + " END"
    )
    changed = {
        "bucket": f"s.n % {buckets}",
        "session_id": "'listed-' || s.n",
        "status": status,
        "last_activity_at": at,
    }
    connection.execute(
        f"INSERT INTO {schema}view_sessions_v1 ({', '.join(names)})"
        f" SELECT {', '.join(changed.get(name, 'v.' + name) for name in names)}"
        f" FROM {schema}view_sessions_v1 AS v CROSS JOIN {series} WHERE v.session_id = 'live'"
    )
    connection.execute("VACUUM ANALYZE ledger.view_sessions_v1" if postgres else "ANALYZE")


@pytest.fixture
def started(url: str, connection: Any) -> Iterator[Views]:
    """Views of a ledger with one session, folded."""
    with Ledger.open(url) as ledger:
        ledger.append("live", event())
        views = Views(ledger, projections=[SESSIONS])
        views.catch_up()
        yield views


BY_KEY = "SELECT * FROM view_sessions_v1 WHERE bucket = ? AND tenant = ? AND session_id = ?"
PLACES = pytest.mark.parametrize("place", [0, 1, 2], ids=["small", "bigger", "biggest"])


@PLACES
def test_a_session_by_its_id(
    kind: str,
    place: int,
    connection: Any,
    started: Views,
    fetch: Fetch,
    sizes: Sizes,
    report: Report,
) -> None:
    count = sizes.listed[place]
    many(kind, connection, count)
    [(bucket,)] = fetch("SELECT bucket FROM view_sessions_v1 WHERE session_id = ?", ("live",))

    def ours() -> int:
        for _ in range(sizes.singles):
            assert started.session("live") is not None
        return sizes.singles

    def baseline() -> int:
        for _ in range(sizes.singles):
            assert fetch(BY_KEY, (bucket, "", "live"))
        return sizes.singles

    report(
        alternate(
            f"views.session of {count:,}, nothing to fold, {NAMES[kind]}",
            "SELECT by key, prepared, rows as tuples",
            ours,
            baseline,
            rounds=sizes.rounds,
            target=0.4,
            unit="reads/s",
        )
    )


def test_a_session_behind_an_append(
    kind: str, url: str, started: Views, fetch: Fetch, sizes: Sizes, report: Report
) -> None:
    [(bucket,)] = fetch("SELECT bucket FROM view_sessions_v1", ())
    with Ledger.open(url) as ledger:

        def ours() -> int:
            for _ in range(sizes.singles):
                appended = ledger.append("live", event()).event
                session = started.session("live")
                assert session is not None
                assert session.last_sequence == appended.sequence
            return sizes.singles

        def baseline() -> int:
            for _ in range(sizes.singles):
                ledger.append("live", event())
                assert fetch(BY_KEY, (bucket, "", "live"))
            return sizes.singles

        report(
            alternate(
                f"append, then views.session, {NAMES[kind]}",
                "append, then SELECT by key of what is folded",
                ours,
                baseline,
                rounds=sizes.rounds,
                target=0.4,
                unit="pairs/s",
            )
        )


@PLACES
def test_a_list_of_sessions(
    kind: str,
    place: int,
    connection: Any,
    started: Views,
    fetch: Fetch,
    sizes: Sizes,
    report: Report,
) -> None:
    count = sizes.listed[place]
    many(kind, connection, count)
    statement = (
        "SELECT * FROM view_sessions_v1 WHERE tenant = ? AND status = ? AND archived_at IS NULL"
        f" ORDER BY last_activity_at DESC, session_id DESC LIMIT {LISTED}"
    )
    order = random.Random(7)
    statuses = [order.choice(("closed", "completed", "failed")) for _ in range(sizes.lists)]

    def ours() -> int:
        for status in statuses:
            assert len(started.sessions(status=status, limit=LISTED)) == min(LISTED, count // 8)
        return sizes.lists

    def baseline() -> int:
        for status in statuses:
            assert len(fetch(statement, ("", status))) == min(LISTED, count // 8)
        return sizes.lists

    report(
        alternate(
            f"newest {LISTED} of a status in {count:,}, {NAMES[kind]}",
            "the SELECT, rows as tuples",
            ours,
            baseline,
            rounds=min(5, sizes.rounds),
            target=0.5,
            unit="lists/s",
        )
    )
