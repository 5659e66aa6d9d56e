"""What child processes of the tests of rebuilds do; each gets its end of a pipe last."""

from __future__ import annotations

from multiprocessing.connection import Connection

from ledger import Ledger
from projections import Rebuild, Views
from projections.backends.postgres import storing
from projections.backends.postgres.calls import Call
from tests.support.rebuilds import V1, V2


def rebuild_slowly(url: str, pipe: Connection) -> None:
    """Rebuild in small pages and tell how far it is."""
    with Ledger.open(url) as ledger:
        Rebuild(
            ledger, V2, events_per_second=100, on_progress=lambda one: pipe.send(one.events)
        ).run()


def catch_up(url: str, pipe: Connection) -> None:
    """Fold in small batches whatever comes, for ever."""
    with Ledger.open(url) as ledger:
        views = Views(ledger, projections=[V1], batch_events_max=3)
        pipe.send("ready")
        while True:
            views.catch_up()


def switch_halfway(url: str, pipe: Connection) -> None:
    """Switch to version 2, up to the moment before the commit, and wait there."""
    with Ledger.open(url) as ledger:
        views = Views(ledger, projections=[V1, V2])
        views.versions()
        if url.startswith("sqlite"):
            with ledger.backend.transaction() as connection:  # type: ignore[attr-defined]

                def before_commit() -> bool:
                    pipe.send("switching")
                    pipe.recv()
                    return False

                connection.set_commit_hook(before_commit)
        else:
            storing.COMMIT = Call(b"DO 'BEGIN PERFORM pg_sleep(600); END'")  # type: ignore[attr-defined]  # what it sends last
            pipe.send("switching")
        views.switch("tally", 2)
        pipe.send("switched")
