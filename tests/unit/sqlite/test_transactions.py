"""Transactions of callers, of views and of readers beside the SQLite backend's own."""

from pathlib import Path

import apsw
import pytest

from ledger import IntegrityError, InvalidArgument, Ledger, RetryableError, StorageFailed
from ledger.backends.sqlite import SqliteBackend
from ledger.records import Record
from tests.support.builders import DEADLINE_S, background, note, notes, texts, unit_of_notes


def test_a_caller_who_began_by_reading_is_told_to_begin_again(
    ledger: Ledger, own: apsw.Connection
) -> None:
    own.execute("BEGIN")
    own.execute("SELECT count(*) FROM events").fetchall()
    ledger.append("s", note("between"))
    with pytest.raises(RetryableError, match="BEGIN IMMEDIATE"):
        ledger.append("s", note("late"), connection=own)
    own.execute("ROLLBACK; BEGIN IMMEDIATE")
    ledger.append("s", note("again"), connection=own)
    own.execute("COMMIT")
    assert texts(ledger.read("s")) == ["between", "again"]


def test_a_copy_of_the_ledger_is_another_file(
    ledger: Ledger, backend: SqliteBackend, tmp_path: Path
) -> None:
    ledger.append("s", note("a"))
    copy = apsw.Connection(str(tmp_path / "copy.db"))
    with backend.reader() as connection, copy.backup("main", connection, "main") as backup:
        backup.step()
    copy.execute("BEGIN IMMEDIATE")
    with pytest.raises(InvalidArgument, match="connection"):
        ledger.append("s", note("b"), connection=copy)
    copy.close()


def test_a_callers_temporary_tables_and_tracers_do_not_matter(
    ledger: Ledger, own: apsw.Connection
) -> None:
    own.execute("CREATE TEMP TABLE events (x); CREATE TEMP TABLE buckets (x)")
    own.row_trace = lambda _, row: {"row": row}
    own.execute("BEGIN IMMEDIATE")
    assert ledger.append("s", note("a"), connection=own).sequence == 1
    assert ledger.append("s", note("b"), connection=own).sequence == 2
    own.execute("COMMIT")
    assert texts(ledger.read("s")) == ["a", "b"]


def test_a_disk_that_fills_inside_a_callers_transaction_stores_nothing(
    ledger: Ledger, own: apsw.Connection
) -> None:
    ledger.append("s", note("first"))
    own.pragma("max_page_count", own.pragma("page_count") + 2)
    own.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageFailed, match="full"):
        ledger.append("s", note("x" * 100_000), connection=own)
    if own.in_transaction:
        own.execute("ROLLBACK")
    assert texts(ledger.read("s")) == ["first"]
    assert ledger.append("s", note("second")).sequence == 2


@pytest.mark.parametrize("whose", ["writer", "caller"])
def test_rows_in_front_of_one_that_is_there_already_do_not_stay(
    ledger: Ledger, own: apsw.Connection, whose: str
) -> None:
    ledger.append("s", note("first"))
    columns = ", ".join(Record.__struct_fields__)
    stray = columns.replace("position", "3").replace("session_id", "'stray'")
    own.execute(f"INSERT INTO events ({columns}) SELECT {stray} FROM events")
    if whose == "writer":
        with pytest.raises(IntegrityError, match="REPLACE is refused"):
            ledger.append("s", notes("abc"))
    else:
        own.execute("BEGIN IMMEDIATE; CREATE TABLE mine (x)")
        with pytest.raises(IntegrityError, match="REPLACE is refused"):
            ledger.append("s", notes("abc"), connection=own)
        own.execute("COMMIT")
        assert own.execute("SELECT count(*) FROM mine").get == 0
    assert texts(ledger.read("s")) == ["first"]
    assert own.execute("SELECT position FROM buckets").get == 1


def test_appending_inside_a_transaction_of_the_same_thread_is_refused(
    ledger: Ledger, backend: SqliteBackend
) -> None:
    with backend.transaction() as connection:
        with pytest.raises(InvalidArgument, match="append_within"):
            backend.append([unit_of_notes(ledger, "s", "outside")], wait=True)
        backend.append_within(unit_of_notes(ledger, "s", "inside"), connection)
    assert texts(ledger.read("s")) == ["inside"]


def test_readers_do_not_wait_for_the_writer(ledger: Ledger, backend: SqliteBackend) -> None:
    ledger.append("s", note("before"))
    with backend.transaction() as connection:
        backend.append_within(unit_of_notes(ledger, "s", "during"), connection)
        read = background(lambda: texts(ledger.read("s"))).result(DEADLINE_S)
    assert read == ["before"]


def test_a_statement_left_open_by_a_borrower_pins_no_snapshot(
    ledger: Ledger, backend: SqliteBackend, own: apsw.Connection
) -> None:
    ledger.append("s", notes("abc"))
    with backend.reader() as connection:
        left_open = connection.execute("SELECT * FROM events")
        next(left_open)
    ledger.append("s", note("d"))
    busy, _, _ = own.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0]
    assert busy == 0
