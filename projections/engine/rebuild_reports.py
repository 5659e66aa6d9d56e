"""What a rebuild tells about itself."""

from __future__ import annotations

import msgspec

from ..errors import ProjectionFailed


class RebuildProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a rebuild is: events folded of those in the log, and how fast it goes.

    `events_total` grows with the log. `events_per_second` is that of this run; `left_s` says when
    it will be done, None while that cannot be told.
    """

    events: int
    events_total: int
    events_per_second: float
    left_s: float | None


class RebuildReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a rebuild ended.

    `built` says that the version has reached the log's end and is kept going from now on. If not,
    it was cancelled, or stopped in the buckets of the `failures`, or writers were faster; in each
    case the next rebuild goes on from here. `changed` says that other code had begun the version:
    rows made before are as that left them.
    """

    projection: str
    version: int
    built: bool
    cancelled: bool
    changed: bool = False
    events: int
    seconds: float
    failures: tuple[ProjectionFailed, ...] = ()
