"""The storage operations on a few events, as plans: one statement each, or the long way instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from psycopg.errors import UndefinedTable

from ledger.plans import Plan

from ...engine.folding import Change
from ...engine.tables import Identity, Key, Row, Table
from ...errors import VersionDropped
from ..base import Backlog, Place
from .calls import Results, Send
from .few_events import ROWS_MAX, TABLES_MAX, FewEvents, backlog_of, rows_of
from .statements import TableStatements


class StoringFew:
    """Does in one statement what a few events ask for; None where they are not that few."""

    def __init__(
        self, schema: str, of: Callable[[Table], TableStatements], *, distributed: bool
    ) -> None:
        self._statements = FewEvents(schema)
        self._of = of
        # Citus stores nothing by a part of a statement.
        self._stores = not distributed

    def backlog(
        self, send: Send, bucket: int, wanted: Sequence[Identity], limit: int, row: Place | None
    ) -> Plan[Backlog]:
        """Read what is left to be folded, and a row."""
        statements, key = (None, ()) if row is None else (self._of(row[0]), row[1])
        call = self._statements.backlog(bucket, wanted, limit, statements, key)
        try:
            results: Results = yield send([call])
        except UndefinedTable as error:
            if row is None:
                raise
            raise VersionDropped(*row[0].identity) from error
        return backlog_of(results[0][0], statements)

    def load(
        self, send: Send, bucket: int, wanted: Sequence[tuple[Table, Sequence[Key]]]
    ) -> Plan[list[dict[Key, Row]] | None]:
        """Read the rows of several tables."""
        places = [(self._of(table), key) for table, keys in wanted for key in keys]
        if not 1 < len(places) <= ROWS_MAX:
            return None
        results: Results = yield send([self._statements.load(bucket, places)])
        found = rows_of(places, results[0][0][0])
        return [found.get(table, {}) for table, _ in wanted]

    def store(
        self, send: Send, bucket: int, changes: Sequence[Change], row: Place | None
    ) -> Plan[Row | None]:
        """Store what is not durable; return the row that is asked for, () if none is.

        None, and nothing done, also if a checkpoint moved or is held: the long way tells.
        """
        written = [self._of(change.table) for change in changes if change.rows]
        is_few = len(written) <= TABLES_MAX and not any(one.cleared or one.gone for one in changes)
        if not (is_few and self._stores):
            return None
        place = None if row is None else (self._of(row[0]), row[1])
        try:
            results: Results = yield send([self._statements.store(bucket, changes, written, place)])
        except UndefinedTable:
            return None  # dropped, and its checkpoint with it
        [(moved, _, *values)] = results[0][0]
        if moved != len(changes):
            return None
        return () if row is None else self._of(row[0]).row(tuple(values))
