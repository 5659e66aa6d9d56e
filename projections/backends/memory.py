"""Views in this process's memory, beside a log in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from ledger.backends.base import FeedQuery, SessionQuery
from ledger.backends.memory import MemoryBackend
from ledger.plans import Plan

from ..engine.folding import Change
from ..engine.kinds import check_kinds
from ..engine.stops import Failure, Skip, current
from ..engine.tables import Column, Identity, Key, Row, Table, key_line, table_name
from ..errors import TableMismatch, VersionDropped
from .backlogs import next_events
from .base import (
    Ahead,
    Backlog,
    Behind,
    Checkpoint,
    Instant,
    Instants,
    Overview,
    Place,
    RowPlace,
    Standing,
)
from .marks import Mark, MarksQuery, marks_among
from .memory_rows import Bucket, buckets_of, condition, has_words, page
from .row_queries import RowQuery, key_query, of_session
from .session_rows import SessionRows
from .side_by_side import in_turn
from .totals import Totals, TotalsQuery, totals_of


@dataclass
class _Version:
    places: list[int]
    active: bool
    built: bool
    fold_digest: str


class _State:
    def __init__(self) -> None:
        self.layouts: dict[str, frozenset[str]] = {}
        self.rows: dict[str, list[Bucket]] = {}
        self.versions: dict[Identity, _Version] = {}
        self.failures: dict[tuple[Identity, int], Failure] = {}
        # Kept when a version is dropped: they hold again if the version is made anew.
        self.skips: list[Skip] = []

    def first_active(self, name: str) -> bool:
        """Whether a version that is added to a projection becomes the active one."""
        return not any(one.active for (of, _), one in self.versions.items() if of == name)


# By the log, so that all Views of one ledger share what is stored, as they do in a database.
_states: WeakKeyDictionary[MemoryBackend, _State] = WeakKeyDictionary()


class MemoryViews:
    """Dicts of rows under the lock of the log; gone with the log."""

    def __init__(self, log: MemoryBackend) -> None:
        self._log = log
        self._lock = log.lock
        self._buckets = log.info.buckets
        with self._lock:
            self._state = _states.setdefault(log, _State())

    def prepare(self, tables: Sequence[Table]) -> None:
        with self._lock:
            versions = self._state.versions.items()
            check_kinds(tables, [(name, one.fold_digest) for (name, _), one in versions])
            for table in sorted(tables, key=lambda table: table.identity, reverse=True):
                columns = (_line(column) for column in table.columns)
                layout = frozenset([*columns, key_line(table.key)])
                found = self._state.layouts.setdefault(table.name, layout)
                if found != layout:
                    raise TableMismatch(table.name, layout, found)
                if table.identity not in self._state.versions:
                    first = self._state.first_active(table.projection.name)
                    self._state.versions[table.identity] = _Version(
                        [0] * self._buckets, first, first, table.made_by.text
                    )
                self._state.rows.setdefault(table.name, [Bucket() for _ in range(self._buckets)])

    def checkpoints(self, bucket: int) -> Mapping[Identity, Checkpoint]:
        with self._lock:
            return {
                identity: Checkpoint(
                    one.places[bucket],
                    one.active,
                    one.built,
                    frozenset(
                        skip.position
                        for skip in self._state.skips
                        if (skip.identity, skip.bucket) == (identity, bucket)
                    ),
                )
                for identity, one in self._state.versions.items()
            }

    def backlog(
        self, bucket: int, wanted: Sequence[Identity], limit: int, row: Place | None = None
    ) -> Backlog:
        with self._lock:
            found = self.checkpoints(bucket)
            head = self._log.positions()[bucket]
            behind = next_events(bucket, head, found, wanted, limit)
            records = [] if behind is None else self._log.feed(behind)
            loaded = None if row is None else self._rows(row[0], bucket).get(row[1])
            return Backlog(head, found, records, loaded)

    def standings(self, names: Sequence[str]) -> list[Standing]:
        with self._lock:
            return [
                Standing(
                    projection=identity[0],
                    version=identity[1],
                    active=one.active,
                    built=one.built,
                    fold_digest=one.fold_digest,
                    positions=list(one.places),
                )
                for identity, one in sorted(self._state.versions.items())
                if identity[0] in names
            ]

    def mark_built(self, identity: Identity) -> None:
        with self._lock:
            if identity in self._state.versions:
                self._state.versions[identity].built = True

    def accept(self, table: Table) -> None:
        with self._lock:
            if table.identity in self._state.versions:
                self._state.versions[table.identity].fold_digest = table.made_by.text

    def switch(self, identity: Identity) -> bool:
        with self._lock:
            wanted = self._state.versions.get(identity)
            if wanted is None or not wanted.built:
                return False
            for (name, _), one in self._state.versions.items():
                if name == identity[0]:
                    one.active = one is wanted
        return True

    def drop(self, identity: Identity) -> bool:
        with self._lock:
            if identity in self._state.versions:
                if self._state.versions[identity].active:
                    return False
                name = table_name(identity)
                del self._state.versions[identity], self._state.rows[name]
                del self._state.layouts[name]
        return True

    def load(
        self, bucket: int, wanted: Sequence[tuple[Table, Sequence[Key]]]
    ) -> list[dict[Key, Row]]:
        with self._lock:
            return [
                {key: rows[key] for key in keys if key in rows}
                for rows, keys in ((self._rows(table, bucket), keys) for table, keys in wanted)
            ]

    def store(self, bucket: int, changes: Sequence[Change], *, durable: bool = True) -> bool:
        with self._lock:
            if any(self._place(change.table, bucket) != change.before for change in changes):
                return False
            # Everything that can fail comes first: what follows is whole or not at all.
            rows = [
                {change.table.key_of_row(row): row for row in change.rows} for change in changes
            ]
            for change, changed in zip(changes, rows, strict=True):
                self._rows(change.table, bucket).change(change, changed)
                self._state.versions[change.table.identity].places[bucket] = change.after
        return True

    def store_and_load(self, bucket: int, changes: Sequence[Change], row: Place) -> Row | None:
        table, key = row
        with self._lock:
            stored = self.store(bucket, changes, durable=False)
            return self._rows(table, bucket)[key] if stored else None

    def select(self, query: RowQuery) -> list[Row]:
        if query.among is not None:
            first = msgspec.structs.replace(query, words=(), among=None, limit=query.among)
            found = [row for row in self.select(first) if has_words(query.table, row, query.words)]
            return found[: query.limit]
        return page(query, self._holding(query))

    def read(self, query: RowQuery) -> list[Any]:
        return [query.table.decode(row) for row in self.select(query)]

    def current(self, query: RowQuery) -> list[Any] | None:
        with self._lock:
            version = self._state.versions.get(query.table.identity)
            if version is None or not version.active:
                return None
            behind = [
                place < head
                for place, head in zip(version.places, self._log.positions(), strict=True)
            ]
            is_behind = any(behind) if query.bucket is None else behind[query.bucket]
            return None if is_behind else self.read(query)

    def current_row(self, table: Table, bucket: int, key: Key) -> list[Any] | None:
        return self.current(key_query(table, bucket, key))

    def ahead(self, table: Table, bucket: int, key: Key, events_max: int) -> Ahead | None:
        with self._lock:
            place = self.checkpoints(bucket).get(table.identity)
            head = self._log.positions()[bucket]
            if place is None or not place.active or max(place.skips, default=0) > place.position:
                return None
            if head - place.position > events_max:
                return None
            row = self._rows(table, bucket).get(key)
            ranges = ((bucket, place.position, head),)
            feed = self._log.feed(FeedQuery(ranges=ranges, limit=events_max))
            records = [one for one in feed if (one.tenant, one.session_id) == key[:2]]
            last = self._log.head(bucket, key[0], key[1]).sequence
            return Ahead(place.position, last, row, records)

    def behind(self, table: Table, bucket: int, place: RowPlace, events_max: int) -> Behind | None:
        with self._lock:
            found = self.checkpoints(bucket).get(table.identity)
            if found is None or not found.active:
                return None
            if self._state.versions[table.identity].fold_digest != table.made_by.text:
                return None
            if max(found.skips, default=0) > place.position:
                return None
            query = SessionQuery(
                bucket=bucket,
                tenant=place.tenant,
                session_id=place.session_id,
                after=place.sequence - 1,
                limit=events_max + 2,
                deleted=True,
            )
            records = self._log.read(query)
            return None if len(records) > events_max + 1 else Behind(found.position, records)

    def count(self, query: RowQuery) -> int:
        return len(self._holding(query))

    def totals(self, wanted: TotalsQuery) -> list[Totals]:
        return totals_of(wanted, self._holding(wanted.rows))

    def marks(self, wanted: MarksQuery) -> list[Mark]:
        with self._lock:
            every = [RowQuery(table=one, bucket=None, equal=()) for one in wanted.tables]
            rows, sessions = (self.select(query) for query in every)
            return marks_among(wanted, rows, sessions, self._log)

    def together(self, bucket: int, session: Key, wanted: SessionRows) -> list[list[Any]] | None:
        with self._lock:
            found = [self.current(query) for query in wanted.of(bucket, session)]
        return None if None in found else [views for views in found if views is not None]

    def snapshot(self, bucket: int, queries: Sequence[RowQuery]) -> Instant:
        with self._lock:
            head = self._log.positions()[bucket]
            rows = [self.select(query) for query in queries]
            return Instant(head, self.checkpoints(bucket), rows)

    def snapshot_of_each(
        self, queries: Sequence[RowQuery], sessions: Sequence[tuple[int, str]]
    ) -> Instants:
        with self._lock:
            instants = {bucket: self.snapshot(bucket, ()) for bucket, _ in sessions}
            views = [
                [self.read(of_session(query, *session)) for query in queries]
                for session in sessions
            ]
            return Instants(instants, views)

    def note_failure(self, failure: Failure) -> None:
        with self._lock:
            place = failure.identity, failure.bucket
            kept = self._state.failures.get(place)
            if kept is None or msgspec.structs.replace(kept, at=failure.at) != failure:
                self._state.failures[place] = failure

    def skip(self, skip: Skip) -> bool:
        with self._lock:
            version = self._state.versions.get(skip.identity)
            if version is None or version.places[skip.bucket] != skip.position - 1:
                return False
            self._state.skips.append(skip)
            version.places[skip.bucket] = skip.position
        return True

    def overview(self) -> Overview:
        with self._lock:
            versions = self._state.versions
            places = {identity: one.places for identity, one in versions.items()}
            return Overview(
                now=datetime.now(UTC),
                standings=self.standings([name for name, _ in versions]),
                failures=current(sorted(self._state.failures.values(), key=_order), places),
                skips=sorted(self._state.skips, key=_order),
            )

    def side_by_side(self, plans: Sequence[Plan[None]], stop: Callable[[], None]) -> None:
        in_turn(plans)

    def _holding(self, query: RowQuery) -> list[Row]:
        """Return the rows that hold a query's conditions, in no order."""
        fits = condition(query)
        with self._lock:
            return [
                row
                for bucket in buckets_of(query, self._buckets)
                for row in self._rows(query.table, bucket).asked(query)
                if fits(row)
            ]

    def _rows(self, table: Table, bucket: int) -> Bucket:
        found = self._state.rows.get(table.name)
        if found is None:
            raise VersionDropped(*table.identity)
        return found[bucket]

    def _place(self, table: Table, bucket: int) -> int | None:
        """Return how far a table has come; None if it was dropped."""
        found = self._state.versions.get(table.identity)
        return None if found is None else found.places[bucket]


def _order(stop: Failure | Skip) -> tuple[Identity, int, int]:
    return stop.identity, stop.bucket, stop.position


def _line(column: Column) -> str:
    return f"{column.name} {column.kind.name}{'' if column.optional else ' NOT NULL'}"
