"""Every event is folded into every view once, whoever else does it and whatever fails."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from projections.engine.folding import Change
from projections.engine.tables import Row, Table
from tests.support.blocking import Blocking
from tests.support.builders import on_durable, on_postgres, only_sync, sessions_in_buckets, together
from tests.support.views import TALLY, counted, stored, views_of

pytestmark = pytest.mark.usefixtures("new_database")

ROOT = Path(__file__).resolve().parents[2]
PROJECTOR = """
import sys
from ledger import Ledger
from tests.support.views import TALLY, views_of

with Ledger.open(sys.argv[1]) as ledger:
    views = views_of(ledger, TALLY, batch_events_max=7)
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(int(sys.argv[2])):
        views.catch_up()
        print("done", flush=True)
        sys.stdin.readline()
"""


def assert_exact(ledger: Any, views: Any, sessions: list[str]) -> None:
    for session_id in sessions:
        sequences = [event.sequence for event in ledger.read(session_id)]
        [row] = stored(views, TALLY, session_id, consistency="eventual").values()
        assert (row.count, row.sequences) == (len(sequences), sequences)


def test_threads_may_catch_up_at_the_same_time(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=3)
    sessions = sessions_in_buckets(ledger, 3)
    views = [views_of(ledger, TALLY, batch_events_max=size) for size in (1, 3, 7, 50)]
    for _ in range(3):
        for session_id in sessions:
            ledger.append(session_id, [counted() for _ in range(40)])
        assert together([view.catch_up for view in views]) == [None] * len(views)
    assert_exact(ledger, views[0], sessions)


def test_readers_and_writers_at_the_same_time_read_their_own_writes(ledger: Any) -> None:
    views = views_of(ledger, TALLY)

    def work(session_id: str) -> list[int]:
        counts = []
        for _ in range(15):
            ledger.append(session_id, counted())
            counts.append(views.row("tally", ("", session_id, "x")).count)
        return counts

    sessions = ["a", "b", "c", "d"]
    found = together([lambda session_id=session_id: work(session_id) for session_id in sessions])
    assert found == [list(range(1, 16))] * len(sessions)


@on_durable
@only_sync
def test_processes_may_catch_up_at_the_same_time(open_ledger: Any, url: str) -> None:
    ledger = open_ledger()
    sessions = [f"s{number}" for number in range(6)]
    views = views_of(ledger, TALLY)
    rounds = 4
    command = [sys.executable, "-c", PROJECTOR, url, str(rounds)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    running = [
        subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), text=True, **pipes)
        for _ in range(2)
    ]
    try:
        for _ in range(rounds):
            for session_id in sessions:
                ledger.append(session_id, [counted() for _ in range(30)])
            assert [process.stdout.readline() for process in running if process.stdout]
            for process in running:
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
        for process in running:
            output, _ = process.communicate("go\n")
            assert (process.returncode, output.split()[-1]) == (0, "done")
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert_exact(ledger, views, sessions)


class Breaking(list[Row]):
    """Rows that end in an exception while they are being stored."""

    def __iter__(self) -> Iterator[Row]:
        yield from super().__iter__()
        raise ZeroDivisionError("the process dies here")


def test_a_failure_while_storing_leaves_rows_and_checkpoint_as_they_were(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    ledger.append("s", counted("x"))
    before = views.rows("tally", "s")
    backend, table = storage_of(views)
    bucket, position = place_of(ledger, "s")
    row = table.encode(before[0])
    change = Change(table, position, position + 1, Breaking([(*row[:-2], 99, "[]")]))
    with pytest.raises(ZeroDivisionError):
        backend.store(bucket, [change])
    assert views.rows("tally", "s", consistency="eventual") == before
    assert backend.checkpoints(bucket)["tally", 1].position == position


def test_a_checkpoint_that_moved_refuses_the_whole_change(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    ledger.append("s", counted("x"))
    before = views.rows("tally", "s")
    backend, table = storage_of(views)
    bucket, position = place_of(ledger, "s")
    row = table.encode(before[0])
    late = Change(table, position - 1, position, [(*row[:-2], 99, "[]")])
    assert backend.store(bucket, [late]) is False
    assert views.rows("tally", "s", consistency="eventual") == before


@on_postgres
def test_broken_connections_are_replaced(open_ledger: Any, url: str) -> None:
    ledger = open_ledger()
    views = views_of(ledger, TALLY)
    together([views.catch_up] * 4)
    for count in range(1, 4):
        ledger.append("s", counted())
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                """
            )
        assert views.row("tally", ("", "s", "x")).count == count


def storage_of(views: Any) -> tuple[Any, Table]:
    """The view backend behind some views, in the sync spelling, and the tally's table."""
    target = views._target if isinstance(views, Blocking) else views
    reader = target._reader
    backend = Blocking(reader._views, views._loop) if isinstance(views, Blocking) else reader._views
    return backend, reader._tables["tally"]


def place_of(ledger: Any, session_id: str) -> tuple[int, int]:
    last = ledger.read(session_id)[-1]
    return last.bucket, last.position
