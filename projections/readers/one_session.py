"""Several views of one session at one moment. Plans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ledger.plans import Plan

from ..backends.base import AsyncViewBackend, ViewBackend
from ..backends.session_rows import SessionRows
from ..engine.shapes import Shapes
from ..engine.tables import Table
from .consistency import Consistency, SessionKey, strong
from .moments import SeveralViews, several_views

if TYPE_CHECKING:
    from .reading import Reader

NOBODY = ("", "")


class OneSession:
    """Reads several views of a session, for both faces of the views."""

    def __init__(self, reader: Reader, views: ViewBackend | AsyncViewBackend) -> None:
        self._reader = reader
        self._views = views
        self._asked = Shapes[tuple[Any, ...], SessionRows]()

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
        wanted = several_views(
            self._reader, names, consistency, limit, only, newest_first=newest_first
        )
        tables, fold = wanted.tables, strong(consistency)
        bucket = self._reader.bucket(session)
        if not tables:
            return {}
        yield from self._reader.prepare()
        noting = self._reader.waiting.is_noting
        if not fold or noting or self._reader.projector.expects(bucket):
            tables = yield from self._reader.settle(tables, bucket, consistency)
        if fold and not noting:
            rows = self._rows(wanted, tables)
            views: list[list[Any]] | None = yield self._views.together(bucket, session, rows)
            if views is not None:
                names_ = [table.projection.name for table in tables]
                return dict(zip(names_, views, strict=True))
        tenant, session_id = session
        many = self._reader.many_sessions
        found = yield from many.of_one_moment(wanted, tables, tenant, [(bucket, session_id)])
        return found[session_id]

    def _rows(self, wanted: SeveralViews, tables: Sequence[Table]) -> SessionRows:
        """Return what is asked of the tables, the same for whoever asks for the same again."""
        asked = (*tables, wanted.parts, wanted.limit, wanted.newest_first)
        found = self._asked.get(asked)
        if found is None:
            queries = wanted.queries(tables, NOBODY, 0)
            found = self._asked[asked] = SessionRows(tuple(queries))
        return found
