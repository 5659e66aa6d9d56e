"""What a reader asks of a table, as PostgreSQL is asked."""

from __future__ import annotations

from typing import Any

from psycopg import sql

from ...engine.tables import BUCKET, SEARCH_WORDS
from ..row_queries import RowQuery, parts_of
from .composing import composed_part, equals, joined, of_v

_FOUND = sql.SQL("{} @@ %s::tsquery").format(of_v(SEARCH_WORDS))
_LIMIT = sql.Composed([sql.SQL("LIMIT %s")])


def select(table: sql.Composable, columns: sql.Composable, query: RowQuery) -> bytes:
    """Return the statement of a query; the columns are those of table v."""
    order = _order(query)
    if parts := parts_of(query, ties=True):
        each = (_part(table, part) for part in parts)
        statement = composed_part(
            "select_merged",
            columns=columns,
            parts=joined(" UNION ALL ", each),
            order=order,
            condition=sql.SQL("true") if query.among is None else _FOUND,
        )
    else:
        statement = composed_part(
            _template(query),
            columns=columns,
            table=table,
            conditions=_conditions(query),
            order=order,
            found=_FOUND,
        )
    lines = [statement]
    if query.order:
        lines.append(composed_part("order", order=order))
    if query.limit is not None:
        lines.append(_LIMIT)
    return joined("\n", lines).as_bytes(None)


def parameters_of(query: RowQuery) -> list[Any]:
    """Return the parameters of that statement, in the order in which they are composed."""
    if query.one_of and (parts := parts_of(query, ties=True)):
        parameters = [value for part in parts for value in (*_values(part), part.limit)]
        parameters.append(parts[0].limit)
    else:
        parameters = _values(query)
        if query.among is not None:
            parameters.append(query.among)
    if query.words:
        parameters.append(" & ".join(f"'{word}'" for word in query.words))
    if query.limit is not None:
        parameters.append(query.limit)
    return parameters


def _template(query: RowQuery) -> str:
    if query.among is not None:
        return "select_among"
    return "select_found" if query.words and query.order else "select"


def _part(table: sql.Composable, part: RowQuery) -> sql.Composed:
    conditions = _conditions(part)
    return composed_part("select_part", table=table, conditions=conditions, order=_order(part))


def _order(query: RowQuery) -> sql.Composed:
    direction = sql.SQL("{} DESC" if query.descending else "{}")
    return joined(", ", (direction.format(of_v(name)) for name in query.order))


def _conditions(query: RowQuery) -> sql.Composed:
    conditions: list[sql.Composable] = [sql.SQL("true")]
    equal = query.equal if query.bucket is None else ((BUCKET, query.bucket), *query.equal)
    for name, value in equal:
        column = of_v(name)
        none = sql.SQL("{} IS NULL").format(column)
        conditions.append(none if value is None else equals(column, name))
    unlike = sql.SQL("{} IS DISTINCT FROM %s")
    conditions += [unlike.format(of_v(name)) for name, _ in query.unlike]
    for name, values in query.one_of:
        several = joined(", ", [sql.SQL("%s")] * len(values))
        # Of no values there is no list.
        condition = sql.SQL("{} IN ({})" if values else "false")
        conditions.append(condition.format(of_v(name), several))
    conditions += [sql.SQL("{} > 0").format(of_v(name)) for name in query.positive]
    for limited, pairs in (("{} >= %s", query.at_least), ("{} < %s", query.below)):
        conditions += [sql.SQL(limited).format(of_v(name)) for name, _ in pairs]
    if query.after is not None:
        compared = sql.SQL("({}) < ({})" if query.descending else "({}) > ({})")
        order = joined(", ", map(of_v, query.order))
        marks = [sql.SQL("%s")] * len(query.order)
        conditions.append(compared.format(order, joined(", ", marks)))
    if query.words and query.among is None:
        conditions.append(_FOUND)
    return joined(" AND ", conditions)


def _values(query: RowQuery) -> list[Any]:
    """Return the parameters of the conditions."""
    values: list[Any] = [] if query.bucket is None else [query.bucket]
    values += [value for _, value in query.equal if value is not None]
    values += [value for _, value in query.unlike]
    for _, several in query.one_of:
        values += several
    values += [value for _, value in (*query.at_least, *query.below)]
    if query.after is not None:
        values += query.after
    return values
