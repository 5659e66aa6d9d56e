"""Hints and waiting of the PostgreSQL backend."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.backends.base import OpenOptions
from ledger.backends.postgres import PostgresBackend, open_postgres, open_postgres_async
from ledger.backends.postgres.hints import buckets_of, payload_of
from ledger.digests import bucket_of
from ledger.errors import (
    BackendUnavailable,
    LedgerClosed,
)
from tests.support.postgres_units import (
    BUCKETS,
    PATIENCE_S,
    end_connections,
    unit,
)


def hinted(watching: PostgresBackend, writing: PostgresBackend, event_id: str) -> bool:
    """Whether a hint, and not the poll, ends a wait for another backend's append."""
    bucket = bucket_of("", "s", BUCKETS)
    token = watching.token(bucket)
    writing.append([unit("s", event_id)], wait=True)
    return watching._wakeups.wait(bucket, token, PATIENCE_S)


def test_hints_arrive_also_after_the_connections_broke(
    backend: PostgresBackend, postgres_url: str
) -> None:
    writer = open_postgres(postgres_url, OpenOptions())
    assert hinted(backend, writer, "a")
    token = backend.token(None)
    end_connections(postgres_url)
    assert backend._wakeups.wait(None, token, PATIENCE_S), "a new listener wakes everybody"
    with pytest.raises(BackendUnavailable):
        writer.append([unit("s", "b")], wait=True)
    assert hinted(backend, writer, "b")
    writer.close()


def test_a_waiter_looks_again_without_any_hint(backend: PostgresBackend) -> None:
    assert backend.wait(None, backend.token(None), PATIENCE_S)
    assert not backend.wait(None, backend.token(None), 0.01)


def test_close_wakes_waiters(backend: PostgresBackend) -> None:
    token = backend.token(0)
    woken = threading.Event()
    waiter = threading.Thread(target=lambda: (backend.wait(0, token, 0.9), woken.set()))
    waiter.start()
    backend.close()
    assert woken.wait(PATIENCE_S)
    waiter.join()


@given(st.sets(st.integers(0, 1_023), min_size=1))
def test_hints_name_buckets_and_fit_a_notification(buckets: set[int]) -> None:
    payload = payload_of(buckets)
    assert buckets_of(payload, 1_024) == sorted(buckets)
    assert len(payload_of(range(1_024))) < 8_000
    assert buckets_of("1,x", 4) is buckets_of("", 4) is buckets_of("4", 4) is None


def test_the_async_backend_hints_and_closes_cleanly(postgres_url: str) -> None:
    async def scenario() -> None:
        watching = await open_postgres_async(postgres_url, OpenOptions())
        writing = await open_postgres_async(postgres_url, OpenOptions())
        token = await watching.token(None)
        await writing.append([unit("s", "a")], wait=False)
        assert await watching._wakeups.wait_async(None, token, PATIENCE_S)
        assert sum(await watching.positions()) == 1
        async with watching.connection() as lent:
            assert lent.autocommit
        await watching.close()
        await writing.close()
        with pytest.raises(LedgerClosed):
            await watching.positions()
        assert len(asyncio.all_tasks()) == 1, "only this one"

    asyncio.run(scenario())
