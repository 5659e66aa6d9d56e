"""What a reader asks of a table, as SQLite is asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..row_queries import RowQuery, parts_of
from .moment_texts import moment_text
from .tables import SQL, listed, quoted, search_name


def select(columns: str, query: RowQuery, is_current: str | None) -> str:
    """Return the statement of a query; the columns are those of table v.

    With `is_current`, a statement whose parameters have numbers, it finds nothing where that is not so.
    """
    name = query.table.name
    order = _order(query)
    found = " AND ".join([SQL["has_word"]] * len(query.words))
    if parts := parts_of(query, ties=False):
        each = [
            SQL["select_part"].format(table=quoted(name), conditions=_conditions(part, is_current))
            for part in parts
        ]
        statement = SQL["select_merged"].format(
            columns=columns,
            parts=" UNION ALL ".join(each),
            order=_order(query, ""),
            condition=found or "1",
        )
    else:
        template = "select_found" if query.words else "select"
        statement = SQL[template if query.among is None else "select_among"].format(
            columns=columns,
            table=quoted(name),
            search=quoted(search_name(name)),
            conditions=_conditions(query, is_current),
            order=order,
            places=", ".join(f"v.{quoted(name)} AS {place}" for name, place in _places(query)),
            found=found,
        )
        if query.among is not None:
            order = ", ".join(f"f.{place}{_direction(query)}" for _, place in _places(query))
    if query.order:
        statement += "\n" + SQL["order"].format(order=order)
    return statement if query.limit is None else statement + "\nLIMIT ?"


def parameters_of(query: RowQuery) -> list[Any]:
    """Return the parameters of that statement, in the order in which they are composed."""
    parameters: list[Any] = []
    if query.words and query.among is None:
        parameters.append(" AND ".join(f'"{word}"' for word in query.words))
    if query.one_of and (parts := parts_of(query, ties=False)):
        for part in parts:
            parameters += _values(part)
        parameters.append(parts[0].limit)
    else:
        parameters += _values(query)
        if query.among is not None:
            parameters.append(query.among)
    if query.among is not None:
        parameters += query.words
    if query.limit is not None:
        parameters.append(query.limit)
    return parameters


def bound(value: Any) -> Any:
    """Return a value as a column holds it."""
    return moment_text(value) if isinstance(value, datetime) else value


def _order(query: RowQuery, prefix: str = "v.") -> str:
    return ", ".join(f"{prefix}{quoted(name)}{_direction(query)}" for name in query.order)


def _places(query: RowQuery) -> list[tuple[str, str]]:
    """Return what a query orders by, each with a name by which no field is called."""
    return [(name, quoted(f"place {number}")) for number, name in enumerate(query.order)]


def _direction(query: RowQuery) -> str:
    return " DESC" if query.descending else ""


def _conditions(query: RowQuery, is_current: str | None) -> str:
    # First, for its parameters have numbers, which those behind it go on from.
    # Not "true", which is a column where a field has that name.
    conditions = ["1" if is_current is None else f"({is_current})"]
    if query.bucket is not None:
        conditions.append("v.bucket = ?")
    for name, value in query.equal:
        conditions.append(f"v.{quoted(name)} {'IS NULL' if value is None else '= ?'}")
    conditions.extend(f"v.{quoted(name)} IS NOT ?" for name, _ in query.unlike)
    for name, values in query.one_of:
        conditions.append(f"v.{quoted(name)} IN ({', '.join('?' * len(values))})")
    # As it stands in the index of those rows: SQLite proves nothing about parameters.
    conditions.extend(f"v.{quoted(name)} > 0" for name in query.positive)
    for sign, pairs in ((">=", query.at_least), ("<", query.below)):
        conditions.extend(f"v.{quoted(name)} {sign} ?" for name, _ in pairs)
    if query.after is not None:
        sign = "<" if query.descending else ">"
        marks = ", ".join("?" * len(query.order))
        conditions.append(f"({listed(query.order, 'v.')}) {sign} ({marks})")
    return " AND ".join(conditions)


def _values(query: RowQuery) -> list[Any]:
    """Return the parameters of the conditions."""
    values: list[Any] = [] if query.bucket is None else [query.bucket]
    values += [
        value if type(value) is str else bound(value)
        for _, value in query.equal
        if value is not None
    ]
    values += [value for _, value in query.unlike]
    for _, several in query.one_of:
        values += map(bound, several)
    if query.at_least or query.below:
        values += [bound(value) for _, value in (*query.at_least, *query.below)]
    if query.after is not None:
        values += map(bound, query.after)
    return values
