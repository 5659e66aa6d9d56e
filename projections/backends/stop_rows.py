"""Failures and skips from rows: every database has the same columns, and its own moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from ..engine.stops import Failure, Skip


def failure_of_row(row: Sequence[Any], moment: Callable[[Any], datetime]) -> Failure:
    """Return a failure; `moment` reads the database's own."""
    projection, version, bucket, position, event_id, error, at = row
    return Failure(
        projection=projection,
        version=version,
        bucket=bucket,
        position=position,
        event_id=event_id,
        error=error,
        at=moment(at),
    )


def skip_of_row(row: Sequence[Any], moment: Callable[[Any], datetime]) -> Skip:
    """Return a skip; `moment` reads the database's own."""
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
        at=moment(at),
    )
