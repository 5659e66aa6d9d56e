"""Rows of several views of a session in one statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import msgspec
from psycopg import sql

from ledger.backends.queries import load_queries

from ...engine.row_documents import document_reader
from ...engine.shapes import Shapes
from ...engine.tables import Key, Table
from ..row_queries import RowQuery
from ..session_rows import SessionRows, is_single, parts_asked
from .calls import Call
from .composing import joined, listed

_TEMPLATES = load_queries(__package__, "together.sql")
Decode = Callable[[str], list[Any]]


class _Composed(msgspec.Struct, frozen=True):
    """A statement, how many versions it asks for, and what reads its columns."""

    statement: bytes
    versions: int
    decoders: list[Decode]


class _Asked(msgspec.Struct, frozen=True):
    """A statement, and what its parameters are besides the session."""

    composed: _Composed
    parameters: dict[str, str]


class Together:
    """Composes the statements of one schema, and reads what they return."""

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._asked = Shapes[SessionRows, _Asked | None]()
        # By what of the queries shows in it: parts of keys may be others with every call.
        self._composed = Shapes[tuple[Any, ...], _Composed | None]()

    def call(self, bucket: int, session: Key, wanted: SessionRows) -> Call | None:
        """Return the call for all rows; None if views cannot be read from JSON."""
        asked = self._of(wanted)
        if asked is None:
            return None
        tenant, session_id = session
        # By name, because each is sent once then.
        place = {"b": bucket, "t": tenant, "s": session_id}
        return Call(asked.composed.statement, place | asked.parameters)

    def views(self, wanted: SessionRows, found: Sequence[Any]) -> list[list[Any]] | None:
        """Return the views in what the statement returned; None if some versions are behind."""
        asked = self._of(wanted)
        current, *documents = found
        if asked is None or current != asked.composed.versions:
            return None
        return [
            [] if document is None else decode(document)
            for decode, document in zip(asked.composed.decoders, documents, strict=True)
        ]

    def _of(self, wanted: SessionRows) -> _Asked | None:
        try:
            return self._asked[wanted]
        except KeyError:
            composed = self._of_shape(wanted.queries)
            parts = [value for query in wanted.queries for _, value in parts_asked(query)]
            parameters = {f"v{number}": value for number, value in enumerate(parts)}
            asked = None if composed is None else _Asked(composed, parameters)
            self._asked[wanted] = asked
            return asked

    def _of_shape(self, queries: Sequence[RowQuery]) -> _Composed | None:
        shape = tuple([_shape(query) for query in queries])
        if shape not in self._composed:
            self._composed[shape] = self._compose(queries)
        return self._composed[shape]

    def _compose(self, queries: Sequence[RowQuery]) -> _Composed | None:
        decoders = [_decoder(query) for query in queries]
        known = [one for one in decoders if one is not None]
        if len(known) < len(decoders):
            return None
        places = count()
        identities = dict.fromkeys(query.table.identity for query in queries)
        # What is the same for every session, and nobody's text, is no parameter: each takes 1 µs.
        versions = [sql.SQL("({}, {})").format(*map(sql.Literal, one)) for one in identities]
        rows = [self._rows(query, places) for query in queries]
        statement = sql.SQL(_TEMPLATES["together"]).format(
            schema=sql.Identifier(self._schema),
            versions=joined(", ", versions),
            rows=joined(", ", rows),
        )
        return _Composed(statement.as_bytes(None), len(identities), known)

    def _rows(self, query: RowQuery, places: Iterator[int]) -> sql.Composed:
        table = query.table
        parts = [
            sql.SQL(_TEMPLATES["part"]).format(
                field=sql.Identifier(name), value=sql.Placeholder(f"v{next(places)}")
            )
            for name, _ in parts_asked(query)
        ]
        parts += [
            sql.SQL(_TEMPLATES["present"]).format(field=sql.Identifier(name))
            for name, _ in table.present
        ]
        found = sql.SQL(_TEMPLATES["found"]).format(
            table=sql.Identifier(self._schema, table.name), parts=joined(" ", parts)
        )
        if is_single(query):
            return sql.SQL(_TEMPLATES["row"]).format(columns=listed(table.names), found=found)
        direction = sql.SQL("{} DESC" if query.descending else "{}")
        limit: sql.Composable = sql.SQL("")
        if query.limit is not None:
            limit = sql.SQL(_TEMPLATES["limit"]).format(count=sql.Literal(query.limit))
        return sql.SQL(_TEMPLATES["rows"]).format(
            columns=listed(table.names),
            found=found,
            order=joined(", ", (direction.format(sql.Identifier(one)) for one in query.order)),
            limit=limit,
        )


def _shape(query: RowQuery) -> tuple[Any, ...]:
    names = tuple([name for name, _ in parts_asked(query)])
    return query.table, names, is_single(query), query.order, query.descending, query.limit


def _decoder(query: RowQuery) -> Decode | None:
    table: Table = query.table
    decode = document_reader(table)
    if decode is None or not is_single(query):
        view = table.projection.view
        return None if decode is None else msgspec.json.Decoder(list[view]).decode  # type: ignore[valid-type] # a value
    return lambda document: [decode(document)]
