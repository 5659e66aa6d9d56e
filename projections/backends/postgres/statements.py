"""The SQL of one schema's views, composed from templates: the only place where it is generated.

What is filled in are identifiers, of fields that the struct has and `tables` has checked; values
are parameters without exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString, NamedTuple

import msgspec
from psycopg import sql

from ledger.backends.queries import load_queries

from ...tables import BUCKET, Column, Key, Kind, Row, Table
from ..base import RowQuery
from .exact import exact_numbers

_TEMPLATES = load_queries(__package__, "statements.sql")
_TYPES = {
    Kind.TEXT: "text",
    Kind.INTEGER: "bigint",
    Kind.REAL: "double precision",
    Kind.BOOLEAN: "boolean",
    Kind.MOMENT: "timestamp with time zone",
    Kind.JSON: "jsonb",
}
_COMMON = (
    "create_checkpoints",
    "create_checkpoint",
    "forget_checkpoints",
    "count_checkpoints",
    "checkpoints",
    "positions",
    "move_checkpoint",
)


class Call(NamedTuple):
    """A statement, its parameters, and whether it is prepared: None is when used often.

    False is for joins and lists: what a prepared one decided on a small table, it would do on a
    big one.
    """

    statement: bytes
    parameters: Sequence[Any] = ()
    prepare: bool | None = None


class SchemaStatements:
    """The statements that belong to no single table."""

    def __init__(self, schema: str) -> None:
        self.lock = _TEMPLATES["lock"].encode()
        self.layouts = _TEMPLATES["layouts"].encode()
        found = {name: _composed(name, schema=sql.Identifier(schema)) for name in _COMMON}
        self.create_checkpoints = found["create_checkpoints"]
        self.create_checkpoint = found["create_checkpoint"]
        self.forget_checkpoints = found["forget_checkpoints"]
        self.count_checkpoints = found["count_checkpoints"]
        self.checkpoints = found["checkpoints"]
        self.positions = found["positions"]
        self.move_checkpoint = found["move_checkpoint"]


class TableStatements:
    """The statements on one table, and its rows as PostgreSQL sends and gets them."""

    def __init__(self, table: Table, schema: str) -> None:
        self.table = table
        self._name = sql.Identifier(schema, table.name)
        self._columns = _joined(
            ", ", (_SELECTED[column.kind].format(_of_v(column.name)) for column in table.columns)
        )
        self._moments = [
            place for place, column in enumerate(table.columns) if column.kind is Kind.MOMENT
        ]
        self._writers = [
            (column.name, _WRITERS.get(column.kind, _as_it_is)) for column in table.columns
        ]
        self.create = self._create()
        self._upsert = self._composed_upsert()
        by_key = sql.SQL("{} = {}")
        self._load = _composed(
            "load",
            columns=self._columns,
            table=self._name,
            key=_listed(table.key),
            parameters=_joined(", ", [sql.SQL("%s::text[]")] * len(table.key)),
            matches=_joined(
                " AND ",
                (
                    by_key.format(sql.Identifier("t", name), sql.Identifier("wanted", name))
                    for name in table.key
                ),
            ),
        )
        conditions = (by_key.format(sql.Identifier(name), sql.Placeholder()) for name in table.key)
        self._delete = _composed(
            "delete", table=self._name, conditions=_joined(" AND ", conditions)
        )
        self._clear = _composed("clear", table=self._name)

    @property
    def layout(self) -> frozenset[str]:
        """How the table's columns look when PostgreSQL is asked for them; their order is free."""
        return frozenset(
            layout_line(column.name, _TYPES[column.kind], not column.optional)
            for column in self.table.columns
        )

    def load(self, bucket: int, keys: Sequence[Key]) -> Call:
        """Return the call that reads rows by their keys."""
        by_field = [list(values) for values in zip(*keys, strict=True)]
        return Call(self._load, (*by_field, bucket), prepare=False)

    def delete(self, bucket: int, key: Key) -> Call:
        """Return the call that deletes a row."""
        return Call(self._delete, (bucket, *key))

    def clear(self, bucket: int, session: Key) -> Call:
        """Return the call that deletes all rows of a session."""
        return Call(self._clear, (bucket, *session))

    def upsert(self, bucket: int, rows: Sequence[Row]) -> Call:
        """Return the call that inserts or replaces rows."""
        objects = [
            {
                name: None if value is None else write(value)
                for (name, write), value in zip(self._writers, row, strict=True)
            }
            for row in rows
        ]
        return Call(self._upsert, (bucket, msgspec.json.encode(objects).decode()))

    def select(self, query: RowQuery) -> Call:
        """Return the call for a reader's query."""
        conditions: list[sql.Composable] = [sql.SQL("true")]
        parameters: list[Any] = []
        equal = query.equal if query.bucket is None else ((BUCKET, query.bucket), *query.equal)
        for name, value in equal:
            if value is None:
                conditions.append(sql.SQL("{} IS NULL").format(_of_v(name)))
            else:
                conditions.append(sql.SQL("{} = %s").format(_of_v(name)))
                parameters.append(value)
        for limited, pairs in (("{} >= %s", query.at_least), ("{} < %s", query.below)):
            for name, value in pairs:
                conditions.append(sql.SQL(limited).format(_of_v(name)))
                parameters.append(value)
        order = [_of_v(name) for name in query.order]
        if query.after is not None:
            template = sql.SQL("({}) < ({})" if query.descending else "({}) > ({})")
            marks = [sql.SQL("%s")] * len(order)
            conditions.append(template.format(_joined(", ", order), _joined(", ", marks)))
            parameters += query.after
        parts = [
            _template("select").format(
                columns=self._columns, table=self._name, conditions=_joined(" AND ", conditions)
            )
        ]
        if order:
            direction = sql.SQL("{} DESC" if query.descending else "{}")
            ordered = _joined(", ", (direction.format(name) for name in order))
            parts.append(_template("order").format(order=ordered))
        if query.limit is not None:
            parts.append(sql.Composed([sql.SQL("LIMIT %s")]))
            parameters.append(query.limit)
        return Call(_joined("\n", parts).as_bytes(None), parameters, prepare=False)

    def row(self, values: Row) -> Row:
        """Return a row from what PostgreSQL returned."""
        if not self._moments:
            return values
        row = list(values)
        for place in self._moments:
            if row[place] is not None:
                # The session's time zone is the server's business.
                row[place] = row[place].astimezone(UTC)
        return tuple(row)

    def _create(self) -> list[bytes]:
        definitions = _joined(",\n    ", (_definition(column) for column in self.table.columns))
        return [
            _composed("create_table", table=self._name, definitions=definitions),
            *(
                _composed(
                    "create_index",
                    table=self._name,
                    index=sql.Identifier(name),
                    columns=_listed(columns),
                )
                for name, columns in self.table.indexes.items()
            ),
            _composed("create_key", table=self._name, key=_listed(self.table.key)),
        ]

    def _composed_upsert(self) -> bytes:
        table = self.table
        others = [name for name in table.names if name not in table.key] or list(table.key)
        assign = sql.SQL("{} = {}")
        return _composed(
            "upsert",
            table=self._name,
            columns=_listed(table.names),
            key=_listed(table.key),
            assignments=_joined(
                ", ",
                (assign.format(sql.Identifier(n), sql.Identifier("excluded", n)) for n in others),
            ),
        )


def layout_line(name: str, type: str, not_null: bool) -> str:
    """Return one column as it is declared, for comparison and for people."""
    return f"{name} {type}{' NOT NULL' if not_null else ''}"


def _definition(column: Column) -> sql.Composed:
    collation = ' COLLATE "C"' if column.kind is Kind.TEXT else ""
    declared = f"{_TYPES[column.kind]}{collation}{'' if column.optional else ' NOT NULL'}"
    return sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(declared))


def _as_it_is(value: Any) -> Any:
    return value


def _moment(value: datetime) -> str:
    return value.isoformat()


def _raw_json(value: str) -> msgspec.Raw:
    return msgspec.Raw(exact_numbers(value).encode())


_WRITERS: dict[Kind, Callable[[Any], Any]] = {Kind.MOMENT: _moment, Kind.JSON: _raw_json}
# JSON comes back as text: it is decoded once, into the field's own type.
_SELECTED = {kind: sql.SQL("{}::text" if kind is Kind.JSON else "{}") for kind in Kind}


def _of_v(name: str) -> sql.Identifier:
    return sql.Identifier("v", name)


def _listed(names: Iterable[str]) -> sql.Composed:
    return _joined(", ", (sql.Identifier(name) for name in names))


def _joined(separator: LiteralString, parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(separator).join(parts)


def _composed(name: str, **parts: sql.Composable) -> bytes:
    return _template(name).format(**parts).as_bytes(None)


def _template(name: str) -> sql.SQL:
    return sql.SQL(_TEMPLATES[name])
