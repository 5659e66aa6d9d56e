"""A plan of statements in one transaction of a connection made for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from ... import plans
from ...plans import Plan
from .connecting import Target
from .errors import translating
from .migrations import Execute

T = TypeVar("T")


def transact(target: Target, plan: Callable[[Execute], Plan[T]]) -> T:
    """Connect, run a plan and commit what it did; errors are the ledger's."""
    try:
        connection = Connection.connect(**target.parameters)
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        raise target.unreachable(error) from error

    def execute(statement: bytes, parameters: dict[str, Any] | None) -> list[TupleRow]:
        cursor = connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []

    with translating(), connection:
        return plans.run(plan(execute))
