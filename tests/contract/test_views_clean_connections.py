"""Connections that met an error go back to PostgreSQL's pool as clean as they came."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from ledger import LedgerError
from projections import Rebuild, VersionDropped
from projections.backends.row_queries import RowQuery
from projections.engine.folding import Change
from projections.engine.tables import Table
from tests.support.blocking import Blocking
from tests.support.builders import on_postgres, together
from tests.support.rebuilds import V1, V2, record_of, sync_twin
from tests.support.views import counted, views_of

pytestmark = pytest.mark.usefixtures("new_database")

#: Behind so many the driver prepares a statement.
OFTEN = 8
VERSIONS = {1: V1, 2: V2}


def storage(views: Any) -> Any:
    if isinstance(views, Blocking):
        return Blocking(views._target._reader._views, views._loop)
    return views._reader._views


def reads_of(table: Table) -> list[Callable[[Any], Any]]:
    """Return the ways in which a table is read behind a look at its checkpoint."""
    query = RowQuery(table=table, bucket=0, equal=(("tenant", ""),))
    return [
        lambda storage: storage.select(query),
        lambda storage: storage.read(query),
        lambda storage: storage.count(query),
        lambda storage: storage.load(0, [(table, [("", "s", "x"), ("", "s", "y")])]),
        lambda storage: storage.snapshot(0, [query]),
    ]


@on_postgres
def test_the_pool_has_nothing_to_roll_back_or_to_replace(
    open_ledger: Any, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    # The level is set here: eventsourcing.postgres raises it to ERROR when imported.
    caplog.set_level(logging.WARNING, logger="psycopg.pool")
    ledger = open_ledger()
    ledger.append("s", counted())
    views = views_of(ledger, V1, V2)

    def ask() -> list[Any]:
        return [
            views.row("tally", ("", "s", "x")),
            views.rows("tally", "s"),
            views.together("s", ["tally"]),
            views.row("tally", ("", "s", "x"), consistency="eventual"),
        ]

    def answered() -> bool:
        return not [one for one in together([ask] * 3) if isinstance(one, Exception)]

    with sync_twin(ledger, url) as here:
        owner = views_of(here, V1, V2)
        owner.catch_up()
        assert Rebuild(here, V1).run().built
        for read, other in ((2, 1), (1, 2)) * 2:
            owner.switch("tally", read)
            for _ in range(OFTEN):
                assert answered()
            owner.switch("tally", other)
            owner.drop("tally", read)
            for told in reads_of(Table(VERSIONS[read])):
                # Who saw it a moment ago reads it now.
                with pytest.raises(VersionDropped):
                    told(storage(views))
            assert answered()
            assert record_of(views, read).positions == ()
            assert Rebuild(here, VERSIONS[read]).run().built
            ledger.append("s", counted())
            ask()

    # What the database refuses within a transaction.
    place = ledger.door.bucket("", "s")
    position = views.positions("tally")[place]
    row = ("", "s", "\0", 1, "[]")
    with pytest.raises(LedgerError):
        storage(views).store(place, [Change(Table(V1), position, position, [row])])
    assert ask()
    assert [one.getMessage() for one in caplog.records if one.name == "psycopg.pool"] == []
