"""Adding up rows in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import sql

from ledger.backends.queries import load_queries

from ..totals import Totals, TotalsQuery
from .calls import Call
from .statements import TableStatements

_TEMPLATES = load_queries(__package__, "totals.sql")


def totals_call(statements: TableStatements, wanted: TotalsQuery) -> Call:
    """Return the call that adds up a reader's rows."""
    rows = statements.select(wanted.rows)
    started, ended, last = (sql.Identifier("v", name) for name in wanted.lasting)
    statement = _template("totals").format(
        by=sql.Identifier("v", wanted.by),
        moment=sql.Identifier("v", wanted.before[0]),
        lasting=_template("lasting").format(started=started, ended=ended, last=last),
        sums=sql.Composed(
            [_template("sum_of").format(value=sql.Identifier("v", name)) for name in wanted.sums]
        ),
        rows=sql.SQL(rows.statement.decode()),
    )
    parameters = [wanted.before[1], *rows.parameters]
    return Call(statement.as_bytes(None), parameters, prepare=False)


def totals(rows: Sequence[Any]) -> list[Totals]:
    """Return the totals in the rows of that; the sums are numerics."""
    return [
        Totals(by, is_before, count, int(lasting), [int(one) for one in sums])
        for by, is_before, count, lasting, *sums in rows
    ]


def _template(name: str) -> sql.SQL:
    return sql.SQL(_TEMPLATES[name])
