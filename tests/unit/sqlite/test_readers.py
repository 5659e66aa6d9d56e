"""Lending connections that read: how many, to whom, and what becomes of those that are lost."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from ledger import BackendUnavailable, LedgerClosed
from ledger.backends.sqlite import SqliteBackend
from ledger.backends.sqlite.readers import Readers
from tests.support.builders import DEADLINE_S

NUMBERS = (
    "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT i FROM n, buckets"
)


@pytest.fixture
def readers(backend: SqliteBackend, path: Path) -> Iterator[Readers]:
    """Two connections, for which nobody waits long."""
    found = Readers(str(path), backend.files, 2, 0.05)
    yield found
    found.close()


def test_no_more_are_lent_than_there_may_be(readers: Readers) -> None:
    with readers.connection() as one, readers.connection() as other:
        assert one is not other
        with pytest.raises(BackendUnavailable, match="All 2 connections"), readers.connection():
            pytest.fail("a third one was lent")
    with readers.connection() as again:
        assert again in (one, other)


def test_who_waits_gets_what_comes_back(backend: SqliteBackend, path: Path) -> None:
    readers = Readers(str(path), backend.files, 1, DEADLINE_S)
    borrowed = readers.take()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(readers.take)
        while not readers.waiting:
            assert not waiting.done()
        readers.give_back(borrowed)
        assert waiting.result(DEADLINE_S) is borrowed
    readers.give_back(borrowed)
    readers.close()


def test_many_threads_share_few_and_nobody_shares_one(backend: SqliteBackend, path: Path) -> None:
    readers = Readers(str(path), backend.files, 2, DEADLINE_S)
    lent: set[int] = set()

    def borrow() -> None:
        for _ in range(200):
            with readers.connection() as connection:
                assert id(connection) not in lent
                lent.add(id(connection))
                assert connection.execute("SELECT count(*) FROM buckets").get > 0
                lent.remove(id(connection))

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(borrow) for _ in range(8)]:
            done.result(DEADLINE_S)
    readers.close()


def test_what_comes_back_with_a_statement_open_is_closed_and_made_anew(readers: Readers) -> None:
    with readers.connection() as one, readers.connection():
        rows = one.execute(NUMBERS)
        assert next(rows)
    with readers.connection() as two, readers.connection() as three:
        assert one not in (two, three)
    with pytest.raises(apsw.ConnectionClosedError):
        one.execute("SELECT 1")


def test_one_that_never_came_back_is_made_anew(readers: Readers) -> None:
    for _ in range(5):
        readers.take()  # as if a Ctrl-C had come between two lines
    with readers.connection() as one:
        assert one.execute("SELECT 1").get == 1


def test_closing_ends_whoever_waits_and_closes_what_comes_back(
    backend: SqliteBackend, path: Path
) -> None:
    readers = Readers(str(path), backend.files, 1, DEADLINE_S)
    said: list[BaseException] = []

    def wait() -> None:
        with pytest.raises(LedgerClosed) as refused:
            readers.take()
        said.append(refused.value)

    with readers.connection() as lent:
        waiting = threading.Thread(target=wait)
        waiting.start()
        while not readers.waiting:
            assert waiting.is_alive()
        readers.close()
        waiting.join(DEADLINE_S)
        assert len(said) == 1
        assert lent.execute("SELECT 1").get == 1
    with pytest.raises(apsw.ConnectionClosedError):
        lent.execute("SELECT 1")
    with pytest.raises(LedgerClosed), readers.connection():
        pytest.fail("a closed ledger lent a connection")
