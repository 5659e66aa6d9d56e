"""Several views of many sessions at one moment. Plans."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ledger import InvalidArgument
from ledger.plans import Plan

from ..backends.base import AsyncViewBackend, Instants, ViewBackend
from ..engine.tables import Table
from ..errors import VersionDropped, ViewsBehind
from .arguments import several, text
from .consistency import Consistency, strong
from .moments import SeveralViews, is_of_one_moment, several_views

if TYPE_CHECKING:
    from .reading import Reader

#: At once; a list that is longer is read page by page.
SESSIONS_MAX = 1_000
#: Somebody may fold one of several views alone just before they are read; not again and again.
_ATTEMPTS_MAX = 100


class ManySessions:
    """Reads several views of many sessions, for both faces of the views."""

    def __init__(
        self, reader: Reader, views: ViewBackend | AsyncViewBackend, known: Sequence[Table]
    ) -> None:
        self._reader = reader
        self._views = views
        self._known = known

    def together(
        self,
        names: object,
        session_ids: object,
        tenant: str,
        consistency: Consistency,
        *,
        limit: int | None,
        newest_first: bool,
        only: object = None,
    ) -> Plan[dict[str, dict[str, list[Any]]]]:
        """Return the views of sessions in several projections, by session and name."""
        wanted = several_views(
            self._reader, names, consistency, limit, only, newest_first=newest_first
        )
        tables = wanted.tables
        tenant = self._reader.tenant(tenant)
        sessions = self._places(tenant, session_ids)
        if not tables or not sessions:
            return {session_id: {} for _, session_id in sessions}
        buckets = {bucket for bucket, _ in sessions}
        yield from self._reader.prepare()
        if not strong(consistency) or self._reader.waiting.is_noting:
            tables = yield from self._settle(tables, buckets, consistency)
        return (yield from self.of_one_moment(wanted, tables, tenant, sessions))

    def of_one_moment(
        self,
        wanted: SeveralViews,
        tables: Sequence[Table],
        tenant: str,
        sessions: Sequence[tuple[int, str]],
    ) -> Plan[dict[str, dict[str, list[Any]]]]:
        """Read until all views of a bucket are far enough, folding what is left to be folded."""
        consistency, fold = wanted.consistency, strong(wanted.consistency)
        buckets = {bucket for bucket, _ in sessions}
        start_s, behind = time.monotonic(), buckets
        heads: dict[int, int] = {}
        for _ in range(_ATTEMPTS_MAX):
            # Of any session: each of those asked for takes its place.
            queries = wanted.queries(tables, (tenant, ""), 0)
            try:
                found: Instants = yield self._views.snapshot_of_each(queries, sessions)
                heads = heads or {bucket: one.head for bucket, one in found.buckets.items()}
                behind = self._behind(found, tables, heads) if fold else set()
            except VersionDropped:
                # Only who folds looks which versions there are.
                tables = yield from self._settle(tables, buckets, "strong")
                continue
            if not behind:
                names_ = [table.projection.name for table in tables]
                return {
                    session_id: dict(zip(names_, map(list, views), strict=True))
                    for (_, session_id), views in zip(sessions, found.views, strict=True)
                }
            tables = yield from self._settle(tables, behind, consistency)
        what = ", ".join(table.projection.name for table in tables)
        bucket = min(behind)
        raise ViewsBehind(what, bucket, heads.get(bucket, 0), time.monotonic() - start_s)

    def _places(self, tenant: str, session_ids: object) -> list[tuple[int, str]]:
        """Return the buckets and ids of sessions, checked, each session once."""
        given = several(session_ids, "session_ids", "ids of sessions")
        if len(given) > SESSIONS_MAX:
            raise InvalidArgument("session_ids", f"expected at most {SESSIONS_MAX} at once")
        ids = [text(one, "session_ids") for one in given]
        places = ((self._reader.bucket((tenant, one)), one) for one in ids)
        return list(dict.fromkeys(places))

    def _behind(self, found: Instants, tables: Sequence[Table], heads: dict[int, int]) -> set[int]:
        """Return the buckets in which the views are not of one moment, or not far enough."""
        return {
            bucket
            for bucket, one in found.buckets.items()
            if not is_of_one_moment(one, tables, self._known, heads[bucket])
        }

    def _settle(
        self, tables: Sequence[Table], buckets: set[int], consistency: Consistency
    ) -> Plan[list[Table]]:
        """Bring views up to date where they are read: what fails elsewhere is nothing to them."""
        for bucket in sorted(buckets) if strong(consistency) else [None]:
            tables = yield from self._reader.settle(tables, bucket, consistency)
        return list(tables)
