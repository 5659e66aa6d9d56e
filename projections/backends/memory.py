"""Views in this process's memory, beside a log in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import eq, ge, lt
from weakref import WeakKeyDictionary

from ledger.backends.memory import MemoryBackend

from ..errors import TableMismatch
from ..folding import Change
from ..tables import Column, Key, Row, Table
from .base import RowQuery

Bucket = dict[Key, Row]


class _State:
    def __init__(self) -> None:
        self.layouts: dict[str, frozenset[str]] = {}
        self.rows: dict[str, list[Bucket]] = {}
        self.checkpoints: dict[tuple[str, int], list[int]] = {}


# By the log, so that all Views of one ledger share what is stored, as they do in a database.
_states: WeakKeyDictionary[MemoryBackend, _State] = WeakKeyDictionary()


class MemoryViews:
    """Dicts of rows under the lock of the log; gone with the log."""

    def __init__(self, log: MemoryBackend) -> None:
        self._lock = log.lock
        self._buckets = log.info.buckets
        with self._lock:
            self._state = _states.setdefault(log, _State())

    def prepare(self, tables: Sequence[Table]) -> None:
        with self._lock:
            for table in tables:
                layout = frozenset(_line(column) for column in table.columns)
                found = self._state.layouts.setdefault(table.name, layout)
                if found != layout:
                    raise TableMismatch(table.name, layout, found)
                identity = (table.projection.name, table.projection.version)
                self._state.checkpoints.setdefault(identity, [0] * self._buckets)
                self._state.rows.setdefault(table.name, [{} for _ in range(self._buckets)])

    def checkpoints(self, bucket: int) -> Mapping[tuple[str, int], int]:
        with self._lock:
            return {
                identity: places[bucket] for identity, places in self._state.checkpoints.items()
            }

    def positions(self, table: Table) -> list[int]:
        with self._lock:
            return list(self._places(table))

    def load(
        self, bucket: int, wanted: Sequence[tuple[Table, Sequence[Key]]]
    ) -> list[dict[Key, Row]]:
        with self._lock:
            return [
                {key: rows[key] for key in keys if key in rows}
                for rows, keys in ((self._rows(table, bucket), keys) for table, keys in wanted)
            ]

    def store(self, bucket: int, changes: Sequence[Change]) -> bool:
        with self._lock:
            if any(self._places(change.table)[bucket] != change.before for change in changes):
                return False
            # Everything that can fail comes first: what follows is whole or not at all.
            rows = [
                {change.table.key_of_row(row): row for row in change.rows} for change in changes
            ]
            for change, changed in zip(changes, rows, strict=True):
                kept = self._rows(change.table, bucket)
                _remove(kept, change)
                kept.update(changed)
                self._places(change.table)[bucket] = change.after
        return True

    def select(self, query: RowQuery) -> list[Row]:
        table = query.table
        wanted = [
            (table.names.index(name), holds, value)
            for pairs, holds in ((query.equal, eq), (query.at_least, ge), (query.below, lt))
            for name, value in pairs
        ]
        order = [table.names.index(name) for name in query.order]

        def place(row: Row) -> Row:
            return tuple(row[number] for number in order)

        buckets = range(self._buckets) if query.bucket is None else (query.bucket,)
        with self._lock:
            found = [
                row
                for bucket in buckets
                for row in self._rows(table, bucket).values()
                if all(holds(row[number], value) for number, holds, value in wanted)
            ]
        if query.after is not None:
            after = query.after
            found = [row for row in found if _behind(place(row), after, query.descending)]
        if order:
            found.sort(key=place, reverse=query.descending)
        return found[: query.limit]

    def _rows(self, table: Table, bucket: int) -> Bucket:
        return self._state.rows[table.name][bucket]

    def _places(self, table: Table) -> list[int]:
        return self._state.checkpoints[table.projection.name, table.projection.version]


def _remove(rows: Bucket, change: Change) -> None:
    cleared = set(change.cleared)
    if cleared:
        for key in [key for key in rows if key[:2] in cleared]:
            del rows[key]
    for key in change.gone:
        del rows[key]


def _line(column: Column) -> str:
    return f"{column.name} {column.kind.name}{'' if column.optional else ' NOT NULL'}"


def _behind(place: Row, after: Row, descending: bool) -> bool:
    return place < after if descending else place > after
