"""Statements composed from the templates of `statements.sql`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import LiteralString

from psycopg import sql

from ledger.backends.queries import load_queries
from ledger.records import Record

from ...engine.tables import BUCKET

TEMPLATES = load_queries(__package__, "statements.sql")
#: The columns of an event in table e, in the order of a Record's fields.
EVENT_COLUMNS = sql.SQL(", ").join(sql.Identifier("e", name) for name in Record.__struct_fields__)


def of_v(name: str) -> sql.Identifier:
    """Return the column of table v, as which readers select."""
    return sql.Identifier("v", name)


def equals(column: sql.Identifier, name: str) -> sql.Composed:
    """Return the condition that a column has the value of the next parameter.

    psycopg sends a small number as smallint, by which Citus does not find a bucket's server: it would
    ask all of them, each at a moment of its own.
    """
    return sql.SQL("{} = %s::integer" if name == BUCKET else "{} = %s").format(column)


def listed(names: Iterable[str]) -> sql.Composed:
    """Return names as a list of columns."""
    return joined(", ", (sql.Identifier(name) for name in names))


def joined(separator: LiteralString, parts: Iterable[sql.Composable]) -> sql.Composed:
    """Return parts with a separator between them."""
    return sql.SQL(separator).join(parts)


def composed(name: str, **parts: sql.Composable) -> bytes:
    """Return a template with its parts filled in, ready to be sent."""
    return composed_part(name, **parts).as_bytes(None)


def composed_part(name: str, **parts: sql.Composable) -> sql.Composed:
    """Return the same to be filled into another one."""
    return template(name).format(**parts)


def template(name: str) -> sql.SQL:
    """Return a template by its name."""
    return sql.SQL(TEMPLATES[name])
