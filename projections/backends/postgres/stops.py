"""Failures and skips in the ledger's schema, as calls and as what they return."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg import sql

from ledger.backends.base import LedgerInfo
from ledger.backends.queries import load_queries

from ...engine.stops import Failure, Skip
from ..base import Overview, Standing
from ..stop_rows import failure_of_row, skip_of_row
from .calls import Call

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


def overview(results: Sequence[tuple[list[Any], int]], info: LedgerInfo) -> Overview:
    """Return what the calls of `Stops.overview` returned."""
    (now,), found, failures, skips = (rows for rows, _ in results)
    return Overview(
        now=_utc(now[0]),
        standings=standings(found, info),
        failures=[failure_of_row(row, _utc) for row in failures],
        skips=[skip_of_row(row, _utc) for row in skips],
    )


def standings(rows: Sequence[Any], info: LedgerInfo) -> list[Standing]:
    """Return how the versions stand.

    Of several servers each is asked at a moment of its own: a version that is being made, or dropped,
    may be on some of them. It is not there, as it is before and behind that.
    """
    found = [_standing(row) for row in rows]
    if info.distributed:
        return [one for one in found if len(one.positions) == info.buckets]
    return found


def _standing(row: Any) -> Standing:
    name, version, active, built, digest, positions = row
    return Standing(
        projection=name,
        version=version,
        active=active,
        built=built,
        fold_digest=digest,
        positions=positions,
    )


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
