"""The statements on a schema's views that belong to no single table."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from psycopg import sql

from ledger.backends.base import LedgerInfo
from ledger.backends.postgres.connecting import lock_timeout

from ...engine.tables import BUCKET, key_line
from .calls import BEGIN, Call
from .composing import TEMPLATES, composed
from .statements import layout_line


def layouts_of(rows: Iterable[Any]) -> dict[str, frozenset[str]]:
    """Return what tables look like, by name: a line for each column behind the bucket and the key."""
    found: dict[str, set[str]] = {}
    keys: dict[str, dict[int, str]] = {}
    for table, column, type_, not_null, place in rows:
        lines, key = found.setdefault(table, set()), keys.setdefault(table, {})
        if column == BUCKET:
            continue
        lines.add(layout_line(column, type_, not_null))
        if place is not None:
            key[place] = column
    return {
        table: frozenset([*lines, key_line(column for _, column in sorted(keys[table].items()))])
        for table, lines in found.items()
    }


class SchemaStatements:
    """The statements on checkpoints and versions, composed once for each schema."""

    def __init__(self, schema: str, info: LedgerInfo, lock_timeout_s: float) -> None:
        self.lock = TEMPLATES["lock"].encode()
        self.layouts = TEMPLATES["layouts"].encode()
        found = partial(composed, schema=sql.Identifier(schema))
        self.create_checkpoints = found("create_checkpoints")
        self.create_checkpoint = found("create_checkpoint")
        self.forget_checkpoints = found("forget_checkpoints")
        self.count_checkpoints = found("count_checkpoints")
        self.checkpoints = found("checkpoints")
        self.head = found("head")
        self.standings = found("standings")
        self.move_checkpoint = found("move_checkpoint")
        self.move_checkpoints = found("move_checkpoints")
        self._lock_versions = found("lock_versions")
        self._lock_versions_in_bucket = found("lock_versions_in_bucket")
        self.mark_built = found("mark_built")
        self.accept = found("accept")
        self.switch = found("switch")
        self.is_active = found("is_active")
        self._schema = schema
        self._buckets = info.buckets
        self._distributed = info.distributed
        #: how a transaction begins that writes
        self.begin = [BEGIN]
        if info.distributed:
            timeout = sql.Literal(lock_timeout(lock_timeout_s))
            self.begin.append(Call(composed("patience", timeout=timeout)))

    def lock_versions(self, name: str) -> list[Call]:
        """Return the calls that lock a projection's checkpoints, in the order of all who do."""
        if not self._distributed:
            return [Call(self._lock_versions, (name,))]
        return [
            Call(self._lock_versions_in_bucket, (bucket, name)) for bucket in range(self._buckets)
        ]

    def distribute(self, name: str) -> Call:
        """Return the call that spreads a table over the servers that have the log."""
        table, log = (
            sql.Literal(sql.Identifier(self._schema, one).as_string(None))
            for one in (name, "buckets")
        )
        return Call(composed("distribute", table=table, log=log))

    def drop_table(self, name: str) -> Call:
        """Return the call that removes a table."""
        return Call(composed("drop_table", table=sql.Identifier(self._schema, name)))
