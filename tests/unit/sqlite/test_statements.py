"""Tables, plans and triggers of the SQLite backend, which the contract cannot see."""

from typing import Any

import apsw
import apsw.ext
import msgspec
import pytest

from ledger import Append, Ledger
from ledger.backends.base import OpenOptions
from ledger.backends.memory import MemoryBackend
from ledger.backends.queries import load_queries
from ledger.backends.sqlite import SqliteBackend
from ledger.records import Record, Unit
from tests.support.builders import note, notes

SQL = load_queries("ledger.backends.sqlite", "queries.sql")


def test_the_columns_are_the_fields_of_record(backend: SqliteBackend) -> None:
    with backend.reader() as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(events)")]
        strict = {row[1]: row[5] for row in connection.execute("PRAGMA table_list")}
    assert names == list(Record.__struct_fields__)
    assert [strict[table] for table in ("events", "buckets", "ledger_info")] == [1, 1, 1]


def test_every_connection_is_durable_and_unmapped(backend: SqliteBackend) -> None:
    asked = ("journal_mode", "synchronous", "mmap_size")
    with backend.transaction() as writer, backend.reader() as reader:
        for connection in (writer, reader):
            assert [connection.pragma(name) for name in asked] == ["wal", 2, 0]


def test_what_may_be_undone_leaves_what_follows_durable(backend: SqliteBackend) -> None:
    levels = []
    for durable in (False, True, False, False, True):
        with backend.transaction(durable=durable) as writer:
            levels.append(writer.pragma("synchronous"))
        with pytest.raises(ZeroDivisionError), backend.transaction(durable=False):
            raise ZeroDivisionError
    assert levels == [1, 2, 1, 1, 2]


def test_an_append_behind_what_may_be_undone_is_durable(
    ledger: Ledger, backend: SqliteBackend
) -> None:
    with backend.transaction(durable=False) as writer:
        assert writer.pragma("synchronous") == 1
    ledger.append("s1", note("a"))
    assert writer.pragma("synchronous") == 2


INDEXES = {
    "session_end": {"events_by_sequence"},
    "known_events": {"events_by_id"},
    "event": {"events_by_id"},
    "head": {"events_by_sequence", "events_deleting"},
    "read": {"events_by_sequence", "events_deleting"},
    "read_redactions": {"events_redacting", "events_deleting"},
    "read_newest_first": {"events_by_sequence", "events_deleting"},
    "feed": {"events_by_position"},
    "session_ids": {"events_by_sequence", "events_deleting"},
    "scan": {"events_by_sequence"},
    "scan_bytes": {"events_by_sequence"},
}
MAY_SCAN = {"ledger_info", "foreign_objects", "positions", "bucket_rows"}


@pytest.mark.parametrize("state", ["empty", "filled", "analysed"])
@pytest.mark.parametrize("name", SQL)
def test_no_statement_sorts_or_scans_the_log(
    ledger: Ledger, backend: SqliteBackend, own: apsw.Connection, name: str, state: str
) -> None:
    if state != "empty":
        appends = [Append(f"s{n}", notes("abc", run_id=f"r{n % 2}")) for n in range(300)]
        ledger.append_many(appends)
        ledger.append_many([Append("hot", notes(map(str, range(2_000))))])
        ledger.delete("s7")
    if state == "analysed":
        own.execute("ANALYZE")
    # A connection of the backend's own, made after ANALYZE.
    with backend.reader() as connection:
        details = [row[3] for row in explained(connection, SQL[name])]
    plan = "\n".join(details)
    assert "TEMP B-TREE" not in plan
    if name not in MAY_SCAN:
        scans = [step for step in details if step.startswith("SCAN ")]
        # Lists that a statement brings itself, or what its recursion found.
        assert all(
            step.split()[1] in {"given", "json_each", "found", "CONSTANT"} for step in scans
        ), plan
    for index in INDEXES.get(name, ()):
        assert f"INDEX {index} " in plan, plan


@pytest.mark.parametrize("name", ["scan", "scan_bytes"])
def test_a_scan_goes_on_from_its_place_by_the_whole_key(backend: SqliteBackend, name: str) -> None:
    with backend.reader() as connection:
        plan = str(explained(connection, SQL[name]))
    assert "(bucket=? AND (tenant,session_id,sequence)>(?,?,?))" in plan


def explained(connection: apsw.Connection, statement: str) -> list[Any]:
    asked = apsw.ext.query_info(connection, statement)
    names = asked.bindings_names
    values: Any = (
        dict.fromkeys(name for name in names if name)
        if any(name and not name.isdigit() for name in names)
        else (None,) * asked.bindings_count
    )
    return connection.execute("EXPLAIN QUERY PLAN " + statement, values).fetchall()


def test_listing_sessions_costs_probes_not_events(ledger: Ledger, backend: SqliteBackend) -> None:
    for session in ("a", "b", "c"):
        ledger.append(session, notes(map(str, range(3_000))))
    steps: list[int] = []
    with backend.reader() as connection:
        connection.trace_v2(
            apsw.SQLITE_TRACE_PROFILE,
            lambda event: steps.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]),
        )
        found = connection.execute(SQL["session_ids"], (0, "", "", 10, False)).fetchall()
        connection.trace_v2(0)
    assert found == [("a",), ("b",), ("c",)]
    assert max(steps) < 1_000


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET payload = x''",
        "UPDATE OR REPLACE events SET position = 2",
        "DELETE FROM events",
        "INSERT OR REPLACE INTO events SELECT * FROM events",
    ],
)
def test_the_log_refuses_to_be_changed(
    ledger: Ledger, own: apsw.Connection, statement: str
) -> None:
    before = ledger.append("s", notes("ab"))
    with pytest.raises(apsw.ConstraintError, match="append-only"):
        own.execute(statement)
    assert ledger.read("s") == [answer.event for answer in before]


@pytest.mark.parametrize("kept", ["bucket, position", "sequence", "event_id", "rowid"])
def test_replacing_is_refused_by_each_key_alone(
    ledger: Ledger, own: apsw.Connection, kept: str
) -> None:
    event = ledger.append("s", note("a")).event
    columns = {name: name for name in ("rowid", *Record.__struct_fields__)}
    new = {"rowid": "9", "position": "9", "sequence": "9", "event_id": "'new'"}
    columns |= {name: value for name, value in new.items() if name not in kept.split(", ")}
    replace = f"REPLACE INTO events ({', '.join(columns)}) SELECT {', '.join(columns.values())}"
    with pytest.raises(apsw.ConstraintError, match="REPLACE is refused"):
        own.execute(f"{replace} FROM events")
    assert ledger.read("s") == [event]


def test_hashes_are_those_of_the_memory_backend(ledger: Ledger, backend: SqliteBackend) -> None:
    parts = ledger.door.batch([Append("a", notes("abc")), Append("b", notes("d"))]).unit.parts
    fixed = Unit(
        tuple(
            msgspec.structs.replace(
                part,
                drafts=tuple(msgspec.structs.replace(d, recorded_us=7) for d in part.drafts),
            )
            for part in parts
        )
    )
    memory = MemoryBackend(OpenOptions())
    assert backend.append([fixed], wait=True) == memory.append([fixed], wait=True)
