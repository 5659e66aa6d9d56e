"""One view of tool calls, against eventsourcing's runner and a PostgreSQL view of the same content."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import msgspec
import psycopg
from psycopg import sql

from ledger import Event, Ledger
from projections import Projection, Views
from tests.bench import raw
from tests.bench.harness import Report, alternate
from tests.bench.sizes import Sizes
from tests.bench.workload import Rows, payload

PER_SESSION = 50
WAIT_S = 120.0


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """How many tool calls of a session finished, and which tool was the last."""

    tenant: str
    session_id: str
    count: int
    tool_name: str


def calls_keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """A call touches its session."""
    return ((event.tenant, event.session_id),)


def calls_apply(view: Calls | None, event: Event) -> Calls:
    """Count a call."""
    return Calls(
        tenant=event.tenant,
        session_id=event.session_id,
        count=view.count + 1 if view else 1,
        tool_name=event.data["tool_name"],
    )


CALLS = Projection(
    name="calls",
    version=1,
    view=Calls,
    key=("tenant", "session_id"),
    keys=calls_keys,
    apply=calls_apply,
    types=frozenset({"tool.finished"}),
)


class Theirs:
    """An application with finished calls, and runners that wait to be let go.

    What is to be processed is saved before its runner begins. Theirs reads what is there and listens
    for more at the same time, on another connection: of what is saved between its reading and its
    listening it hears nothing (eventsourcing 9.5.6, 3 of 40 runs with two processes per core).
    """

    def __init__(self, url: str) -> None:
        # Here, because importing it patches dataclasses.
        from eventsourcing.application import Application
        from eventsourcing.domain import Aggregate, event
        from eventsourcing.persistence import Tracking
        from eventsourcing.postgres import PostgresTrackingRecorder
        from eventsourcing.projection import Projection as TheirProjection
        from eventsourcing.projection import ProjectionRunner
        from psycopg.sql import SQL

        gate = self._gate = threading.Event()
        arrived = self._arrived = threading.Event()

        class Session(Aggregate):
            def __init__(self) -> None:
                self.count = 0

            @event("Finished")
            def finish(self, call: dict[str, Any]) -> None:
                self.count += 1

        class View(PostgresTrackingRecorder):
            def __init__(self, datastore: Any, **kwargs: Any) -> None:
                super().__init__(datastore, **kwargs)
                self.sql_create_statements.append(
                    SQL(
                        "CREATE TABLE IF NOT EXISTS their_calls"
                        " (session_id uuid PRIMARY KEY, count bigint, tool_name text)"
                    )
                )

            def count(self, session_id: UUID, tool_name: str, tracking: Tracking) -> None:
                with self.datastore.transaction(commit=True) as cursor:
                    self._insert_tracking(cursor, tracking)
                    cursor.execute(
                        "INSERT INTO their_calls VALUES (%s, 1, %s) ON CONFLICT (session_id)"
                        " DO UPDATE SET count = their_calls.count + 1,"
                        " tool_name = excluded.tool_name",
                        (session_id, tool_name),
                        prepare=True,
                    )

        class Count(TheirProjection[Any]):
            name = "count"

            def process_event(self, event: Any, tracking: Tracking) -> None:
                arrived.set()
                gate.wait()
                call = getattr(event, "call", None)
                if call is None:
                    self.view.insert_tracking(tracking)
                else:
                    self.view.count(event.originator_id, call["tool_name"], tracking)

        address = urlsplit(url)
        env = {
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": address.path.lstrip("/"),
            "POSTGRES_HOST": address.hostname or "",
            "POSTGRES_PORT": str(address.port or 5432),
            "POSTGRES_USER": address.username or "",
            "POSTGRES_PASSWORD": unquote(address.password or "") or "none",
            # Five seconds by default: a machine that stalls would end a transaction of theirs.
            "POSTGRES_IDLE_IN_TRANSACTION_SESSION_TIMEOUT": "0",
        }
        self._session = Session
        self._runner: Any = None
        self._last = 0
        self._app = Application[UUID](env)
        self._run = partial(
            ProjectionRunner,
            application_class=Application[UUID],
            projection_class=Count,
            view_class=View,
            env=env,
        )

    def save(self, count: int) -> None:
        """Save finished calls of a new aggregate, and start a runner that has them before it."""
        self._stop()
        session = self._session()
        for number in range(count - 1):
            session.finish(payload(number))
        self._last = self._app.save(session)[-1].notification.id
        self._arrived.clear()
        self._runner = self._run().__enter__()
        assert self._arrived.wait(WAIT_S)

    def process(self, count: int) -> int:
        """Let the runner go until all is processed."""
        self._gate.set()
        self._runner.wait(self._last, timeout=WAIT_S)
        self._gate.clear()
        return count

    def close(self) -> None:
        """Stop the runner and close the application."""
        self._stop()
        self._app.close()

    def _stop(self) -> None:
        if self._runner is not None:
            self._gate.set()
            self._runner.__exit__(None, None, None)
            self._runner = None
            self._gate.clear()


@contextmanager
def their_runner(url: str) -> Iterator[Theirs]:
    """Lend an application, and stop its runner."""
    theirs = Theirs(url)
    try:
        yield theirs
    finally:
        theirs.close()


def test_against_a_projection_runner(postgres_url: str, sizes: Sizes, report: Report) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        # As our folds do: what is folded can be folded again.
        name = sql.Identifier(urlsplit(postgres_url).path.lstrip("/"))
        admin.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(name))
    with Ledger.open(postgres_url) as ledger, their_runner(postgres_url) as theirs:
        views = Views(ledger, projections=[CALLS])
        views.catch_up()
        rows = Rows(ledger.buckets, PER_SESSION)

        def more() -> None:
            raw.fill_postgres(postgres_url, rows, sizes.folded)
            theirs.save(sizes.tracked)

        def ours() -> int:
            views.catch_up()
            return sizes.folded

        report(
            alternate(
                "one view, PostgreSQL",
                "eventsourcing's ProjectionRunner",
                ours,
                lambda: theirs.process(sizes.tracked),
                rounds=min(5, sizes.rounds),
                target=20,
                before_pair=more,
            )
        )
