"""Errors of the views; they join the ledger's tree, see ledger.errors."""

from __future__ import annotations

from ledger import StopError


class ProjectionFailed(StopError):
    """Correct the fold and run again: it goes on from this event, nothing was skipped.

    The bucket stands at the event before; other buckets and other projections are not held up.
    What the fold raised is the cause.
    """

    def __init__(
        self, projection: str, version: int, bucket: int, position: int, event_id: str, reason: str
    ) -> None:
        self.projection = projection
        self.version = version
        self.bucket = bucket
        self.position = position
        self.event_id = event_id
        self.reason = reason
        super().__init__(
            f"Projection {projection} version {version} stopped in bucket {bucket}"
            f" at position {position}, event {event_id!r}: {reason}."
        )


class TableMismatch(StopError):
    """Raise the projection's version: its struct no longer fits the table of this one."""

    def __init__(self, table: str, expected: frozenset[str], found: frozenset[str]) -> None:
        self.table = table
        self.missing = sorted(expected - found)
        self.surplus = sorted(found - expected)
        super().__init__(
            f"Table {table} lacks {', '.join(self.missing) or 'nothing'}"
            f" and has {', '.join(self.surplus) or 'nothing'} instead."
        )
