"""The SQL of one table, composed from templates: the only place where it is generated.

What is filled in are identifiers, of fields that the struct has and `tables` has checked; values
are parameters without exception.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from ledger.backends.queries import load_queries

from ...engine.projection import Index
from ...engine.tables import SEARCH_ID, SEARCH_WORDS, Column, Kind, Row, Table
from ..base import SHAPES_MAX, RowQuery

SQL = load_queries(__package__, "statements.sql")

_TYPES = {
    Kind.TEXT: "TEXT",
    Kind.INTEGER: "INTEGER",
    Kind.REAL: "REAL",
    Kind.BOOLEAN: "INTEGER",
    Kind.MOMENT: "TEXT",
    Kind.JSON: "TEXT",
}
_SEARCH_COLUMNS = (f'"{SEARCH_WORDS}" TEXT', f'"{SEARCH_ID}" INTEGER')


class TableStatements:
    """The statements on one table, and its rows as SQLite holds them."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._composed: dict[tuple[Any, ...], str] = {}
        self._wanted = {"rows": _listed(table.names, "v."), "count": "count(*)"}
        places = list(enumerate(table.columns))
        self._moments = [place for place, column in places if column.kind is Kind.MOMENT]
        self._booleans = [place for place, column in places if column.kind is Kind.BOOLEAN]
        others = [name for name in table.names if name not in table.key] or list(table.key)
        parts = {
            "table": _quoted(table.name),
            "key": _listed(table.key),
            "columns": _listed(table.names),
        }
        searched = table.words is not None
        written = (*table.names, SEARCH_WORDS) if searched else table.names
        create = SQL["create_searched_table" if searched else "create_table"]
        self.create = [create.format(definitions=_definitions(table), **parts)]
        self.create += [
            SQL["create_index"].format(
                index=_quoted(name),
                table=parts["table"],
                columns=_listed(index.fields),
                rows=_rows(index),
            )
            for name, index in table.indexes.items()
        ]
        if searched:
            self.create += _search(table.name)
        self.load = SQL["load"].format(
            table=parts["table"],
            columns=_listed(table.names, "v."),
            matches=" AND ".join(
                f"v.{_quoted(name)} = wanted.value ->> {place}"
                for place, name in enumerate(table.key)
            ),
        )
        self.upsert = SQL["upsert"].format(
            parameters=", ".join("?" * (len(written) + 1)),
            assignments=", ".join(
                f"{_quoted(name)} = excluded.{_quoted(name)}"
                for name in (*others, *written[len(table.names) :])
            ),
            **(parts | {"columns": _listed(written)}),
        )
        self.delete = SQL["delete"].format(
            table=parts["table"],
            conditions=" AND ".join(f"{_quoted(name)} = ?" for name in table.key),
        )
        self.clear = SQL["clear"].format(**parts)

    @property
    def layout(self) -> frozenset[str]:
        """How the table's columns look when SQLite is asked for them; their order is free."""
        engine = () if self.table.words is None else _SEARCH_COLUMNS
        return frozenset([*(_definition(column) for column in self.table.columns), *engine])

    def select(self, query: RowQuery) -> tuple[str, list[Any]]:
        """Return the statement of a reader's query and its parameters."""
        return self._statement("rows", query), _parameters(query)

    def count(self, query: RowQuery) -> tuple[str, list[Any]]:
        """Return the statement that counts what a reader's query asks for, and its parameters."""
        query = msgspec.structs.replace(query, after=None, order=(), limit=None)
        return self._statement("count", query), _parameters(query)

    def _statement(self, what: str, query: RowQuery) -> str:
        """Compose a statement once for each shape: that takes as long as the query itself."""
        shape = (what, *query.shape)
        found = self._composed.get(shape)
        if found is None:
            if len(self._composed) >= SHAPES_MAX:
                self._composed.clear()
            found = self._composed[shape] = self._compose(self._wanted[what], query)
        return found

    def _compose(self, columns: str, query: RowQuery) -> str:
        conditions = ["true"] if query.bucket is None else ["true", "v.bucket = ?"]
        for name, value in query.equal:
            conditions.append(f"v.{_quoted(name)} {'IS NULL' if value is None else '= ?'}")
        for name, values in query.one_of:
            conditions.append(f"v.{_quoted(name)} IN ({', '.join('?' * len(values))})")
        # As it stands in the index of those rows: SQLite proves nothing about parameters.
        conditions.extend(f"v.{_quoted(name)} > 0" for name in query.positive)
        for sign, pairs in ((">=", query.at_least), ("<", query.below)):
            conditions.extend(f"v.{_quoted(name)} {sign} ?" for name, _ in pairs)
        if query.after is not None:
            sign = "<" if query.descending else ">"
            marks = ", ".join("?" * len(query.order))
            conditions.append(f"({_listed(query.order, 'v.')}) {sign} ({marks})")
        template = SQL["select_found" if query.words else "select"]
        statement = template.format(
            columns=columns,
            table=_quoted(self.table.name),
            search=_quoted(search_name(self.table.name)),
            conditions=" AND ".join(conditions),
        )
        if query.order:
            direction = " DESC" if query.descending else ""
            order = ", ".join(f"v.{_quoted(name)}{direction}" for name in query.order)
            statement += "\n" + SQL["order"].format(order=order)
        return statement if query.limit is None else statement + "\nLIMIT ?"

    def bound(self, bucket: int, row: Row) -> Row:
        """Return a row as parameters of `upsert`."""
        values = [bucket, *row]
        if self.table.words is not None:
            values.append(" ".join(self.table.words.of(row)) or None)
        for place in self._moments:
            if row[place] is not None:
                values[place + 1] = moment_text(row[place])
        return tuple(values)

    def row(self, values: Row) -> Row:
        """Return a row from what SQLite returned."""
        if not self._moments and not self._booleans:
            return values
        row = list(values)
        for place in self._moments:
            if row[place] is not None:
                row[place] = datetime.fromisoformat(row[place])
        for place in self._booleans:
            if row[place] is not None:
                row[place] = bool(row[place])
        return tuple(row)


def _parameters(query: RowQuery) -> list[Any]:
    """Return the parameters of a query's statement, in the order in which they are composed."""
    parameters: list[Any] = []
    if query.words:
        parameters.append(" AND ".join(f'"{word}"' for word in query.words))
    if query.bucket is not None:
        parameters.append(query.bucket)
    parameters += [_bound(value) for _, value in query.equal if value is not None]
    for _, values in query.one_of:
        parameters += map(_bound, values)
    parameters += [_bound(value) for _, value in (*query.at_least, *query.below)]
    if query.after is not None:
        parameters += map(_bound, query.after)
    if query.limit is not None:
        parameters.append(query.limit)
    return parameters


def drop_table(name: str) -> list[str]:
    """Return the statements that remove a table and what is found in it."""
    return [SQL["drop_table"].format(table=_quoted(one)) for one in (name, search_name(name))]


def search_name(name: str) -> str:
    """Return the name of the index of a table's words."""
    return f"{name}_search"


def definition(name: str, type: str, not_null: bool) -> str:
    """Return one column as it is declared."""
    return f"{_quoted(name)} {type}{' NOT NULL' if not_null else ''}"


def moment_text(moment: datetime) -> str:
    """Return UTC with microseconds, always 27 characters: text order is time order."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


def _bound(value: Any) -> Any:
    return moment_text(value) if isinstance(value, datetime) else value


def _rows(index: Index) -> str:
    conditions = (("rows_present", index.present), ("rows_positive", index.positive))
    return "".join(SQL[name].format(field=_quoted(field)) for name, field in conditions if field)


def _search(name: str) -> list[str]:
    parts = {"table": _quoted(name), "search": _quoted(search_name(name))}
    return [
        SQL[f"create_search{suffix}"].format(trigger=_quoted(f"{name}{suffix}"), **parts)
        for suffix in ("", "_secure", "_insert", "_update", "_delete")
    ]


def _definitions(table: Table) -> str:
    return ",\n    ".join(_definition(column) for column in table.columns)


def _definition(column: Column) -> str:
    return definition(column.name, _TYPES[column.kind], not column.optional)


def _listed(names: tuple[str, ...], prefix: str = "") -> str:
    return ", ".join(prefix + _quoted(name) for name in names)


def _quoted(name: str) -> str:
    # Letters, digits and _ only, see tables; the quotes are for words that SQL keeps for itself.
    return f'"{name}"'
