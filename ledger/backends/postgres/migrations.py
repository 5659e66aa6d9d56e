"""Finding, creating and upgrading a ledger's tables: numbered, forward only, one at a time."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from ...errors import IntegrityError, InvalidArgument, NotALedger, SchemaTooNew
from ...limits import BUCKETS_MAX
from ...plans import Plan
from ..base import LedgerInfo, OpenOptions
from .statements import OpeningStatements

BUCKETS_DEFAULT = 64
_FUNCTION_QUOTE = "$function$"

#: Executes one statement and returns the rows it gave; an awaitable of them on an async connection.
Execute = Callable[[bytes, dict[str, Any] | None], Any]
Rows = Sequence[Sequence[Any]]


def check_options(options: OpenOptions) -> None:
    """Raise InvalidArgument for what no server could do, of what other backends take."""
    name = options.schema
    # psycopg would take a % inside a quoted name for a parameter, and the bodies of functions, in
    # which the name stands, end at their quote, whatever stands around it.
    if "%" in name or _FUNCTION_QUOTE in name or name.startswith("pg_"):
        raise InvalidArgument("schema", f"{name!r} cannot be the name of a schema")


def opened(execute: Execute, options: OpenOptions) -> Plan[LedgerInfo]:
    """Return the ledger of a schema; create or upgrade it first where necessary.

    Runs in one transaction, which the caller commits. A ledger that is up to date is only read,
    so that a role without any right to change tables can open it.
    """
    statements = OpeningStatements(options.schema)
    newest = len(statements.migrations())
    yield from _rows(execute, statements["isolation"])
    yield from _rows(execute, statements["strings"])
    found = yield from _found(execute, statements, options, newest)
    if found is not None and found.schema == newest:
        return found
    if found is None and not options.create:
        missing = f"there is no ledger in schema {options.schema!r}; `ledger init` makes one"
        raise InvalidArgument("schema", missing)
    yield from _rows(execute, statements["patience"])
    yield from _rows(execute, statements["lock"], schema=options.schema)
    # Another process may have done the work while this one waited.
    found = yield from _found(execute, statements, options, newest)
    if found is not None and found.schema == newest:
        return found
    return (yield from _migrated(execute, statements, options, found))


def _found(
    execute: Execute, statements: OpeningStatements, options: OpenOptions, newest: int
) -> Plan[LedgerInfo | None]:
    [[encoding, has_citus]] = yield from _rows(execute, statements["database"])
    if encoding != "UTF8":
        raise InvalidArgument("url", f"the database's encoding is {encoding}, it must be UTF8")
    [[ours, others]] = yield from _rows(execute, statements["exists"], schema=options.schema)
    if not ours:
        if others:
            raise NotALedger(f"Schema {options.schema!r} holds something that is no ledger.")
        return None
    rows = yield from _rows(execute, statements["info"])
    if len(rows) != 1:
        raise IntegrityError(f"Table ledger_info of schema {options.schema!r} has no single row.")
    distributed = False
    if has_citus:
        parts = yield from _rows(execute, statements["is_distributed"], schema=options.schema)
        [[distributed]] = parts
    ledger_id, buckets, version = rows[0]
    info = LedgerInfo(ledger_id, buckets, version, distributed)
    if info.schema > newest:
        raise SchemaTooNew(info.schema, newest)
    if options.buckets is not None and options.buckets != info.buckets:
        raise InvalidArgument("buckets", f"this ledger was created with {info.buckets}")
    [[count, fitting]] = yield from _rows(execute, statements["bucket_rows"], buckets=info.buckets)
    if (
        info.schema < 1
        or not 1 <= info.buckets <= BUCKETS_MAX
        or not (count == fitting == info.buckets)
    ):
        raise IntegrityError(
            f"Schema {options.schema!r} is damaged: ledger_info tells of {info.buckets} buckets in "
            f"version {info.schema}, table buckets has {count} rows."
        )
    return info


def _migrated(
    execute: Execute, statements: OpeningStatements, options: OpenOptions, found: LedgerInfo | None
) -> Plan[LedgerInfo]:
    migrations = statements.migrations()
    info = found or LedgerInfo(str(uuid.uuid4()), options.buckets or BUCKETS_DEFAULT, 0)
    if found is None:
        [[exists]] = yield from _rows(execute, statements["schema_exists"], schema=options.schema)
        if not exists:
            yield from _rows(execute, statements["create_schema"])
    for migration in migrations[info.schema :]:
        yield from _rows(execute, migration)
    if found is None:
        yield from _rows(
            execute, statements["create_info"], ledger_id=info.ledger_id, buckets=info.buckets
        )
        yield from _rows(execute, statements["create_buckets"], buckets=info.buckets)
        yield from _rows(execute, statements["settle_buckets"])
    for function in statements.functions(distributed=info.distributed):
        yield from _rows(execute, function)
    yield from _rows(execute, statements["set_version"], version=len(migrations))
    return LedgerInfo(info.ledger_id, info.buckets, len(migrations), info.distributed)


def _rows(execute: Execute, statement: bytes, **parameters: Any) -> Plan[Rows]:
    # Scripts of several statements are possible only without parameters.
    rows: Rows = yield execute(statement, parameters or None)
    return rows
