"""Processes, threads and tasks that share one SQLite file."""

import asyncio
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import apsw
import pytest

from ledger import Ledger, LedgerClosed
from ledger.backends.sqlite import SqliteBackend
from ledger.backends.sqlite.watcher import NAMED_EVENTS_MAX
from ledger.backends.threaded import ThreadedBackend
from tests.support.builders import (
    DEADLINE_S,
    background,
    eventually,
    note,
    texts,
    unit_of_notes,
)

ROOT = Path(__file__).resolve().parents[3]


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


def test_another_writer_wakes_those_alone_who_wait_for_its_session(
    backend: SqliteBackend, path: Path
) -> None:
    with Ledger.open(f"sqlite:///{path}") as other:
        token = backend.token((0, "", "s"))
        anything = backend.token(None)
        other.append("t", note())
        assert backend.wait(None, anything, DEADLINE_S)
        assert backend.token((0, "", "s")) == token
        other.append("s", note())
        assert backend.wait((0, "", "s"), token, DEADLINE_S)


def test_a_large_commit_of_another_writer_wakes_all(backend: SqliteBackend, path: Path) -> None:
    with Ledger.open(f"sqlite:///{path}") as other:
        token = backend.token((0, "", "s"))
        other.append("t", [note() for _ in range(NAMED_EVENTS_MAX + 1)])
        assert backend.wait((0, "", "s"), token, DEADLINE_S)


def test_what_another_writer_appends_right_before_an_own_append_wakes_too(
    ledger: Ledger, backend: SqliteBackend, path: Path
) -> None:
    with Ledger.open(f"sqlite:///{path}") as other:
        for number in range(20):
            place = 0, "", f"s{number}"
            token = backend.token(place)
            other.append(place[2], note())
            ledger.append("t", note())
            assert backend.wait(place, token, DEADLINE_S)


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
    # The one that runs waits for the file in one go, however long the other steps take here.
    backend._lock_slice_s = DEADLINE_S

    async def cancel_both() -> None:
        threaded = ThreadedBackend(backend)
        units = [unit_of_notes(ledger, "s", "running"), unit_of_notes(ledger, "s", "queued")]
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
        assert await threaded.append([unit_of_notes(ledger, "s", "last")], wait=True)
        await threaded.close()
        with pytest.raises(LedgerClosed):
            await threaded.positions()

    asyncio.run(cancel_both())
    with Ledger.open(f"sqlite:///{backend.path}") as again:
        assert texts(again.read("s")) == ["running", "last"]
