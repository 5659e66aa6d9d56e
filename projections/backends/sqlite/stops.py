"""Failures and skips in the ledger's file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import apsw
import msgspec

from ledger.backends.queries import load_queries

from ...engine.stops import Failure, Skip
from ..base import Overview, Standing
from ..stop_rows import failure_of_row, skip_of_row
from .moment_texts import moment_text

_SQL = load_queries(__package__, "stops.sql")


def create(connection: apsw.Connection) -> None:
    """Make the tables that are missing."""
    connection.execute(_SQL["create_failures"])
    connection.execute(_SQL["create_skips"])


def are_there(connection: apsw.Connection) -> bool:
    """Whether the tables were made."""
    return bool(connection.execute(_SQL["are_there"]).get)


def note_failure(connection: apsw.Connection, failure: Failure) -> None:
    """Keep a failure, if it is not kept already."""
    place = (failure.bucket, *failure.identity, failure.position)
    values = (*place, failure.event_id, failure.error, moment_text(failure.at))
    connection.execute(_SQL["note_failure"], values)


def add_skip(connection: apsw.Connection, skip: Skip) -> None:
    """Record a skip."""
    place = (skip.bucket, *skip.identity, skip.position)
    said = (skip.event_id, skip.reason, skip.by, skip.error, moment_text(skip.at))
    connection.execute(_SQL["add_skip"], (*place, *said))


def overview(connection: apsw.Connection) -> Overview:
    """Read everything; the caller began a transaction."""
    standings = connection.execute(_SQL["standings"]).fetchall()
    failures = connection.execute(_SQL["failures"]).fetchall()
    skips = connection.execute(_SQL["skips"]).fetchall()
    return Overview(
        now=datetime.now(UTC),
        standings=[_standing(row) for row in standings],
        failures=[failure_of_row(row, datetime.fromisoformat) for row in failures],
        skips=[skip_of_row(row, datetime.fromisoformat) for row in skips],
    )


def _standing(row: Any) -> Standing:
    name, version, active, built, digest, positions = row
    return Standing(
        projection=name,
        version=version,
        active=bool(active),
        built=bool(built),
        fold_digest=digest,
        positions=msgspec.json.decode(positions),
    )
