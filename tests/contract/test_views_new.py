"""A new view in one short file: found, searched, and read by the programs that others use."""

import inspect
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from ledger import NewEvent
from tests.support import parcels
from tests.support.builders import on_postgres, on_sqlite, only_sync
from tests.support.other_programs import rows_read_by
from tests.support.parcels import PARCELS
from tests.support.views import views_of

pytestmark = pytest.mark.usefixtures("new_database")

STATEMENT = "SELECT parcel_id, place, notes, CAST(created_at AS TEXT) FROM {} WHERE tenant = ''"


SCANNED_AT = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)


def scanned(parcel_id: str, place: str, **fields: Any) -> NewEvent:
    payload = {"parcel_id": parcel_id, "place": place, **fields}
    return NewEvent(payload, "parcel.scanned", occurred_at=SCANNED_AT)


@pytest.fixture
def views(ledger: Any) -> Any:
    views = views_of(ledger, PARCELS)
    ledger.append(
        "s", [scanned("p1", "Lyon", notes="wet, a little", stops=["Paris"]), scanned("p2", "Nice")]
    )
    ledger.append("s", scanned("p1", "Nîmes"))
    views.catch_up()
    return views


def test_a_view_takes_less_than_forty_lines() -> None:
    assert len(inspect.getsource(parcels).splitlines()) < 40


def test_a_new_view_is_read_and_searched(views: Any) -> None:
    assert [(one.parcel_id, one.place) for one in views.rows("parcels", "s")] == [
        ("p1", "Nîmes"),
        ("p2", "Nice"),
    ]
    [hit] = views.search("Wet").items
    assert (hit.kind, hit.view.parcel_id, hit.view.stops) == ("parcels", "p1", ["Paris"])


def rows_of(text: str) -> list[tuple[Any, ...]]:
    return with_moments(line.split("|") for line in text.splitlines())


def with_moments(rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Rows whose last column is a moment, which each program writes in its own way."""
    return sorted((*row[:-1], datetime.fromisoformat(row[-1])) for row in rows)


EXPECTED = [("p1", "Nîmes", "wet, a little", SCANNED_AT), ("p2", "Nice", "", SCANNED_AT)]


@on_sqlite
@only_sync
def test_sqlite3_reads_its_table(views: Any, url: str) -> None:
    path, statement = url.removeprefix("sqlite:///"), STATEMENT.format("view_parcels_v1")
    assert with_moments(rows_read_by("sqlite3", path, statement)) == EXPECTED
    program = shutil.which("sqlite3")
    if program is None:
        return  # Python's module of that name, with a library of its own, has read it
    done = subprocess.run([program, path, statement], capture_output=True, text=True, check=True)
    assert rows_of(done.stdout) == EXPECTED


@on_postgres
@only_sync
def test_psql_reads_its_table(views: Any, url: str) -> None:
    program = shutil.which("psql")
    if program is None:
        pytest.skip("there is no psql on this machine")
    statement = STATEMENT.format("ledger.view_parcels_v1")
    command = [program, "--no-psqlrc", "--tuples-only", "--no-align", "--command", statement, url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert rows_of(done.stdout) == EXPECTED


@on_sqlite
@only_sync
def test_duckdb_reads_its_table_in_a_file(views: Any, url: str) -> None:
    statement = STATEMENT.format("log.view_parcels_v1")
    rows = rows_read_by("duckdb_sqlite", url.removeprefix("sqlite:///"), statement)
    assert with_moments(rows) == EXPECTED


@on_postgres
@only_sync
def test_duckdb_reads_its_table_on_a_server(views: Any, url: str) -> None:
    rows = rows_read_by("duckdb_postgres", url, STATEMENT.format("log.ledger.view_parcels_v1"))
    assert with_moments(rows) == EXPECTED
