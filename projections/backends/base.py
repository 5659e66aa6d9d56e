"""The seam: how views are stored, beside the log they are folded from. Internal, free to change.

Both protocols have the same methods, each one atomic step. Rows and checkpoints of a bucket change
only together, in `store`, which compares before it moves: rows that were loaded after a checkpoint
was read are the rows of that checkpoint if `store` still finds it there. That is why no
transaction stays open while a page is read or folded. A checkpoint that was set back would be
found again only after the same events, hence with the same rows.

Who reads a table that was dropped is told so by VersionDropped; `store` finds its checkpoint moved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from ledger.plans import Plan
from ledger.records import Record

from ..engine.folding import Change
from ..engine.stops import Failure, Skip
from ..engine.tables import Identity, Key, Row, Table
from .marks import Mark, MarksQuery
from .row_queries import RowQuery
from .session_rows import SessionRows
from .totals import Totals, TotalsQuery

#: Where a row is.
Place = tuple[Table, Key]


class Checkpoint(msgspec.Struct, frozen=True):
    """How far a version has come in a bucket; the flags are the same in all of its buckets.

    `skips` are the positions that it leaves out, passed ones included.
    """

    position: int
    active: bool
    built: bool
    skips: frozenset[int] = frozenset()


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How far a version has come in every bucket, in bucket order.

    Of the versions of a projection one is `active`: readers read it. Who is `built` has been at
    the log's end once and is kept going with the active one. `fold_digest` says what made
    the table, see made_by.
    """

    projection: str
    version: int
    active: bool
    built: bool
    fold_digest: str
    positions: Sequence[int]


class Instant(msgspec.Struct, frozen=True):
    """A bucket at one moment: where its log ended, how far its versions were, rows per query."""

    head: int
    checkpoints: Mapping[Identity, Checkpoint]
    rows: Sequence[Sequence[Row]]


class Instants(msgspec.Struct, frozen=True):
    """Some buckets at one moment, without rows, and views per session and query."""

    buckets: Mapping[int, Instant]
    views: Sequence[Sequence[Sequence[Any]]]


#: So many of a bucket's events may be left to be folded in memory, for each answer again, before all
#: of them go into the tables at once. One costs 12 to 23 µs each time, the tables 2 to 10 ms: of 8,
#: 16, 32 and 64 this was the cheapest on both databases.
AHEAD_EVENTS_MAX = 16
#: So many where the tables have just been brought up to date, and others append all the time.
AHEAD_LATE_EVENTS_MAX = 4_096
#: So far a table may stay behind one of its rows that is kept and folded on by what is new alone. Who
#: reads the table folds all of it.
KEPT_EVENTS_MAX = 256


class Ahead(msgspec.Struct, frozen=True):
    """A row, None if there is none, and what of its session is not folded into it yet.

    The row is of `position`; `records` are the session's behind it, in order, `head` is its last
    sequence.
    """

    position: int
    head: int
    row: Row | None
    records: Sequence[Record]


class RowPlace(msgspec.Struct, frozen=True):
    """What a row is made of: a session's events up to `sequence`, on top of one of `position`."""

    tenant: str
    session_id: str
    sequence: int
    position: int


class Behind(msgspec.Struct, frozen=True):
    """How far a version has come, and a session's events from the last one on that a row is made of."""

    position: int
    records: Sequence[Record]


class Backlog(msgspec.Struct, frozen=True):
    """A bucket at one moment: where its log ended, how far its versions were, and what is next.

    `records` are the first behind the version that is furthest behind of those that were asked
    for. `row` is the one that was asked for, read with the checkpoints or behind them.
    """

    head: int
    checkpoints: Mapping[Identity, Checkpoint]
    records: Sequence[Record] = ()
    row: Row | None = None


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """All that is stored about the versions of all projections, of one moment.

    `now` is the store's clock, by which `recorded_at` of the events goes. `failures` are those
    that hold now; `skips` are by projection, version, bucket and position.
    """

    now: datetime
    standings: Sequence[Standing]
    failures: Sequence[Failure]
    skips: Sequence[Skip]


class ViewBackend(Protocol):
    """Storage of the views of one ledger, in the same database. Safe to share between threads."""

    def prepare(self, tables: Sequence[Table]) -> None:
        """Create the tables and checkpoints that are missing; raise TableMismatch.

        Nothing is made if a view is to be named as a handler, or the reverse; see kinds. Where a
        projection has no active version, the highest of those becomes active and built.
        """
        ...

    def checkpoints(self, bucket: int) -> Mapping[Identity, Checkpoint]:
        """Return how far each version of each projection has come in a bucket."""
        ...

    def backlog(
        self, bucket: int, wanted: Sequence[Identity], limit: int, row: Place | None = None
    ) -> Backlog:
        """Return a bucket's checkpoints, a row, and events that are left to be folded, if not many.

        They are left to the wanted versions that are kept going, or to all wanted if none of them
        is. There are `limit` of them at most.
        """
        ...

    def standings(self, names: Sequence[str]) -> list[Standing]:
        """Return all versions of some projections, by name, then by version."""
        ...

    def mark_built(self, identity: Identity) -> None:
        """Note that a version has been at the log's end."""
        ...

    def accept(self, table: Table) -> None:
        """Note the digest of a table's fold in place of the one that is stored."""
        ...

    def switch(self, identity: Identity) -> bool:
        """Make a version the active one in one transaction; False if it is not there or not built."""
        ...

    def drop(self, identity: Identity) -> bool:
        """Remove a version, table and all; False, and nothing done, if it is active."""
        ...

    def load(
        self, bucket: int, wanted: Sequence[tuple[Table, Sequence[Key]]]
    ) -> list[dict[Key, Row]]:
        """Return, per table, the rows of a bucket that exist under the wanted keys."""
        ...

    def store(self, bucket: int, changes: Sequence[Change], *, durable: bool = True) -> bool:
        """Apply all changes in one transaction; False, and nothing done, if a checkpoint moved.

        What is not `durable` may be gone, whole, after a loss of power. It is for what is folded
        again then: the next commit that is durable, as every append is, makes it so, too.
        """
        ...

    def store_and_load(self, bucket: int, changes: Sequence[Change], row: Place) -> Row | None:
        """Store what is not durable and return a row that it writes; None if a checkpoint moved."""
        ...

    def select(self, query: RowQuery) -> list[Row]:
        """Return the rows that a query asks for, in its order."""
        ...

    def read(self, query: RowQuery) -> list[Any]:
        """Return the views in the rows that a query asks for, in its order."""
        ...

    def current(self, query: RowQuery) -> list[Any] | None:
        """Return the views that a query without words asks for if they reflect the log's end.

        None if the version is behind there, not the active one or gone, and maybe if there are no
        rows, or if it asks for those of all buckets: then the long way tells.
        """
        ...

    def current_row(self, table: Table, bucket: int, key: Key) -> list[Any] | None:
        """Return the same for the row under a whole key: `current` of its `key_query`."""
        ...

    def ahead(self, table: Table, bucket: int, key: Key, events_max: int) -> Ahead | None:
        """Return the row of a session under a whole key, and what is left to be folded into it.

        None if the version is not the active one or gone, leaves something out that lies ahead, or
        is more than `events_max` of the bucket's events behind.
        """
        ...

    def behind(self, table: Table, bucket: int, place: RowPlace, events_max: int) -> Behind | None:
        """Return what happened to a session behind a row of it that the caller has.

        None if the version may have another row: if it is not the active one, gone, made by another
        fold than the table's, or leaves out something that lies behind where the row was read; or
        if these are more than `events_max` events.
        """
        ...

    def count(self, query: RowQuery) -> int:
        """Return how many rows hold a query's conditions, whatever its order and limit."""
        ...

    def totals(self, wanted: TotalsQuery) -> list[Totals]:
        """Return what the rows of a query add up to, all of one moment, in no order."""
        ...

    def marks(self, wanted: MarksQuery) -> list[Mark]:
        """Return consumers' marks behind which events lie, those with the oldest of them first."""
        ...

    def together(self, bucket: int, session: Key, wanted: SessionRows) -> list[list[Any]] | None:
        """Return the views of a session in several tables, all of one moment.

        None if one of the versions is not the active one, gone, or behind the log's end.
        """
        ...

    def snapshot(self, bucket: int, queries: Sequence[RowQuery]) -> Instant:
        """Return a bucket's checkpoints and the rows of several queries, all of one moment."""
        ...

    def snapshot_of_each(
        self, queries: Sequence[RowQuery], sessions: Sequence[tuple[int, str]]
    ) -> Instants:
        """Return views of each of a tenant's sessions, given as (bucket, session_id), of one moment.

        Each query begins with the equal columns tenant and session_id, and is asked with the bucket
        and the id of each session in their place. Checkpoints are those of the queries' projections
        alone, and do not tell what is skipped.
        """
        ...

    def note_failure(self, failure: Failure) -> None:
        """Keep a failure in the place of the bucket's last one; the same one keeps its time."""
        ...

    def skip(self, skip: Skip) -> bool:
        """Record a skip and move the checkpoint over it; False if that is not right before it."""
        ...

    def overview(self) -> Overview:
        """Return how all versions stand."""
        ...

    def side_by_side(self, plans: Sequence[Plan[None]], stop: Callable[[], None]) -> None:
        """Run plans over this storage that share their work: at once if that is faster, or in turn.

        What one of them raises is raised once all have ended; `stop` tells the others to.
        """
        ...


class AsyncViewBackend(Protocol):
    """The same storage for tasks of one event loop; docstrings as in ViewBackend."""

    async def prepare(self, tables: Sequence[Table]) -> None: ...
    async def checkpoints(self, bucket: int) -> Mapping[Identity, Checkpoint]: ...
    async def backlog(
        self, bucket: int, wanted: Sequence[Identity], limit: int, row: Place | None = None
    ) -> Backlog: ...
    async def standings(self, names: Sequence[str]) -> list[Standing]: ...
    async def mark_built(self, identity: Identity) -> None: ...
    async def accept(self, table: Table) -> None: ...
    async def switch(self, identity: Identity) -> bool: ...
    async def drop(self, identity: Identity) -> bool: ...
    async def load(
        self, bucket: int, wanted: Sequence[tuple[Table, Sequence[Key]]]
    ) -> list[dict[Key, Row]]: ...
    async def store(
        self, bucket: int, changes: Sequence[Change], *, durable: bool = True
    ) -> bool: ...
    async def store_and_load(
        self, bucket: int, changes: Sequence[Change], row: Place
    ) -> Row | None: ...
    async def select(self, query: RowQuery) -> list[Row]: ...
    async def read(self, query: RowQuery) -> list[Any]: ...
    async def current(self, query: RowQuery) -> list[Any] | None: ...
    async def current_row(self, table: Table, bucket: int, key: Key) -> list[Any] | None: ...
    async def ahead(self, table: Table, bucket: int, key: Key, events_max: int) -> Ahead | None: ...
    async def behind(
        self, table: Table, bucket: int, place: RowPlace, events_max: int
    ) -> Behind | None: ...
    async def count(self, query: RowQuery) -> int: ...
    async def totals(self, wanted: TotalsQuery) -> list[Totals]: ...
    async def marks(self, wanted: MarksQuery) -> list[Mark]: ...
    async def together(
        self, bucket: int, session: Key, wanted: SessionRows
    ) -> list[list[Any]] | None: ...
    async def snapshot(self, bucket: int, queries: Sequence[RowQuery]) -> Instant: ...
    async def snapshot_of_each(
        self, queries: Sequence[RowQuery], sessions: Sequence[tuple[int, str]]
    ) -> Instants: ...
    async def note_failure(self, failure: Failure) -> None: ...
    async def skip(self, skip: Skip) -> bool: ...
    async def overview(self) -> Overview: ...
    async def side_by_side(self, plans: Sequence[Plan[None]], stop: Callable[[], None]) -> None: ...
