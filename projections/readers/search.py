"""Full-text search over the views that declare searchable fields, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ledger import InvalidArgument, InvalidCursor
from ledger.plans import Plan

from ..backends.row_queries import RowQuery
from ..engine.dropping import outlives_drops
from ..engine.tables import CREATED_AT, Key, Table
from .arguments import several
from .arguments import text as checked_text
from .consistency import Consistency, strong
from .found_rows import found_rows
from .listing_cursors import ListCursors, ViewPage
from .listing_queries import page_limit
from .reading import Reader
from .row_keys import check_whole, is_whole
from .search_rows import scope_words
from .search_words import asked_words

#: How many different words may be asked for at once.
ASKED_WORDS_MAX = 64

#: Where a hit stands among all: its time, its view, its key within the tenant.
Place = tuple[datetime, str, Key]
_MICROSECOND = timedelta(microseconds=1)
_LAST_MOMENT = datetime.max.replace(tzinfo=UTC)


class SearchHit(msgspec.Struct, frozen=True, kw_only=True):
    """A row that has all the words; `kind` names its projection."""

    kind: str
    view: Any


@outlives_drops
def search(
    reader: Reader,
    text: str,
    tenant: str,
    consistency: Consistency,
    *,
    session_id: str | None,
    kinds: Sequence[str] | None,
    limit: int,
    cursor: str | None,
) -> Plan[ViewPage[SearchHit]]:
    """Return a page of the rows that have all the words of a text, the newest first."""
    strong(consistency)
    count = page_limit(limit)
    asked = asked_words(checked_text(text, "text", empty=True))
    if len(asked) > ASKED_WORDS_MAX:
        raise InvalidArgument("text", f"expected at most {ASKED_WORDS_MAX} words, got {len(asked)}")
    tables = _searched(reader, kinds)
    names = [table.projection.name for table in tables]
    equal: tuple[tuple[str, Any], ...] = (("tenant", reader.tenant(tenant)),)
    bucket = None
    if session_id is not None:
        bucket = reader.bucket((tenant, session_id))
        equal += (("session_id", session_id),)
    cursors = ListCursors(reader.ledger_id, "search", (asked, tenant, session_id, names))
    behind: Place | None = cursors.place(cursor, tuple[datetime, str, tuple[str, ...]])
    _check_place(behind, tables)
    tables = yield from reader.settle(tables, bucket, consistency)
    if not asked or not count:
        return ViewPage([], cursor if asked else None)
    found: list[tuple[Place, SearchHit]] = []
    for table in tables:
        query = RowQuery(
            table=table,
            bucket=bucket,
            equal=(*equal, *table.present),
            words=(*scope_words(tenant, session_id), *asked),
            order=(CREATED_AT, *_within(table)),
            descending=True,
            limit=count + 1,
        )
        for view in (yield from found_rows(reader, _behind(query, behind))):
            hit = SearchHit(kind=table.projection.name, view=view)
            found.append((_place(table, hit), hit))
    found.sort(key=lambda one: one[0], reverse=True)
    page = cursors.page(found, count, cursor, lambda one: one[0])
    return ViewPage([hit for _, hit in page.items], page.cursor)


def _searched(reader: Reader, kinds: Sequence[str] | None) -> list[Table]:
    """Return the tables of some projections, or of all that declare searchable fields."""
    if kinds is None:
        tables = [table for table in reader.tables() if table.projection.searchable]
        return [table for table in tables if is_whole(table, reader.buckets)]
    names = [checked_text(kind, "kinds") for kind in several(kinds, "kinds", "projections")]
    tables = [reader.table(name, "kinds") for name in dict.fromkeys(names)]
    for table in tables:
        if not table.projection.searchable:
            raise InvalidArgument("kinds", f"{table.projection.name} declares nothing searchable")
        check_whole(table, reader.buckets, "kinds")
    return tables


def _within(table: Table) -> Key:
    return tuple(name for name in table.key if name != "tenant")


def _place(table: Table, hit: SearchHit) -> Place:
    key = tuple(getattr(hit.view, name) for name in _within(table))
    return getattr(hit.view, CREATED_AT), hit.kind, key


def _check_place(place: Place | None, tables: Sequence[Table]) -> None:
    """Refuse the place of a row that none of the tables can have, as a forged cursor may hold."""
    shapes = {(table.projection.name, len(_within(table))) for table in tables}
    if place is not None and (place[1], len(place[2])) not in shapes:
        raise InvalidCursor("The cursor is damaged.")


def _behind(query: RowQuery, place: Place | None) -> RowQuery:
    """Return the query for what one view has behind a place, which may be a row of another."""
    if place is None:
        return query
    moment, kind, key = place
    name = query.table.projection.name
    if name == kind:
        return msgspec.structs.replace(query, after=(moment, *key))
    if name > kind:
        return msgspec.structs.replace(query, below=((CREATED_AT, moment),))
    if moment == _LAST_MOMENT:
        return query
    return msgspec.structs.replace(query, below=((CREATED_AT, moment + _MICROSECOND),))
