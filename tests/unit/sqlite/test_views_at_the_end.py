"""A read that finds everything folded, while others fold, append and drop between its statements."""

from typing import Any

import msgspec
import pytest

from ledger import Ledger, StorageFailed
from ledger.backends.sqlite import SqliteBackend
from projections import Views
from projections.backends.row_queries import RowQuery
from projections.backends.sqlite.backend import SqliteViews
from projections.engine.tables import Table
from tests.support.views import TALLY, counted

TABLE = Table(TALLY)
EQUAL = (("tenant", ""), ("session_id", "s"), ("name", "x"))
#: Of the session's bucket, and of all of them.
QUERIES = [RowQuery(table=TABLE, bucket=bucket, equal=EQUAL, limit=5) for bucket in (0, None)]


@pytest.mark.parametrize("query", QUERIES, ids=["one bucket", "all buckets"])
def test_what_is_folded_and_appended_between_two_statements_is_no_reason_to_find_nothing(
    ledger: Ledger, backend: SqliteBackend, query: RowQuery
) -> None:
    views = Views(ledger, projections=[TALLY])
    views.catch_up()
    storage = SqliteViews(backend)
    ledger.append("s", counted())
    assert storage.current(query) is None

    def between(cursor: Any, statement: str, bindings: Any) -> bool:
        asked.append(statement)
        if len(asked) == 2:
            views.catch_up()
        elif len(asked) == 3:
            ledger.append("s", counted())
        return True

    asked: list[str] = []
    with backend.reader() as connection:
        connection.set_exec_trace(between)
    found = storage.current(query)
    assert len(asked) == 3
    assert found is not None
    assert [row.count for row in found] == [1]


@pytest.mark.parametrize("query", QUERIES, ids=["one bucket", "all buckets"])
def test_a_version_that_is_gone_or_not_the_active_one_is_not_current(
    ledger: Ledger, backend: SqliteBackend, query: RowQuery
) -> None:
    views = Views(ledger, projections=[TALLY])
    ledger.append("s", counted())
    assert views.row("tally", ("", "s", "x")).count == 1
    storage = SqliteViews(backend)
    assert len(storage.current(query) or ()) == 1
    nowhere = msgspec.structs.replace(query, equal=(("tenant", "none"),))
    assert storage.current(nowhere) == []
    other = Table(msgspec.structs.replace(TALLY, version=2))
    asked = msgspec.structs.replace(query, table=other)
    assert storage.current(asked) is None
    storage.prepare([other])
    assert storage.current(asked) is None
    storage.mark_built(other.identity)
    assert storage.switch(other.identity)
    assert storage.current(query) is None
    assert storage.drop(TABLE.identity)
    assert storage.current(query) is None


def test_a_row_is_current_on_every_connection_until_its_version_is_gone(
    ledger: Ledger, backend: SqliteBackend
) -> None:
    views = Views(ledger, projections=[TALLY])
    ledger.append("s", counted())
    views.catch_up()
    storage, key = SqliteViews(backend), ("", "s", "x")
    with backend.reader():
        # Another one than that lent here, and then this one.
        [row] = storage.current_row(TABLE, 0, key) or []
    assert storage.current_row(TABLE, 0, key) == [row]
    assert row == views.row("tally", key)
    assert storage.current_row(TABLE, 0, ("", "s", "none")) == []
    ledger.append("s", counted())
    assert storage.current_row(TABLE, 0, key) is None
    views.catch_up()
    assert [one.count for one in storage.current_row(TABLE, 0, key) or []] == [2]
    with backend.transaction() as connection:
        connection.execute(f'DROP TABLE "{TABLE.name}"')
    assert storage.current_row(TABLE, 0, key) is None
    views = Views(ledger, projections=[TALLY])
    assert views.row("tally", key).count == 2
    assert storage.current_row(TABLE, 0, key) == [views.row("tally", key)]


def test_what_reads_documents_still_may_not_write(ledger: Ledger, backend: SqliteBackend) -> None:
    views = Views(ledger, projections=[TALLY])
    views.catch_up()
    storage = SqliteViews(backend)
    assert storage.current_row(TABLE, 0, ("", "s", "x")) == []
    with pytest.raises(StorageFailed), backend.reader() as connection:
        connection.execute("DELETE FROM buckets")
