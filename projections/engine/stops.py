"""Where views stand still: the event at which a fold failed, and events that somebody let pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from ledger.visible_text import shown

from ..errors import HandlerFailed, ProjectionFailed
from .tables import Identity


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The event that a version of a projection cannot fold; its bucket stands right before it.

    `at` is when this was first met, by the clock of whoever met it. It holds as long as the bucket
    stands there: a fold that was corrected, or a skip, passes the event and ends it.
    """

    projection: str
    version: int
    bucket: int
    position: int
    event_id: str
    error: str
    at: datetime

    @property
    def identity(self) -> Identity:
        """The projection's name and version."""
        return self.projection, self.version


class Skip(msgspec.Struct, frozen=True, kw_only=True):
    """An event that a version of a projection leaves out, now and whenever it is made anew.

    Never removed: `by` says who decided it, `reason` why, `at` when, `error` what the fold said.
    """

    projection: str
    version: int
    bucket: int
    position: int
    event_id: str
    reason: str
    by: str
    error: str
    at: datetime

    @property
    def identity(self) -> Identity:
        """The projection's name and version."""
        return self.projection, self.version


def failure_of(name: str, failed: ProjectionFailed | HandlerFailed, at: datetime) -> Failure:
    """Return what is kept of a failure that was raised: of whom, and as every database takes it."""
    # What a handler raised is shown like that already, and cutting it again would cut its escapes.
    is_shown = isinstance(failed, HandlerFailed)
    return Failure(
        projection=name,
        version=failed.version,
        bucket=failed.bucket,
        position=failed.position,
        event_id=failed.event_id,
        error=failed.reason if is_shown else shown(failed.reason),
        at=at,
    )


def skip_of(failure: Failure, reason: str, by: str) -> Skip:
    """Return the record of letting the event of a failure pass, now."""
    return Skip(
        projection=failure.projection,
        version=failure.version,
        bucket=failure.bucket,
        position=failure.position,
        event_id=failure.event_id,
        reason=reason,
        by=by,
        error=failure.error,
        at=datetime.now(UTC),
    )


def current(failures: Sequence[Failure], places: Mapping[Identity, Sequence[int]]) -> list[Failure]:
    """Return the failures of versions that still stand right before their event."""
    return [
        one
        for one in failures
        if one.identity in places and places[one.identity][one.bucket] == one.position - 1
    ]
