"""Failures and skips in the ledger's schema, as calls and as what they return."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from psycopg import sql

from ledger.backends.queries import load_queries

from ...engine.stops import Failure, Skip
from ..base import Overview, Standing
from .statements import Call

_TEMPLATES = load_queries(__package__, "stops.sql")
#: The tables that `create` makes.
TABLES = ("view_failures", "view_skips")


class Stops:
    """The statements on the failures and skips of one schema."""

    def __init__(self, schema: str) -> None:
        name = sql.Identifier(schema)
        found = {
            key: sql.SQL(template).format(schema=name).as_bytes(None)
            for key, template in _TEMPLATES.items()
        }
        self.create = [Call(found["create_failures"]), Call(found["create_skips"])]
        self.overview = [
            Call(found[key], prepare=False) for key in ("now", "all_standings", "failures", "skips")
        ]
        self._note_failure = found["note_failure"]
        self._add_skip = found["add_skip"]

    def note_failure(self, failure: Failure) -> Call:
        """Keep a failure, if it is not kept already."""
        place = (failure.bucket, *failure.identity, failure.position)
        return Call(self._note_failure, (*place, failure.event_id, failure.error, failure.at))

    def add_skip(self, skip: Skip) -> Call:
        """Record a skip."""
        place = (skip.bucket, *skip.identity, skip.position)
        said = (skip.event_id, skip.reason, skip.by, skip.error, skip.at)
        return Call(self._add_skip, (*place, *said))


def overview(results: Sequence[tuple[list[Any], int]]) -> Overview:
    """Return what the calls of `Stops.overview` returned."""
    (now,), standings, failures, skips = (rows for rows, _ in results)
    return Overview(
        now=now[0].astimezone(UTC),
        standings=[standing(row) for row in standings],
        failures=[_failure(row) for row in failures],
        skips=[_skip(row) for row in skips],
    )


def standing(row: Any) -> Standing:
    """Return how a version stands."""
    name, version, active, built, digest, positions = row
    return Standing(
        projection=name,
        version=version,
        active=active,
        built=built,
        fold_digest=digest,
        positions=positions,
    )


def _failure(row: Any) -> Failure:
    projection, version, bucket, position, event_id, error, at = row
    return Failure(
        projection=projection,
        version=version,
        bucket=bucket,
        position=position,
        event_id=event_id,
        error=error,
        at=at.astimezone(UTC),
    )


def _skip(row: Any) -> Skip:
    projection, version, bucket, position, event_id, reason, by, error, at = row
    return Skip(
        projection=projection,
        version=version,
        bucket=bucket,
        position=position,
        event_id=event_id,
        reason=reason,
        by=by,
        error=error,
        at=at.astimezone(UTC),
    )
