"""Comparing two versions of a projection: the same rows, as far as their structs agree."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec

from ledger import InvalidArgument, RetryableError
from ledger.backends.base import AsyncBackend, Backend
from ledger.plans import Plan

from ..backends.base import AsyncViewBackend, Instant, ViewBackend
from ..backends.row_queries import RowQuery
from .projector import Projector
from .tables import Key, Row, Table

#: Rows of each version that are held at once.
PAGE_ROWS = 1_000
#: How often both are brought to one position, while others move only one of them, before giving up.
ATTEMPTS_MAX = 100


class VersionsApart(RetryableError):
    """Compare again: one of the versions moved on while the other was being brought there."""


class RowDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A row that is not the same: by field, its value in the old and in the new version.

    A row that only one of them has, has all of its fields here, with None on the other side, and
    `only_in` says which.
    """

    bucket: int
    key: Key
    only_in: int | None
    fields: dict[str, tuple[Any, Any]]


class VersionComparison(msgspec.Struct, frozen=True, kw_only=True):
    """What two versions have in common, over the `fields` that both structs have.

    Each stretch of rows was read at a moment at which both versions stood at the same position.
    `old_checksum` and `new_checksum` are SHA-256 in hex over all rows in the order of their keys;
    `differing` counts all rows that are not the same, `differences` are the first of them.
    """

    projection: str
    old: int
    new: int
    fields: tuple[str, ...]
    old_rows: int
    new_rows: int
    old_checksum: str
    new_checksum: str
    differing: int
    differences: tuple[RowDifference, ...]

    @property
    def same(self) -> bool:
        """Whether every row of the one is a row of the other."""
        return self.differing == 0


class Comparer:
    """A merge of two tables in the order of their keys, a page of each at a time."""

    def __init__(
        self,
        log: Backend | AsyncBackend,
        views: ViewBackend | AsyncViewBackend,
        projector: Projector,
        old: Table,
        new: Table,
        limit: int,
    ) -> None:
        self._log = log
        self._views = views
        self._projector = projector
        self._tables = (old, new)
        self._limit = limit
        names = [name for name in old.names if name in new.names]
        self._names = (*old.key, *(name for name in names if name not in old.key))
        if old.key != new.key:
            raise InvalidArgument("version", "versions with different keys cannot be compared")
        self._places = [[table.names.index(name) for name in self._names] for table in (old, new)]
        self._rows = [0, 0]
        self._digests = [sha256(), sha256()]
        self._differing = 0
        self._found: list[RowDifference] = []

    def compare(self) -> Plan[VersionComparison]:
        """Compare all buckets."""
        heads: list[int] = yield self._log.positions()
        for bucket in range(len(heads)):
            yield from self._bucket(bucket)
        old, new = self._tables
        return VersionComparison(
            projection=old.projection.name,
            old=old.projection.version,
            new=new.projection.version,
            fields=self._names,
            old_rows=self._rows[0],
            new_rows=self._rows[1],
            old_checksum=self._digests[0].hexdigest(),
            new_checksum=self._digests[1].hexdigest(),
            differing=self._differing,
            differences=tuple(self._found),
        )

    def _bucket(self, bucket: int) -> Plan[None]:
        after: Key | None = None
        while True:
            pages = yield from self._pages(bucket, after)
            # Behind the last key of a page that is full, there may be more that it does not show.
            ends = [max(page) for page in pages if len(page) == PAGE_ROWS]
            end = min(ends) if ends else None
            self._merge(bucket, pages, end)
            if end is None:
                return
            after = end

    def _pages(self, bucket: int, after: Key | None) -> Plan[list[dict[Key, Row]]]:
        """Return the next rows of both versions from a moment when they were at one position."""
        queries = [self._query(table, bucket, after) for table in self._tables]
        for _ in range(ATTEMPTS_MAX):
            found: Instant = yield self._views.snapshot(bucket, queries)
            places = [found.checkpoints[table.identity].position for table in self._tables]
            if places[0] == places[1]:
                return [
                    {table.key_of_row(row): tuple(row[n] for n in numbers) for row in rows}
                    for table, numbers, rows in zip(
                        self._tables, self._places, found.rows, strict=True
                    )
                ]
            failures = yield from self._projector.reach(bucket, max(places), self._tables)
            if failures:
                raise failures[0]
        raise VersionsApart(f"In bucket {bucket} they were never at one position.")

    def _query(self, table: Table, bucket: int, after: Key | None) -> RowQuery:
        return RowQuery(
            table=table, bucket=bucket, equal=(), order=table.key, after=after, limit=PAGE_ROWS
        )

    def _merge(self, bucket: int, pages: Sequence[dict[Key, Row]], end: Key | None) -> None:
        old, new = pages
        for key in sorted({*old, *new}):
            if end is not None and key > end:
                break
            rows = [page.get(key) for page in pages]
            encoded = [None if row is None else msgspec.msgpack.encode(row) for row in rows]
            for number, data in enumerate(encoded):
                if data is not None:
                    self._rows[number] += 1
                    self._digests[number].update(len(data).to_bytes(8, "big") + data)
            if encoded[0] != encoded[1]:
                self._differing += 1
                if len(self._found) < self._limit:
                    self._found.append(self._difference(bucket, key, rows))

    def _difference(self, bucket: int, key: Key, rows: Sequence[Row | None]) -> RowDifference:
        nothing = (None,) * len(self._names)
        pairs = zip(rows[0] or nothing, rows[1] or nothing, strict=True)
        alone = [
            table.projection.version
            for table, other in zip(self._tables, reversed(rows), strict=True)
            if other is None
        ]
        return RowDifference(
            bucket=bucket,
            key=key,
            only_in=alone[0] if alone else None,
            fields={
                name: (one, other)
                for name, (one, other) in zip(self._names, pairs, strict=True)
                if msgspec.msgpack.encode(one) != msgspec.msgpack.encode(other)
            },
        )
