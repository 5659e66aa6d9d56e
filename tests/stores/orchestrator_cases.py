"""What the tests of the orchestrator's store are written with."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger import AsyncLedger, Ledger, LedgerError
from projections.session_stores.orchestrator import (
    AsyncOrchestratorMaintenance,
    AsyncOrchestratorQueries,
    AsyncOrchestratorStore,
    EventRecord,
    OrchestratorMaintenance,
    OrchestratorQueries,
    OrchestratorStore,
    RunRecord,
    SessionRecord,
)
from tests.support.blocking import Blocking, LoopThread

START = datetime(2020, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """Return a moment so many seconds after the start."""
    return START + timedelta(seconds=seconds)


def session(id: str = "s", **fields: Any) -> SessionRecord:
    """Return a session of agent "a"."""
    return SessionRecord(id=id, **({"agent_id": "a"} | fields))


def run_of(session_id: str = "s", id: str = "r", **fields: Any) -> RunRecord:
    """Return a run of a session."""
    return RunRecord(id=id, session_id=session_id, **fields)


def event(id: str | None = None, type: str = "message_received", **fields: Any) -> EventRecord:
    """Return an event of session "s"."""
    named = {} if id is None else {"id": id}
    return EventRecord(type=type, **({"session_id": "s"} | named | fields))


def events(*ids: str, **fields: Any) -> list[EventRecord]:
    """Return an event per id."""
    return [event(id, **fields) for id in ids]


def ids(records: list[Any]) -> list[str]:
    """Return the ids of records, in order."""
    return [record.id for record in records]


def numbers(found: list[EventRecord]) -> list[int | None]:
    """Return the numbers of events, in order."""
    return [one.sequence_number for one in found]


def filled(store: OrchestratorStore, count: int, **fields: Any) -> list[EventRecord]:
    """Append events e1, e2, … to session "s", all or nothing."""
    return store.append_events([event(f"e{n}", **fields) for n in range(1, count + 1)])


@contextmanager
def refused(code: str) -> Iterator[None]:
    """Expect a failure with a documented code."""
    with pytest.raises(LedgerError) as caught:
        yield
    assert getattr(caught.value, "code", None) == code, repr(caught.value)


class BlockingStore(Blocking):
    """The store for tasks, with its ledger and its views, as the one for threads."""

    @property
    def ledger(self) -> Blocking:
        """Its ledger."""
        return Blocking(self._target.ledger, self._loop)

    @property
    def views(self) -> Blocking:
        """Its views."""
        return Blocking(self._target.views, self._loop)


def open_store(url: str, loop: LoopThread | None, **options: Any) -> Any:
    """Open a ledger and a store on it; with a loop, the ones for tasks."""
    if loop is None:
        return OrchestratorStore(Ledger.open(url), **options)
    ledger = loop.run(AsyncLedger.open(url))
    return BlockingStore(AsyncOrchestratorStore(ledger, **options), loop)


def another(store: Any, **options: Any) -> Any:
    """Return a store with other options on the ledger of a store."""
    return orchestrator_of(store.ledger, **options)


def orchestrator_of(ledger: Any, **options: Any) -> Any:
    """Open the store of a ledger of either style."""
    if isinstance(ledger, Blocking):
        return BlockingStore(AsyncOrchestratorStore(ledger._target, **options), ledger._loop)
    return OrchestratorStore(ledger, **options)


def queries_of(store: Any) -> Any:
    """Return the query port of a store."""
    if isinstance(store, Blocking):
        return Blocking(AsyncOrchestratorQueries(store._target), store._loop)
    return OrchestratorQueries(store)


def upkeep_of(store: Any, now: Callable[[], datetime]) -> Any:
    """Return the maintenance port of a store, with a clock."""
    if isinstance(store, Blocking):
        return Blocking(AsyncOrchestratorMaintenance(store._target, now=now), store._loop)
    return OrchestratorMaintenance(store, now=now)
