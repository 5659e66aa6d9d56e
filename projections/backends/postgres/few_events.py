"""Statements for a few events: what they ask of several tables, in one round trip each.

Locks are never waited for here: a statement holds those of its tables from its first moment on,
and whoever removes a table takes them after the checkpoints'.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, json
from psycopg import sql

from ledger.backends.queries import load_queries
from ledger.records import Record

from ...engine.folding import Change
from ...engine.shapes import Shapes
from ...engine.tables import BUCKET, Identity, Key, Row, Table
from ..backlogs import checkpoints_of
from ..base import AHEAD_EVENTS_MAX, Backlog
from .calls import Call
from .composing import EVENT_COLUMNS, equals, joined
from .statements import SELECTED, TableStatements

#: Events that come with a backlog, all else with each of them: at least those that send who reads
#: ahead to fold them. Rows that are read by one statement, and tables that are written by one. More
#: of them come in pages, which hide a round trip.
EVENTS_MAX = AHEAD_EVENTS_MAX + 1
ROWS_MAX = 8
TABLES_MAX = 8

#: Where rows are.
Places = Sequence[tuple[TableStatements, Key]]
Tables = tuple[TableStatements, ...]

_TEMPLATES = load_queries(__package__, "few_events.sql")
_NOTHING = sql.SQL("")
_FOUND = "found"
_EVENT_AT = 2
_POSITION_AT = _EVENT_AT + Record.__struct_fields__.index("position")
_EVENT_END = _EVENT_AT + len(Record.__struct_fields__)
_places = json.Decoder(list[tuple[str, int, int, bool | None, bool | None]])


class _Version(Struct):
    projection: str
    version: int


class _Move(Struct):
    projection: str
    version: int
    before: int
    after: int


class FewEvents:
    """The statements of one schema, composed once for each choice of tables."""

    def __init__(self, schema: str) -> None:
        self._schema = sql.Identifier(schema)
        self._name = schema
        # By the statements themselves: a table's name may come to mean another struct.
        self._composed = Shapes[tuple[str, Tables, TableStatements | None], bytes]()

    def backlog(
        self,
        bucket: int,
        wanted: Sequence[Identity],
        limit: int,
        table: TableStatements | None,
        key: Key,
    ) -> Call:
        """Return the call that reads what is left to be folded, and a row if a table is given."""
        versions = json.encode([_Version(*identity) for identity in wanted]).decode()
        parameters: list[Any] = [bucket, bucket, versions, bucket, bucket, min(limit, EVENTS_MAX)]
        if table is not None:
            parameters += (bucket, *key)
        return Call(self._statement("backlog", (), table), parameters)

    def load(self, bucket: int, rows: Places) -> Call:
        """Return the call that reads rows by their keys."""
        statement = self._statement("load", tuple([table for table, _ in rows]))
        return Call(statement, [value for _, key in rows for value in (bucket, *key)], prepare=True)

    def store(
        self,
        bucket: int,
        changes: Sequence[Change],
        written: Sequence[TableStatements],
        row: tuple[TableStatements, Key] | None,
    ) -> Call:
        """Return the call that moves checkpoints and puts in the rows of those that have some.

        It changes nothing unless all of them move, and returns how many did, then one of the rows.
        """
        table, key = (None, ()) if row is None else row
        moves = [_Move(*one.table.identity, one.before, one.after) for one in changes]
        parameters = [json.encode(moves).decode(), bucket, bucket, len(moves)]
        for each, change in zip(written, [one for one in changes if one.rows], strict=True):
            parameters += each.upsert(bucket, change.rows).parameters
        return Call(self._statement("store", tuple(written), table), [*parameters, *key])

    def _statement(self, what: str, tables: Tables, table: TableStatements | None = None) -> bytes:
        found = self._composed.get((what, tables, table))
        if found is None:
            compose = {"backlog": self._backlog, "load": self._load, "store": self._store}[what]
            found = self._composed[what, tables, table] = compose(tables, table).as_bytes(None)
        return found

    def _backlog(self, tables: Tables, table: TableStatements | None) -> sql.Composed:
        row = _NOTHING if table is None else self._row(table, _FOUND, "first_event")
        return _template("backlog").format(
            schema=self._schema, event=EVENT_COLUMNS, row=row, found=_found(table)
        )

    def _load(self, tables: Tables, table: TableStatements | None) -> sql.Composed:
        rows = [self._row(one, f"row_{number}", "anything") for number, one in enumerate(tables)]
        return _template("load").format(rows=sql.SQL("\n").join(rows))

    def _store(self, tables: Tables, table: TableStatements | None) -> sql.Composed:
        names = [sql.Identifier(f"rows_{number}") for number in range(len(tables))]
        upserts = []
        for name, one in zip(names, tables, strict=True):
            returning = _template("returning").format(columns=_columns(one))
            upsert = one.upserting(_template("if_moved"), returning if one is table else _NOTHING)
            upserts.append(_template("store_rows").format(name=name, upsert=upsert))
        row: sql.Composable = _NOTHING
        if table is not None:
            row = _template("stored_row").format(
                rows=names[tables.index(table)], conditions=_equal(_FOUND, table.table.key)
            )
        return _template("store").format(
            schema=self._schema,
            upserts=sql.SQL("").join(upserts),
            found=_found(table),
            row=row,
        )

    def _row(self, table: TableStatements, name: str, beside: str) -> sql.Composed:
        return _template("row").format(
            columns=_columns(table),
            table=sql.Identifier(self._name, table.table.name),
            conditions=_equal("v", (BUCKET, *table.table.key)),
            name=sql.Identifier(name),
            beside=_template(beside),
        )


def rows_of(rows: Places, found: Row) -> dict[Table, dict[Key, Row]]:
    """Return what `load` found, by table and key."""
    start = 1
    loaded: dict[Table, dict[Key, Row]] = {}
    for statements, key in rows:
        end = start + len(statements.table.names)
        row = _there(statements, found[start:end])
        if row is not None:
            loaded.setdefault(statements.table, {})[key] = row
        start = end
    return loaded


def backlog_of(found: Sequence[Any], table: TableStatements | None) -> Backlog:
    """Return what `backlog` found."""
    ordered = sorted(found, key=lambda row: row[_POSITION_AT] or 0)
    head, places = ordered[0][:_EVENT_AT]
    records = [Record(*row[_EVENT_AT:_EVENT_END]) for row in ordered if row[_POSITION_AT]]
    row = None if table is None else _there(table, ordered[0][_EVENT_END:])
    return Backlog(head, checkpoints_of(_places.decode(places or "[]")), records, row)


def _there(statements: TableStatements, values: Row) -> Row | None:
    """Return a row; None if all of it is NULL, as no key is."""
    table = statements.table
    is_there = values[table.names.index(table.key[0])] is not None
    return statements.row(values) if is_there else None


def _columns(statements: TableStatements) -> sql.Composed:
    columns = statements.table.columns
    return sql.SQL(", ").join(
        SELECTED[column.kind].format(sql.Identifier("v", column.name)) for column in columns
    )


def _equal(of: str, names: Sequence[str]) -> sql.Composed:
    return joined(" AND ", (equals(sql.Identifier(of, name), name) for name in names))


def _found(table: TableStatements | None) -> sql.SQL:
    return _NOTHING if table is None else _template("found")


def _template(name: str) -> sql.SQL:
    return sql.SQL(_TEMPLATES[name])
