"""The SQL of one table, composed from templates: the only place where it is generated.

What is filled in are identifiers, of fields that the struct has and `tables` has checked; values
are parameters without exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from functools import cached_property
from typing import Any

import msgspec
from psycopg import sql

from ...engine.projection import Index
from ...engine.shapes import Shapes
from ...engine.tables import SEARCH_WORDS, Column, Key, Kind, Row, Table, key_line
from ..row_queries import RowQuery
from .ahead import ahead_parameters, ahead_statement
from .calls import Call
from .composing import composed, composed_part, joined, listed, of_v, template
from .exact import exact_numbers, ordered_keys
from .selects import parameters_of, select

_TYPES = {
    Kind.TEXT: "text",
    Kind.INTEGER: "bigint",
    Kind.REAL: "double precision",
    Kind.BOOLEAN: "boolean",
    Kind.MOMENT: "timestamp with time zone",
    Kind.JSON: "jsonb",
}
_SEARCH_COLUMN = "search_words tsvector"
_NOTHING = sql.SQL("")
_EQUAL = sql.SQL("{} = {}")


class TableStatements:
    """The statements on one table, and its rows as PostgreSQL sends and gets them."""

    def __init__(self, table: Table, schema: str) -> None:
        self.table = table
        is_current = composed_part("is_current", schema=sql.Identifier(schema))
        self._composed = Shapes[tuple[Any, ...], tuple[bytes, bool]]()
        self._name = sql.Identifier(schema, table.name)
        self._columns = joined(
            ", ", (SELECTED[column.kind].format(of_v(column.name)) for column in table.columns)
        )
        self._wanted = {
            "rows": self._columns,
            "current": joined(", ", [is_current, self._columns]),
            "count": sql.SQL("count(*)"),
        }
        self._moments = [
            place for place, column in enumerate(table.columns) if column.kind is Kind.MOMENT
        ]
        self._documents = [
            place for place, column in enumerate(table.columns) if column.kind is Kind.JSON
        ]
        # A fold that looks at the order of keys would find out where pages end, see reloading.
        self._unordered = [] if table.reloading is None else self._documents
        words = () if table.words is None else (SEARCH_WORDS,)
        # A struct is encoded several times as fast as a dict, with its moments. What is NULL is
        # left out, which is the same to the server: most rows have many of these.
        fields = [(name, Any, None) for name in (*table.names, *words)]
        self._object = msgspec.defstruct("Object", fields, gc=False, omit_defaults=True)
        self._schema = schema

    @property
    def layout(self) -> frozenset[str]:
        """How the table looks when PostgreSQL is asked for its columns, in any order, and its key."""
        engine = () if self.table.words is None else (_SEARCH_COLUMN,)
        lines = (
            layout_line(column.name, _TYPES[column.kind], not column.optional)
            for column in self.table.columns
        )
        return frozenset([*lines, *engine, key_line(self.table.key)])

    def load(self, bucket: int, keys: Sequence[Key]) -> Call:
        """Return the call that reads rows by their keys."""
        if len(keys) == 1:
            # What one more event asks for. Planning takes several times as long as reading.
            equal = tuple(zip(self.table.key, keys[0], strict=True))
            return self.select(RowQuery(table=self.table, bucket=bucket, equal=equal))
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
        objects = []
        for row in rows:
            values: list[Any] = list(row)
            for place in self._documents:
                if values[place] is not None:
                    values[place] = _EMPTY.get(values[place]) or _raw_json(values[place])
            if self.table.words is not None:
                values.append(" ".join(f"'{w}'" for w in self.table.words.of(row)) or None)
            objects.append(self._object(*values))
        return Call(self._upsert, (bucket, msgspec.json.encode(objects).decode()))

    def select(self, query: RowQuery) -> Call:
        """Return the call for a reader's query."""
        statement, is_key = self._statement("rows", query)
        plain = not (query.order or query.after or _is_special(query))
        return Call(statement, parameters_of(query), prepare=is_key if plain else False)

    def current(self, query: RowQuery) -> Call:
        """Return the call for a plain query of one bucket that also asks if it is up to date."""
        statement, is_key = self._statement("current", query)
        before = [query.bucket, *self.table.identity]
        return Call(statement, [*before, *parameters_of(query)], prepare=is_key)

    def ahead(self, bucket: int, key: Key, events_max: int) -> Call:
        """Return the call for a row under its whole key and what is not folded into it yet."""
        # Everything in it is found by a whole key, or is a few rows at one place of an index.
        return Call(
            self._ahead, ahead_parameters(self.table, bucket, key, events_max), prepare=True
        )

    def count(self, query: RowQuery) -> Call:
        """Return the call that counts what a reader's query asks for."""
        query = msgspec.structs.replace(query, after=None, order=(), limit=None)
        return Call(self._statement("count", query)[0], parameters_of(query), prepare=False)

    def _statement(self, what: str, query: RowQuery) -> tuple[bytes, bool]:
        """Return a query's statement, and whether it asks for a row by its whole key.

        Composed once for each shape: that takes as long as the query itself.
        """
        shape = (what, *query.shape)
        found = self._composed.get(shape)
        if found is None:
            named = {name for name, value in query.equal if value is not None}
            # One row by its whole key is found in one way, however large the table is.
            is_key = query.bucket is not None and set(self.table.key) <= named
            found = self._composed[shape] = (select(self._name, self._wanted[what], query), is_key)
        return found

    def row(self, values: Row) -> Row:
        """Return a row from what PostgreSQL returned."""
        if not self._moments and not self._unordered:
            return values
        row = list(values)
        for place in self._unordered:
            if row[place] is not None:
                row[place] = ordered_keys(row[place])
        for place in self._moments:
            if row[place] is not None:
                # The session's time zone is the server's business.
                row[place] = row[place].astimezone(UTC)
        return tuple(row)

    # Each is composed when it is first asked for: all of them for all views take 45 ms, which who
    # opens them for a read or two would wait for.
    @cached_property
    def create(self) -> list[bytes]:
        """The statements that make the table."""
        parts = [_definition(column) for column in self.table.columns]
        search: list[bytes] = []
        if self.table.words is not None:
            parts.append(sql.Composed([sql.SQL(_SEARCH_COLUMN)]))
            index = sql.Identifier(f"{self.table.name}_w")
            search.append(composed("create_search", table=self._name, index=index))
        definitions = joined(",\n    ", parts)
        return [
            composed("create_table", table=self._name, definitions=definitions),
            *(
                composed(
                    "create_index",
                    table=self._name,
                    index=sql.Identifier(name),
                    columns=listed(index.fields),
                    rows=_rows(index),
                )
                for name, index in self.table.indexes.items()
            ),
            *search,
            composed("create_key", table=self._name, key=listed(self.table.key)),
        ]

    @cached_property
    def _load(self) -> bytes:
        key = self.table.key
        return composed(
            "load",
            columns=self._columns,
            table=self._name,
            key=listed(key),
            parameters=joined(", ", [sql.SQL("%s::text[]")] * len(key)),
            matches=joined(
                " AND ",
                (
                    _EQUAL.format(sql.Identifier("t", name), sql.Identifier("wanted", name))
                    for name in key
                ),
            ),
        )

    @cached_property
    def _ahead(self) -> bytes:
        return ahead_statement(self._schema, self.table, self._columns)

    @cached_property
    def _upsert(self) -> bytes:
        return self.upserting().as_bytes(None)

    @cached_property
    def _delete(self) -> bytes:
        conditions = (
            _EQUAL.format(sql.Identifier(name), sql.Placeholder()) for name in self.table.key
        )
        return composed("delete", table=self._name, conditions=joined(" AND ", conditions))

    @cached_property
    def _clear(self) -> bytes:
        return composed("clear", table=self._name)

    def upserting(
        self, condition: sql.Composable = _NOTHING, returning: sql.Composable = _NOTHING
    ) -> sql.Composed:
        """Return the statement that puts rows in, as a part of another one or a whole one."""
        table = self.table
        others = [name for name in table.names if name not in table.key] or list(table.key)
        written = table.names
        if table.words is not None:
            written = (*written, SEARCH_WORDS)
            others = [*others, SEARCH_WORDS]
        assign = sql.SQL("{} = {}")
        return template("upsert").format(
            table=self._name,
            condition=condition,
            returning=returning,
            columns=listed(written),
            key=listed(table.key),
            assignments=joined(
                ", ",
                (assign.format(sql.Identifier(n), sql.Identifier("excluded", n)) for n in others),
            ),
        )


def _is_special(query: RowQuery) -> bool:
    """Whether a query says more than which columns equal what."""
    bounds = query.at_least or query.below or query.one_of or query.unlike
    return bool(bounds or query.positive or query.words)


def layout_line(name: str, type: str, not_null: bool) -> str:
    """Return one column as it is declared, for comparison and for people."""
    return f"{name} {type}{' NOT NULL' if not_null else ''}"


def _rows(index: Index) -> sql.Composable:
    conditions = (("rows_present", index.present), ("rows_positive", index.positive))
    found = [template(name).format(field=sql.Identifier(one)) for name, one in conditions if one]
    return joined("", found)


def _definition(column: Column) -> sql.Composed:
    collation = ' COLLATE "C"' if column.kind is Kind.TEXT else ""
    declared = f"{_TYPES[column.kind]}{collation}{'' if column.optional else ' NOT NULL'}"
    return sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(declared))


def _raw_json(value: str) -> msgspec.Raw:
    return msgspec.Raw(exact_numbers(value).encode())


# Most are one of these.
_EMPTY = {text: _raw_json(text) for text in ("{}", "[]")}


# JSON comes back as text: it is decoded once, into the field's own type.
SELECTED = {kind: sql.SQL("{}::text" if kind is Kind.JSON else "{}") for kind in Kind}
