"""The SQL of one table, composed from templates: the only place where it is generated.

What is filled in are identifiers, of fields that the struct has and `tables` has checked; values
are parameters without exception.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ledger.backends.queries import load_queries

from ...tables import Column, Kind, Row, Table
from ..base import RowQuery

SQL = load_queries(__package__, "statements.sql")

_TYPES = {
    Kind.TEXT: "TEXT",
    Kind.INTEGER: "INTEGER",
    Kind.REAL: "REAL",
    Kind.BOOLEAN: "INTEGER",
    Kind.MOMENT: "TEXT",
    Kind.JSON: "TEXT",
}


class TableStatements:
    """The statements on one table, and its rows as SQLite holds them."""

    def __init__(self, table: Table) -> None:
        self.table = table
        places = list(enumerate(table.columns))
        self._moments = [place for place, column in places if column.kind is Kind.MOMENT]
        self._booleans = [place for place, column in places if column.kind is Kind.BOOLEAN]
        others = [name for name in table.names if name not in table.key] or list(table.key)
        parts = {
            "table": _quoted(table.name),
            "key": _listed(table.key),
            "columns": _listed(table.names),
        }
        self.create = [SQL["create_table"].format(definitions=_definitions(table), **parts)]
        self.create += [
            SQL["create_index"].format(
                index=_quoted(name), table=parts["table"], columns=_listed(columns)
            )
            for name, columns in table.indexes.items()
        ]
        self.load = SQL["load"].format(
            table=parts["table"],
            columns=_listed(table.names, "v."),
            matches=" AND ".join(
                f"v.{_quoted(name)} = wanted.value ->> {place}"
                for place, name in enumerate(table.key)
            ),
        )
        self.upsert = SQL["upsert"].format(
            parameters=", ".join("?" * (len(table.names) + 1)),
            assignments=", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in others),
            **parts,
        )
        self.delete = SQL["delete"].format(
            table=parts["table"],
            conditions=" AND ".join(f"{_quoted(name)} = ?" for name in table.key),
        )
        self.clear = SQL["clear"].format(**parts)

    @property
    def layout(self) -> frozenset[str]:
        """How the table's columns look when SQLite is asked for them; their order is free."""
        return frozenset(_definition(column) for column in self.table.columns)

    def select(self, query: RowQuery) -> tuple[str, list[Any]]:
        """Return the statement of a reader's query and its parameters."""
        conditions, parameters = ["true"], []
        if query.bucket is not None:
            conditions.append("v.bucket = ?")
            parameters.append(query.bucket)
        for name, value in query.equal:
            if value is None:
                conditions.append(f"v.{_quoted(name)} IS NULL")
            else:
                conditions.append(f"v.{_quoted(name)} = ?")
                parameters.append(_bound(value))
        for sign, pairs in ((">=", query.at_least), ("<", query.below)):
            for name, value in pairs:
                conditions.append(f"v.{_quoted(name)} {sign} ?")
                parameters.append(_bound(value))
        if query.after is not None:
            sign = "<" if query.descending else ">"
            marks = ", ".join("?" * len(query.order))
            conditions.append(f"({_listed(query.order, 'v.')}) {sign} ({marks})")
            parameters.extend(_bound(value) for value in query.after)
        statement = SQL["select"].format(
            columns=_listed(self.table.names, "v."),
            table=_quoted(self.table.name),
            conditions=" AND ".join(conditions),
        )
        if query.order:
            direction = " DESC" if query.descending else ""
            order = ", ".join(f"v.{_quoted(name)}{direction}" for name in query.order)
            statement += "\n" + SQL["order"].format(order=order)
        if query.limit is not None:
            statement += "\nLIMIT ?"
            parameters.append(query.limit)
        return statement, parameters

    def bound(self, bucket: int, row: Row) -> Row:
        """Return a row as parameters of `upsert`."""
        values = [bucket, *row]
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


def definition(name: str, type: str, not_null: bool) -> str:
    """Return one column as it is declared."""
    return f"{_quoted(name)} {type}{' NOT NULL' if not_null else ''}"


def moment_text(moment: datetime) -> str:
    """Return UTC with microseconds, always 27 characters: text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _bound(value: Any) -> Any:
    return moment_text(value) if isinstance(value, datetime) else value


def _definitions(table: Table) -> str:
    return ",\n    ".join(_definition(column) for column in table.columns)


def _definition(column: Column) -> str:
    return definition(column.name, _TYPES[column.kind], not column.optional)


def _listed(names: tuple[str, ...], prefix: str = "") -> str:
    return ", ".join(prefix + _quoted(name) for name in names)


def _quoted(name: str) -> str:
    # Letters, digits and _ only, see tables; the quotes are for words that SQL keeps for itself.
    return f'"{name}"'
