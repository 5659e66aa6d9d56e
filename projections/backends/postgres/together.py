"""Rows of several views of a session in one statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import msgspec
from psycopg import sql

from ledger.backends.queries import load_queries

from ...engine.row_documents import document_reader
from ...engine.tables import Identity, Table
from ..base import SHAPES_MAX
from ..row_queries import RowQuery
from .calls import Call
from .statements import TableStatements

_TEMPLATES = load_queries(__package__, "together.sql")
Decode = Callable[[str], list[Any]]


class Together:
    """Composes the statements of one schema, and reads what they return."""

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._composed: dict[tuple[bytes, ...], bytes] = {}
        self._decoders: dict[Table, Decode | None] = {}

    def call(
        self, bucket: int, queries: Sequence[RowQuery], tables: Sequence[TableStatements]
    ) -> Call | None:
        """Return the call for all rows; None if views cannot be read from JSON."""
        if any(self._decoder(query.table) is None for query in queries):
            return None
        selects = [table.plain(query) for table, query in zip(tables, queries, strict=True)]
        # Which are composed once themselves: to look at their shapes again takes as long as sending.
        parts = tuple([one.statement for one in selects])
        identities = _identities(queries)
        statement = self._composed.get(parts)
        if statement is None:
            if len(self._composed) >= SHAPES_MAX:
                self._composed.clear()
            statement = self._composed[parts] = self._compose(parts, len(identities))
        parameters: list[Any] = [bucket, *chain.from_iterable(identities)]
        for one in selects:
            parameters += one.parameters
        return Call(statement, parameters)

    def views(self, queries: Sequence[RowQuery], found: Sequence[Any]) -> list[list[Any]] | None:
        """Return the views in what the statement returned; None if some versions are behind."""
        current, *documents = found
        if current != len(_identities(queries)):
            return None
        return [
            [] if document is None else self._decode(query.table, document)
            for query, document in zip(queries, documents, strict=True)
        ]

    def _decode(self, table: Table, document: str) -> list[Any]:
        decode = self._decoder(table)
        return [] if decode is None else decode(document)

    def _decoder(self, table: Table) -> Decode | None:
        if table not in self._decoders:
            known = document_reader(table) is not None
            view = table.projection.view
            decode = msgspec.json.Decoder(list[view]).decode if known else None  # type: ignore[valid-type] # a value
            self._decoders[table] = decode
        return self._decoders[table]

    def _compose(self, selects: Sequence[bytes], versions: int) -> bytes:
        rows = sql.SQL(", ").join(
            sql.SQL(_TEMPLATES["rows"]).format(select=sql.SQL(one.decode())) for one in selects
        )
        template = sql.SQL(_TEMPLATES["together"])
        return template.format(
            schema=sql.Identifier(self._schema),
            versions=sql.SQL(", ").join([sql.SQL("(%s, %s)")] * versions),
            rows=rows,
        ).as_bytes(None)


def _identities(queries: Sequence[RowQuery]) -> list[Identity]:
    return list(dict.fromkeys([query.table.identity for query in queries]))
