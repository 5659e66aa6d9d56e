"""What the contract cannot see of the SQLite backend: plans, triggers, transactions, threads."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import apsw.ext
import msgspec
import pytest

from ledger import (
    Append,
    InvalidArgument,
    Ledger,
    LedgerClosed,
    RetryableError,
    StorageFailed,
)
from ledger.backends.base import OpenOptions
from ledger.backends.memory import MemoryBackend
from ledger.backends.queries import load_queries
from ledger.backends.sqlite import SqliteBackend
from ledger.backends.threaded import ThreadedBackend
from ledger.records import Record, Unit
from tests.support.builders import DEADLINE_S, background, eventually, note, notes, texts

ROOT = Path(__file__).resolve().parents[2]
SQL = load_queries("ledger.backends.sqlite", "queries.sql")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{path}", lock_timeout_s=5.0) as opened:
        yield opened


@pytest.fixture
def backend(ledger: Ledger) -> SqliteBackend:
    assert isinstance(ledger.backend, SqliteBackend)
    return ledger.backend


@pytest.fixture
def own(ledger: Ledger, path: Path) -> Iterator[apsw.Connection]:
    """A caller's connection to the ledger's file."""
    connection = apsw.Connection(str(path))
    yield connection
    connection.close(True)


def unit(ledger: Ledger, session_id: str, *words: str) -> Unit:
    return ledger.door.batch([Append(session_id, notes(words))]).unit


# Tables and statements.


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


INDEXES = {
    "session_end": {"events_by_sequence"},
    "known_events": {"events_by_id"},
    "event": {"events_by_id"},
    "head": {"events_by_sequence", "events_deleting"},
    "read": {"events_by_sequence", "events_deleting"},
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


# Transactions of callers and of views.


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


def test_appending_inside_a_transaction_of_the_same_thread_is_refused(
    ledger: Ledger, backend: SqliteBackend
) -> None:
    with backend.transaction() as connection:
        with pytest.raises(InvalidArgument, match="append_within"):
            backend.append([unit(ledger, "s", "outside")], wait=True)
        backend.append_within(unit(ledger, "s", "inside"), connection)
    assert texts(ledger.read("s")) == ["inside"]


def test_readers_do_not_wait_for_the_writer(ledger: Ledger, backend: SqliteBackend) -> None:
    ledger.append("s", note("before"))
    with backend.transaction() as connection:
        backend.append_within(unit(ledger, "s", "during"), connection)
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


# Processes and threads.


def test_closing_leaves_one_file_and_no_thread(ledger: Ledger, backend: SqliteBackend) -> None:
    ledger.append("s", note("a"))
    backend.token(None)
    before = {thread for thread in threading.enumerate() if thread.name == "ledger-watcher"}
    ledger.close()
    assert [path.name for path in Path(backend.path).parent.iterdir()] == ["ledger.db"]
    assert not any(thread.is_alive() for thread in before)
    with pytest.raises(LedgerClosed), backend.transaction():
        pass
    with pytest.raises(LedgerClosed), backend.reader():
        pass


WRITER = """
import json, sys
from ledger import Ledger, NewEvent
url, session = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
with Ledger.open(url) as ledger:
    for number, _ in enumerate(iter(sys.stdin.readline, "")):
        event = ledger.append(session, NewEvent({"text": str(number)}, "note")).event
        print(json.dumps([event.position, event.event_id]), flush=True)
"""


class Writer:
    """A process that opens the ledger on the first line it is sent, and appends on each other."""

    def __init__(self, path: Path, session: str) -> None:
        command = [sys.executable, "-c", WRITER, f"sqlite:///{path}", session]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def send(self, lines: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n" * lines)
        self.process.stdin.flush()

    def end(self) -> list[list[Any]]:
        out, _ = self.process.communicate(timeout=DEADLINE_S)
        return [json.loads(line) for line in out.splitlines() if line.endswith("]")]


def test_threads_that_make_one_file_at_once_open_the_same_ledger(tmp_path: Path) -> None:
    for number in range(40):  # one in ten went wrong while the file's identity was read in parts
        url = f"sqlite:///{tmp_path}/{number}.db"
        start = threading.Barrier(4)

        def make(url: str = url, start: threading.Barrier = start) -> str:
            start.wait(DEADLINE_S)
            with Ledger.open(url) as ledger:
                return ledger.ledger_id

        makers = [background(make) for _ in range(4)]
        assert len({maker.result(DEADLINE_S) for maker in makers}) == 1


def test_processes_that_make_one_file_at_once_all_succeed(path: Path) -> None:
    writers = [Writer(path, f"s{number}") for number in range(4)]
    for writer in writers:
        writer.send(1 + 50)
    positions = [position for writer in writers for position, _ in writer.end()]
    assert sorted(positions) == list(range(1, 201))
    with Ledger.open(f"sqlite:///{path}") as ledger:
        assert ledger.verify().ok


def test_commits_that_append_nothing_wake_nobody(
    backend: SqliteBackend, own: apsw.Connection
) -> None:
    token = backend.token(None)
    own.execute("CREATE TABLE view (x)")
    assert not backend.wait(None, token, 0.2)


def test_a_cancelled_append_that_queues_is_dropped_and_one_that_runs_is_stored(
    ledger: Ledger, backend: SqliteBackend, own: apsw.Connection
) -> None:
    async def cancel_both() -> None:
        threaded = ThreadedBackend(backend)
        units = [unit(ledger, "s", "running"), unit(ledger, "s", "queued")]
        own.execute("BEGIN IMMEDIATE")
        tasks = [asyncio.create_task(threaded.append([one], wait=True)) for one in units]
        await asyncio.sleep(0)
        # The lane has one thread: the first waits for the file, the second for the first.
        queue = threaded._appending._work_queue
        await asyncio.to_thread(eventually, lambda: queue.qsize() == 1)
        for task in tasks:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(answer) for answer in answers] == [asyncio.CancelledError] * 2
        own.execute("COMMIT")
        assert await threaded.append([unit(ledger, "s", "last")], wait=True)
        await threaded.close()
        with pytest.raises(LedgerClosed):
            await threaded.positions()

    asyncio.run(cancel_both())
    with Ledger.open(f"sqlite:///{backend.path}") as again:
        assert texts(again.read("s")) == ["running", "last"]
