"""The engine, as plans: brings the rows of a bucket to a position of the log, exactly once.

No leader and no lock: any number of threads and processes may do this at once. Whoever moves the
checkpoint first wins; the others find it moved, drop their work and go on from there.

Of the versions of a projection, readers want one (see `chosen`). All that are built are kept
going with it; one that is not is left to its rebuild, however far behind it is. One that is
dropped meanwhile is left out by who only kept it going.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from inspect import isawaitable
from typing import Any

from ledger import IntegrityError
from ledger.backends.base import AsyncBackend, Backend, FeedQuery
from ledger.paging import PageSize
from ledger.plans import Plan
from ledger.records import Record
from ledger.upcasts import Upcasts

from ..backends.base import AsyncViewBackend, Backlog, Checkpoint, Standing, ViewBackend
from ..errors import ProjectionFailed, VersionDropped
from .asked import Asked
from .buckets import AfterPage, Due, reach_each
from .collector import Uncollected
from .dropping import outlives_drops
from .folding import Change, Folded, fold
from .pages import between, check_dense
from .stops import failure_of
from .tables import Identity, Key, Row, Table
from .work import decode_page, stored_keys, work_of

#: What each page costs takes a sixth of the time of folding in pages of 500, and a twentieth in
#: those of 2,000; larger ones than these gain nothing, and let appends to SQLite wait longer.
BATCH_EVENTS_MAX = 3_000
_REFUSALS_MAX = 10


class Projector:
    """Folds one ledger's log into a set of tables."""

    def __init__(
        self,
        log: Backend | AsyncBackend,
        views: ViewBackend | AsyncViewBackend,
        tables: Sequence[Table],
        upcasts: Upcasts,
        batch_events_max: int = BATCH_EVENTS_MAX,
        caches: Sequence[Table] = (),
    ) -> None:
        """Take tables to fold into, and `caches`: no event fills them, deletions empty them."""
        self.caches = tuple(caches)
        self._log = log
        self._views = views
        self._tables = tables
        self._names = tuple(dict.fromkeys(table.projection.name for table in tables))
        self._upcasts = upcasts
        # For all buckets and callers: what a page of this log holds is much the same everywhere.
        self._size = PageSize(batch_events_max)
        # One entry per bucket of a table at most.
        self._noted: dict[tuple[Identity, int], tuple[int, str]] = {}
        self._growing: set[int] = set()

    @outlives_drops
    def catch_up(
        self, bucket: int | None, names: Sequence[str] | None = None
    ) -> Plan[dict[str, Table]]:
        """Bring projections to where the log ends now, in one bucket or in all.

        Returns the tables to read. A failing fold stops its projection in its bucket; when
        everything else is done, the first such failure is raised. Tables that are not asked for go
        along where they share a page, and may fail there: who asks for them will be told.
        """
        if bucket is not None:
            known = [one for one in self._tables if not names or one.projection.name in names]
            found = yield from self._backlog(bucket, known)
            tables = chosen(self._tables, names or self._names, found.checkpoints)
            wanted = list(tables.values()) if names else self.kept(found.checkpoints)
            self._expect(bucket, found, wanted)
            failures = yield from self.reach(
                bucket, found.head, wanted, found=found, only_kept=not names
            )
        else:
            heads: list[int] = yield self._log.positions()
            standings = yield from self.standings(names)
            tables = chosen(self._tables, names or self._names, standings)
            wanted = list(tables.values()) if names else self.kept(standings)
            failures = yield from self.reach_all(heads, wanted, standings, only_kept=not names)
            for table in () if names or failures else tables.values():
                if not standings[table.identity].built:
                    yield self._views.mark_built(table.identity)
        if failures:
            raise failures[0]
        return tables

    def row(self, table: Table, bucket: int, key: Key) -> Plan[list[Row] | None]:
        """Bring a table to where the log of a bucket ends now, and return a row of it if it is there.

        It is read on the way. None if the table is not the one to read; the long way finds that.
        """
        asked, name = Asked(table, key), table.projection.name
        known = [one for one in self._tables if one.projection.name == name]
        found = yield from self._backlog(bucket, known, asked)
        if chosen(known, [name], found.checkpoints)[name] is not table:
            return None
        if self._expect(bucket, found, [table]):
            failures = yield from self.reach(bucket, found.head, [table], found=found, asked=asked)
            if failures:
                raise failures[0]
        if not asked.is_known:
            [rows] = yield self._views.load(bucket, [(table, [key])])
            asked.knows(rows.get(key))
        return asked.present

    def expects(self, bucket: int | None) -> bool:
        """Whether something was left to be folded into a bucket when that was last looked at.

        Then there likely is again: who appends and reads in turns always finds something, and most
        readers never do. To look first whether a reader's rows are current is a round trip for
        nothing then; where the guess is wrong, it would have saved one at most.
        """
        return bucket in self._growing

    def advance(
        self,
        names: Sequence[str] | None,
        stuck: Mapping[tuple[Identity, int], int],
        after_page: AfterPage,
    ) -> Plan[list[ProjectionFailed]]:
        """Bring what is kept going to where the log ends now and return the failures.

        Tables that stand in a bucket where they are known to be `stuck` are left alone there.
        Raises VersionDropped if nothing of what is known here is stored any more.
        """
        heads: list[int] = yield self._log.positions()
        standings = yield from self.standings(names)
        kept = self.kept(standings)
        if self._tables and not kept:
            raise VersionDropped(", ".join(names or self._names))
        due: list[Due] = []
        for bucket, head in enumerate(heads):
            places = {table: standings[table.identity].positions[bucket] for table in kept}
            behind = [
                table
                for table, place in places.items()
                if place < head and stuck.get((table.identity, bucket)) != place
            ]
            if behind:
                due.append((bucket, head, behind))
        return (yield from self._reach_each(due, after_page, only_kept=True))

    def standings(self, names: Sequence[str] | None = None) -> Plan[dict[Identity, Standing]]:
        """Return how far the versions of projections have come, by name and version."""
        found: list[Standing] = yield self._views.standings(names or self._names)
        return {(standing.projection, standing.version): standing for standing in found}

    def chosen(self, names: Sequence[str]) -> Plan[dict[str, Table]]:
        """Return the table that readers of each projection read."""
        return chosen(self._tables, names, (yield from self.standings(names)))

    def places(self, names: Sequence[str]) -> Plan[dict[Table, Sequence[int]]]:
        """Return the table that readers of each projection read, and how far it has come."""
        found = yield from self.standings(names)
        tables = chosen(self._tables, names, found).values()
        return {table: found[table.identity].positions for table in tables}

    def reach_all(
        self,
        heads: Sequence[int],
        wanted: Sequence[Table],
        standings: Mapping[Identity, Standing],
        *,
        only_kept: bool = False,
    ) -> Plan[list[ProjectionFailed]]:
        """Bring tables to a position of each bucket and return the failures."""
        due = [
            (bucket, head, wanted)
            for bucket, head in enumerate(heads)
            if any(standings[table.identity].positions[bucket] < head for table in wanted)
        ]
        return (yield from self._reach_each(due, only_kept=only_kept))

    def _reach_each(
        self, due: Sequence[Due], after_page: AfterPage | None = None, *, only_kept: bool
    ) -> Plan[list[ProjectionFailed]]:
        def reach(one: Due, goes_on: AfterPage) -> Plan[list[ProjectionFailed]]:
            return self.reach(*one, after_page=goes_on, only_kept=only_kept)

        return reach_each(self._views, due, reach, after_page)

    def reach(
        self,
        bucket: int,
        head: int,
        wanted: Sequence[Table],
        *,
        found: Backlog | None = None,
        after_page: AfterPage | None = None,
        only_kept: bool = False,
        asked: Asked | None = None,
    ) -> Plan[list[ProjectionFailed]]:
        """Bring tables to a position of one bucket and return the failures of those that stopped.

        `found` is the bucket's backlog, if it has just been read. Raises VersionDropped if
        one of the tables is gone; those that are `only_kept` going are left out then.
        """
        failures: dict[Table, ProjectionFailed] = {}
        done = False
        before: list[int] = []
        refusals = 0
        gone: VersionDropped | None = None  # what ended the last try
        while not done:
            if found is None:
                found = yield from self._backlog(bucket, wanted, asked)
            positions = [one.position for one in found.checkpoints.values()]
            # Whoever was refused finds that somebody moved; else it would try again for ever.
            refusals = refusals + 1 if positions == before else 0
            if refusals == _REFUSALS_MAX:
                if gone is not None:
                    raise VersionDropped(gone.projection) from gone
                raise IntegrityError(
                    f"The views of bucket {bucket} cannot be stored although no checkpoint moved:"
                    " rows of their checkpoints are missing."
                )
            before = positions
            there = [table for table in wanted if table.identity in found.checkpoints]
            if len(there) < len(wanted) and not only_kept:
                raise next(VersionDropped(*t.identity) for t in wanted if t not in there)
            gone = None
            try:
                done = yield from self._pages(
                    bucket, head, there, found, failures, after_page, asked
                )
            except VersionDropped as error:
                gone = error  # inside a page: its checkpoint is not found again
            found = None
        for failure in failures.values():
            yield from self._note(failure)
        return [failure for table, failure in failures.items() if table in wanted]

    def _pages(
        self,
        bucket: int,
        head: int,
        wanted: Sequence[Table],
        backlog: Backlog,
        failures: dict[Table, ProjectionFailed],
        after_page: AfterPage | None,
        asked: Asked | None,
    ) -> Plan[bool]:
        """Fold page after page; False if somebody else moved a checkpoint meanwhile.

        Tables at the same position share a page. A page ends where the next table stands, so that
        those behind catch up with it and share the rest.
        """
        found = backlog.checkpoints
        sharing = list(dict.fromkeys([*wanted, *self.kept(found)]))
        places = {table: found[table.identity].position for table in sharing}
        while behind := [t for t in wanted if t not in failures and places[t] < head]:
            start = min(places[table] for table in behind)
            end = min(head, start + self._size.events)
            end = min([end, *(places[table] for table in behind if places[table] > start)])
            group = [t for t in sharing if t not in failures and places[t] == start]
            skips = {table: found[table.identity].skips for table in group}
            records = between(backlog.records, start, end)
            if records is None:
                query = FeedQuery(ranges=((bucket, start, end),), limit=end - start)
                records = yield self._log.feed(query)
            folded = yield from self._step(bucket, start, end, records, skips, asked)
            if folded is None:
                return False
            places |= {change.table: change.after for change, _ in folded}
            failures |= {change.table: failure for change, failure in folded if failure}
            if after_page is not None and not after_page(max(places[t] for t in group) - start):
                break
        return True

    def _step(
        self,
        bucket: int,
        start: int,
        end: int,
        records: Sequence[Record],
        skips: Mapping[Table, frozenset[int]],
        asked: Asked | None,
    ) -> Plan[Sequence[Folded] | None]:
        """Fold one page into the tables that stand at its start; None if they moved.

        `skips` are those tables, with the positions that each leaves out.
        """
        check_dense(bucket, start, end, records)
        self._size.saw(records)
        with Uncollected(len(records)) as collector:
            page = decode_page(records, skips, self._upcasts)
            works = [work_of(table, page, left_out) for table, left_out in skips.items()]
            ready = {} if asked is None else asked.loaded(works)
            missing = [
                (one.table, keys)
                for one in works
                if one.table not in ready and (keys := stored_keys(one, page))
            ]
            rows: Any = self._views.load(bucket, missing) if missing else []
            if isawaitable(rows):
                collector.resume()
                rows = yield rows
                collector.pause()
            loaded = ready | {table: found for (table, _), found in zip(missing, rows, strict=True)}
            folded = [fold(work, start, loaded.get(work.table, {})) for work in works]
            del page, works  # gone before the collector looks at what is there
        changes = [change for change, _ in folded if change.after > start]
        deleted = sorted({session for change in changes for session in change.cleared})
        changes += [Change(cache, 0, 0, cleared=deleted) for cache in self.caches if deleted]
        if changes and not (yield from self._store(bucket, changes, asked)):
            return None
        # Who failed at the page's first event stored nothing, so nothing was compared: if the
        # checkpoint moved meanwhile, the rows were of a later position and the failure is nobody's.
        stuck = [change.table for change, _ in folded if change.after == start]
        if stuck:
            found: Mapping[Identity, Checkpoint] = yield self._views.checkpoints(bucket)
            if any(_position(found, table) != start for table in stuck):
                return None
        return folded

    def _store(self, bucket: int, changes: Sequence[Change], asked: Asked | None) -> Plan[bool]:
        """Store a page; also find out what has become of the row that is asked for."""
        if asked is None or not asked.is_written_by(changes):
            if asked is not None and asked.may_be_gone_by(changes):
                asked.is_known = False
            stored: bool = yield self._views.store(bucket, changes, durable=False)
            return stored
        row: Row | None = yield self._views.store_and_load(bucket, changes, asked.place)
        asked.knows(row)
        return row is not None

    def _backlog(
        self, bucket: int, tables: Sequence[Table], asked: Asked | None = None
    ) -> Plan[Backlog]:
        """Read where tables stand and what comes next, in a page as large as pages are now."""
        wanted = [table.identity for table in tables]
        place = None if asked is None else asked.place
        found: Backlog = yield self._views.backlog(bucket, wanted, self._size.events, place)
        if asked is not None:
            asked.knows(found.row)
        return found

    def _expect(self, bucket: int, found: Backlog, tables: Sequence[Table]) -> bool:
        """Return whether something is left to be folded, and remember it for `expects`."""
        is_behind = any(found.checkpoints[table.identity].position < found.head for table in tables)
        (self._growing.add if is_behind else self._growing.discard)(bucket)
        return is_behind

    def _note(self, failed: ProjectionFailed) -> Plan[None]:
        """Keep a failure for everybody to see; once, for whoever reads again meets it again."""
        place = ((failed.projection, failed.version), failed.bucket)
        if self._noted.get(place) != (failed.position, failed.reason):
            yield self._views.note_failure(failure_of(failed.projection, failed, datetime.now(UTC)))
            self._noted[place] = (failed.position, failed.reason)

    def kept(self, found: Mapping[Identity, Checkpoint | Standing]) -> list[Table]:
        """Return the tables that are kept going: those that are read and all others built."""
        present = [table.projection.name for table in self._tables if table.identity in found]
        read = chosen(self._tables, present, found).values()
        built = (t for t in self._tables if t.identity in found and found[t.identity].built)
        return list(dict.fromkeys([*read, *built]))


def chosen(
    tables: Sequence[Table],
    names: Iterable[str],
    found: Mapping[Identity, Checkpoint | Standing],
) -> dict[str, Table]:
    """Return the table that readers of each projection read, of those that are known here.

    That is the active version, or else the highest that is built, or else the highest.
    """

    def rank(table: Table) -> tuple[bool, bool, int]:
        one = found[table.identity]
        return one.active, one.built, table.projection.version

    by_name: dict[str, list[Table]] = {name: [] for name in names}
    for table in tables:
        if table.projection.name in by_name and table.identity in found:
            by_name[table.projection.name].append(table)
    for name, known in by_name.items():
        if not known:
            raise VersionDropped(name)
    return {name: max(known, key=rank) for name, known in by_name.items()}


def _position(found: Mapping[Identity, Checkpoint], table: Table) -> int | None:
    """Return how far a table has come; None if it was dropped."""
    one = found.get(table.identity)
    return None if one is None else one.position
