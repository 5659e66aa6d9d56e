"""The seam: how views are stored, beside the log they are folded from. Internal, free to change.

Both protocols have the same methods, each one atomic step. Rows and checkpoints of a bucket change
only together, in `store`, which compares before it moves: rows that were loaded after a checkpoint
was read are the rows of that checkpoint if `store` still finds it there. That is why no
transaction stays open while a page is read or folded. A checkpoint that was set back would be
found again only after the same events, hence with the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from ..folding import Change
from ..tables import Key, Row, Table


class RowQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a table, of one bucket or of all.

    `equal`, `at_least` and `below` are (column, value) pairs; `order` are columns that are never
    NULL, all ascending or all `descending`; `after` are their values in the last row of the page
    before.
    """

    table: Table
    bucket: int | None
    equal: tuple[tuple[str, Any], ...]
    at_least: tuple[tuple[str, Any], ...] = ()
    below: tuple[tuple[str, Any], ...] = ()
    order: tuple[str, ...] = ()
    descending: bool = False
    after: Row | None = None
    limit: int | None = None


class ViewBackend(Protocol):
    """Storage of the views of one ledger, in the same database. Safe to share between threads."""

    def prepare(self, tables: Sequence[Table]) -> None:
        """Create the tables and checkpoints that are missing; raise TableMismatch."""
        ...

    def checkpoints(self, bucket: int) -> Mapping[tuple[str, int], int]:
        """Return how far each (projection, version) has come in a bucket."""
        ...

    def positions(self, table: Table) -> list[int]:
        """Return how far one projection has come in every bucket, in bucket order."""
        ...

    def load(
        self, bucket: int, wanted: Sequence[tuple[Table, Sequence[Key]]]
    ) -> list[dict[Key, Row]]:
        """Return, per table, the rows of a bucket that exist under the wanted keys."""
        ...

    def store(self, bucket: int, changes: Sequence[Change]) -> bool:
        """Apply all changes in one transaction; False, and nothing done, if a checkpoint moved."""
        ...

    def select(self, query: RowQuery) -> list[Row]:
        """Return the rows that a query asks for, in its order."""
        ...


class AsyncViewBackend(Protocol):
    """The same storage for tasks of one event loop; docstrings as in ViewBackend."""

    async def prepare(self, tables: Sequence[Table]) -> None: ...
    async def checkpoints(self, bucket: int) -> Mapping[tuple[str, int], int]: ...
    async def positions(self, table: Table) -> list[int]: ...
    async def load(
        self, bucket: int, wanted: Sequence[tuple[Table, Sequence[Key]]]
    ) -> list[dict[Key, Row]]: ...
    async def store(self, bucket: int, changes: Sequence[Change]) -> bool: ...
    async def select(self, query: RowQuery) -> list[Row]: ...
