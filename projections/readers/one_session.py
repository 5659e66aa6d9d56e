"""Several views of one session at one moment. Plans."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ledger.plans import Plan

from ..backends.base import AsyncViewBackend, Instant, ViewBackend
from ..engine.tables import Table
from ..errors import VersionDropped, ViewsBehind
from .arguments import count_limit, flag, several
from .consistency import Consistency, SessionKey, strong
from .moments import check_all_of_sessions, is_of_one_moment, key_parts, session_queries

if TYPE_CHECKING:
    from .reading import Reader

#: Somebody may fold one of several views alone just before they are read; not again and again.
_ATTEMPTS_MAX = 100


class OneSession:
    """Reads several views of a session, for both faces of the views."""

    def __init__(
        self, reader: Reader, views: ViewBackend | AsyncViewBackend, known: Sequence[Table]
    ) -> None:
        self._reader = reader
        self._views = views
        self._known = known

    def together(
        self,
        names: object,
        session: SessionKey,
        consistency: Consistency,
        *,
        limit: int | None,
        newest_first: bool,
        only: object = None,
    ) -> Plan[dict[str, list[Any]]]:
        """Return the views of a session in several projections, by name, all of one moment."""
        fold = strong(consistency)
        count = count_limit(limit)
        flag(newest_first, "newest_first")
        given = several(names, "projections", "names of views")
        tables = [self._reader.table(name, "projections") for name in given]
        check_all_of_sessions(tables)
        parts = key_parts(only, tables)
        bucket = self._reader.bucket(session)
        if not tables:
            return {}
        yield from self._reader.prepare()
        place = session, bucket, count
        noting = self._reader.waiting.is_noting
        if not fold or noting or self._reader.projector.expects(bucket):
            tables = yield from self._reader.settle(tables, bucket, consistency)
        if fold and not noting:
            queries = session_queries(tables, parts, *place, newest_first=newest_first)
            views: list[list[Any]] | None = yield self._views.together(bucket, queries)
            if views is not None:
                return _by_name(tables, views)
        start_s, at_least = time.monotonic(), 0
        for _ in range(_ATTEMPTS_MAX):
            queries = session_queries(tables, parts, *place, newest_first=newest_first)
            try:
                found: Instant = yield self._views.snapshot(bucket, queries)
            except VersionDropped:
                # Only who folds looks which versions there are.
                tables = yield from self._reader.settle(tables, bucket, "strong")
                continue
            at_least = at_least or found.head
            if not fold or is_of_one_moment(found, tables, self._known, at_least):
                pairs = zip(tables, found.rows, strict=True)
                return _by_name(
                    tables, [[table.decode(row) for row in rows] for table, rows in pairs]
                )
            tables = yield from self._reader.settle(tables, bucket, consistency)
        what = ", ".join(table.projection.name for table in tables)
        raise ViewsBehind(what, bucket, at_least, time.monotonic() - start_s)


def _by_name(tables: Sequence[Table], views: Sequence[list[Any]]) -> dict[str, list[Any]]:
    return dict(zip([table.projection.name for table in tables], views, strict=True))
