"""Errors of the views; they join the ledger's tree, see ledger.errors."""

from __future__ import annotations

from ledger import RetryableError, StopError
from ledger.visible_text import shown


class ProjectionFailed(StopError):
    """Correct the fold and run again: it goes on from this event, nothing was skipped.

    The bucket stands at the event before; other buckets and other projections are not held up.
    What the fold raised is the cause. The message is one line that a terminal does not obey, and
    not too long; `event_id` and `reason` are as they came.
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
            f" at position {position}, event {event_id!r}: {shown(reason)}."
        )


class HandlerFailed(StopError):
    """Correct the handler and run it again, or skip the event: it goes on from this event.

    The bucket stands at the event before; other buckets and other handlers are not held up. What
    the handler raised is the cause.
    """

    def __init__(
        self, handler: str, version: int, bucket: int, position: int, event_id: str, reason: str
    ) -> None:
        self.handler = handler
        self.version = version
        self.bucket = bucket
        self.position = position
        self.event_id = event_id
        self.reason = reason
        super().__init__(
            f"Handler {handler} version {version} stopped in bucket {bucket}"
            f" at position {position}, event {event_id!r}: {shown(reason)}."
        )


class HandlerSuperseded(StopError):
    """Stop this process; or, to go back to its code, give that the next version.

    The version that is in effect goes on where this one stopped.
    """

    def __init__(self, handlers: tuple[str, ...]) -> None:
        self.handlers = handlers
        super().__init__(f"A higher version is in effect of handler {', '.join(handlers)}.")


class TableMismatch(StopError):
    """Raise the projection's version: the table of this one was made for other columns or another key.

    As is that of a struct that had other fields, or fields of types that another release of this
    library stores in another way. The order of a key's fields counts.
    """

    def __init__(self, table: str, expected: frozenset[str], found: frozenset[str]) -> None:
        self.table = table
        self.missing = sorted(expected - found)
        self.surplus = sorted(found - expected)
        super().__init__(
            f"Table {table} lacks {', '.join(self.missing) or 'nothing'}"
            f" and has {', '.join(self.surplus) or 'nothing'} instead."
        )


class VersionDropped(StopError):
    """Use the code that knows the projection's current version, or open the views again.

    Views that are opened again make the version anew, to be rebuilt or read from the start.
    """

    def __init__(self, projection: str, version: int | None = None) -> None:
        """Take the version that is gone; None if no other one is left to go on with."""
        self.projection = projection
        self.version = version
        super().__init__(
            f"No version of projection {projection} that is known here is stored."
            if version is None
            else f"Version {version} of projection {projection} is not stored any more."
        )


class ViewsBehind(RetryableError):
    """Wait longer, or look at the status of the views: who was to fold may have stopped."""

    def __init__(self, what: str, bucket: int, position: int, waited_s: float) -> None:
        self.what = what
        self.bucket = bucket
        self.position = position
        self.waited_s = waited_s
        super().__init__(
            f"{what} did not reach position {position} of bucket {bucket} within {waited_s:g} s."
        )


class RebuildInterrupted(RetryableError):
    """Run the rebuild again: it goes on where it stopped, and nothing is folded twice."""
