"""Deadlocks and conflicts of transactions: the ledger repeats its own, callers repeat theirs."""

from typing import Any

import psycopg
import pytest

from ledger import Append, Ledger, NewEvent, OutcomeUnknown, TransactionAborted
from tests.support.builders import DEADLINE_S, background, eventually, sessions_in_buckets

TRIES_MAX = 20
WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


def test_an_append_that_loses_a_deadlock_is_repeated(postgres_url: str) -> None:
    with (
        Ledger.open(
            f"{postgres_url}?options=-cdeadlock_timeout%3D50ms", lock_timeout_s=DEADLINE_S
        ) as ledger,
        psycopg.connect(postgres_url) as other,
        psycopg.connect(postgres_url, autocommit=True) as admin,
    ):
        first, second = sorted(
            sessions_in_buckets(ledger, 2), key=lambda one: ledger.door.bucket("", one)
        )
        lock = "SELECT FROM ledger.buckets WHERE bucket = %s FOR UPDATE"
        other.execute("SET deadlock_timeout = '1h'")  # so that it is never the one to give up
        repeated: list[type[BaseException]] = []
        original = ledger.backend.append

        def both(number: int) -> list[Append]:
            return [Append(one, NewEvent({"number": number}, "note")) for one in (first, second)]

        def append(*args: Any, **kwargs: Any) -> Any:
            try:
                return original(*args, **kwargs)
            except TransactionAborted as error:
                repeated.append(type(error))
                raise

        ledger.backend.append = append  # type: ignore[method-assign]  # to see what is repeated
        # The server looks for deadlocks once, 50 ms after the waiting began: who comes later than
        # that, because the machine is busy, has to try again.
        for number in range(1, TRIES_MAX + 1):
            other.execute(lock, (ledger.door.bucket("", second),))
            waiting = background(lambda number=number: ledger.append_many(both(number)))
            eventually(lambda: admin.execute(WAITING).fetchone() == (1,))
            other.execute(lock, (ledger.door.bucket("", first),))  # returns when the append gave up
            other.commit()
            answers = [[one.sequence for one in part] for part in waiting.result(DEADLINE_S)]
            assert answers == [[number], [number]]
            if repeated:
                break
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
