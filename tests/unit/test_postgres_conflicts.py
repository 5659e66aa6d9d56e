"""Deadlocks and conflicts of transactions: the ledger repeats its own, callers repeat theirs."""

from typing import Any

import psycopg
import pytest

from ledger import Append, Ledger, NewEvent, OutcomeUnknown, TransactionAborted
from tests.support.builders import background, eventually, sessions_in_buckets

WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


def test_an_append_that_loses_a_deadlock_is_repeated(postgres_url: str) -> None:
    with (
        # Long enough for the server, which looks for deadlocks after 50 ms, to find this one.
        Ledger.open(
            f"{postgres_url}?options=-cdeadlock_timeout%3D50ms", lock_timeout_s=20
        ) as ledger,
        psycopg.connect(postgres_url) as other,
        psycopg.connect(postgres_url, autocommit=True) as admin,
    ):
        first, second = sorted(
            sessions_in_buckets(ledger, 2), key=lambda one: ledger.door.bucket("", one)
        )
        lock = "SELECT FROM ledger.buckets WHERE bucket = %s FOR UPDATE"
        other.execute("SET deadlock_timeout = '1h'")  # so that it is never the one to give up
        other.execute(lock, (ledger.door.bucket("", second),))
        both = [Append(first, NewEvent({}, "note")), Append(second, NewEvent({}, "note"))]
        repeated: list[type[BaseException]] = []
        original = ledger.backend.append

        def append(*args: Any, **kwargs: Any) -> Any:
            try:
                return original(*args, **kwargs)
            except TransactionAborted as error:
                repeated.append(type(error))
                raise

        ledger.backend.append = append  # type: ignore[method-assign]  # to see what is repeated
        waiting = background(lambda: ledger.append_many(both))
        eventually(lambda: admin.execute(WAITING).fetchone() == (1,))
        other.execute(lock, (ledger.door.bucket("", first),))  # returns when the append gave up
        other.commit()
        assert [[one.sequence for one in part] for part in waiting.result(20)] == [[1], [1]]
        assert repeated


def test_a_conflict_in_the_callers_transaction_is_not_called_a_broken_connection(
    postgres_url: str,
) -> None:
    with Ledger.open(postgres_url) as ledger, psycopg.connect(postgres_url) as own:
        own.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        own.execute("SELECT FROM ledger.events")
        ledger.append("s", NewEvent({}, "note"))
        with pytest.raises(TransactionAborted, match="whole transaction") as caught:
            ledger.append("s", NewEvent({}, "note"), connection=own)
        assert not isinstance(caught.value, OutcomeUnknown)
        assert "connection broke" not in str(caught.value)
        own.rollback()
        ledger.append("s", NewEvent({}, "note"), connection=own)
        own.commit()
        assert ledger.head("s") == 2
