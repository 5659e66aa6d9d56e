"""Letting an event pass that a handler cannot handle: explicit, recorded, and only where it stands.

The event is not tried first, as that of a view is: a call has effects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ledger import InvalidArgument
from ledger.backends.base import AsyncBackend, Backend
from ledger.plans import Plan
from ledger.refusals import shown

from ...backends.base import AsyncViewBackend, Overview, Standing, ViewBackend
from ...errors import HandlerSuperseded
from ...readers.arguments import text
from ..skips import check_asked, recorded
from ..stops import Skip, skip_of
from .places import Places


class HandlerSkips:
    """The skipping of events by handlers, as a plan."""

    def __init__(
        self,
        log: Backend | AsyncBackend,
        views: ViewBackend | AsyncViewBackend,
        places: Mapping[str, Places],
        prepare: Callable[[], Plan[None]],
    ) -> None:
        self._log = log
        self._views = views
        self._places = places
        self._prepare = prepare

    def skip(self, name: str, bucket: int, position: int, reason: str, by: str) -> Plan[Skip]:
        """Record a skip of the event at which a handler stands stopped."""
        check_asked(self._log, bucket, position, reason, by)
        if text(name, "handler") not in self._places:
            raise InvalidArgument("handler", f"there is none named {shown(name)} here")
        yield from self._prepare()
        identity = self._places[name].progress.identity
        standings: list[Standing] = yield self._views.standings([name])
        if any(one.active and one.version > identity[1] for one in standings):
            raise HandlerSuperseded((name,))  # which stops at the event itself, and is asked there
        overview: Overview = yield self._views.overview()
        failed = next(
            (
                one
                for one in overview.failures
                if (one.identity, one.bucket, one.position) == (identity, bucket, position)
            ),
            None,
        )
        if failed is None:
            raise self._refusal(name, bucket)
        skip = skip_of(failed, reason, by)
        if not (yield from recorded(self._views, skip)):
            raise self._refusal(name, bucket)
        return skip

    def _refusal(self, name: str, bucket: int) -> InvalidArgument:
        return InvalidArgument("position", f"{name} in bucket {bucket} is not stopped there")
