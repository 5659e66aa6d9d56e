"""The seam: how views are stored, beside the log they are folded from. Internal, free to change.

Both protocols have the same methods, each one atomic step. Rows and checkpoints of a bucket change
only together, in `store`, which compares before it moves: rows that were loaded after a checkpoint
was read are the rows of that checkpoint if `store` still finds it there. That is why no
transaction stays open while a page is read or folded. A checkpoint that was set back would be
found again only after the same events, hence with the same rows.

Who reads a table that was dropped is told so by VersionDropped; `store` finds its checkpoint moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from ..engine.folding import Change
from ..engine.stops import Failure, Skip
from ..engine.tables import Identity, Key, Row, Table


class RowQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a table, of one bucket or of all.

    `equal`, `at_least` and `below` are (column, value) pairs, `one_of` gives a column several
    values; the columns in `positive` are above 0; the row has all the `words`; `order` are columns that are never
    NULL, all ascending or all `descending`; `after` are their values in the last row of the page
    before.
    """

    table: Table
    bucket: int | None
    equal: tuple[tuple[str, Any], ...]
    at_least: tuple[tuple[str, Any], ...] = ()
    below: tuple[tuple[str, Any], ...] = ()
    one_of: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    positive: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    descending: bool = False
    after: Row | None = None
    limit: int | None = None

    @property
    def shape(self) -> tuple[Any, ...]:
        """What decides on the statement; the rest is its parameters."""
        return (
            self.bucket is None,
            tuple([(name, value is None) for name, value in self.equal]),
            tuple([name for name, _ in self.at_least]),
            tuple([name for name, _ in self.below]),
            tuple([(name, len(values)) for name, values in self.one_of]),
            self.positive,
            not self.words,
            self.order,
            self.descending,
            self.after is None,
            self.limit is None,
        )


#: Statements that are kept composed, of a table; far more than readers have shapes of queries.
SHAPES_MAX = 1_000


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
    the log's end once and is kept going with the active one. `fold_digest` is that of the code
    that made the table.
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

        Nothing is made if a view is to be named as a handler, or the reverse; see kinds. Where a projection has no active version, the highest of those becomes active and built.
        """
        ...

    def checkpoints(self, bucket: int) -> Mapping[Identity, Checkpoint]:
        """Return how far each version of each projection has come in a bucket."""
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

    def select(self, query: RowQuery) -> list[Row]:
        """Return the rows that a query asks for, in its order."""
        ...

    def current(self, query: RowQuery) -> list[Row] | None:
        """Return the rows that a query of one bucket asks for if they reflect the log's end.

        The query is a plain one: columns that equal values, an order, a limit. None if the version
        is behind there, not the active one or gone, and maybe if there are no rows: then the long
        way tells.
        """
        ...

    def count(self, query: RowQuery) -> int:
        """Return how many rows hold a query's conditions, whatever its order and limit."""
        ...

    def snapshot(self, bucket: int, queries: Sequence[RowQuery]) -> Instant:
        """Return a bucket's checkpoints and the rows of several queries, all of one moment."""
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


class AsyncViewBackend(Protocol):
    """The same storage for tasks of one event loop; docstrings as in ViewBackend."""

    async def prepare(self, tables: Sequence[Table]) -> None: ...
    async def checkpoints(self, bucket: int) -> Mapping[Identity, Checkpoint]: ...
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
    async def select(self, query: RowQuery) -> list[Row]: ...
    async def current(self, query: RowQuery) -> list[Row] | None: ...
    async def count(self, query: RowQuery) -> int: ...
    async def snapshot(self, bucket: int, queries: Sequence[RowQuery]) -> Instant: ...
    async def note_failure(self, failure: Failure) -> None: ...
    async def skip(self, skip: Skip) -> bool: ...
    async def overview(self) -> Overview: ...
