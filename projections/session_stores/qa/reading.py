"""Which sessions of a tenant a question-and-answer store sees, and for how long. Plans."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ledger import AsyncLedger, Head, InvalidArgument, Ledger
from ledger.events import Event
from ledger.moments import from_microseconds
from ledger.plans import Plan
from ledger.refusals import shown

from ...folds.sessions import Session
from ...readers.rows_at_head import AtHead
from ...views import Views
from ...views_async import AsyncViews
from ..all_sessions import PAGE_SESSIONS, all_sessions
from ..store_parts import Clock, checked_clock
from .ids import Key, Place, place_of


class QAReading:
    """The reading half of a store, over the sync or the async faces of ledger and views.

    A session that nobody wrote to for `ttl_s` is absent for every reader here.
    """

    def __init__(
        self,
        ledger: Ledger | AsyncLedger,
        views: Views | AsyncViews,
        tenant: str,
        ttl_s: float | None,
        clock: Clock | None,
    ) -> None:
        self.ledger = ledger
        self.views = views
        self.tenant = ledger.door.tenant_key(tenant)
        self.ttl = ttl_of(ttl_s, "session_ttl_s")
        self.clock = None if clock is None else checked_clock(clock)

    def now(self) -> datetime:
        """Return the current time by the store's clock."""
        return datetime.now(UTC) if self.clock is None else self.clock()

    def place(self, session_id: Key, user_id: Key | None) -> Place:
        """Return the place of a user's session, checked."""
        return place_of(session_id, user_id)

    def row(self, place: Place) -> Plan[Session | None]:
        """Return the row of a session, None if it is not there or has expired."""
        row: Session | None = yield self.views.session(place.ledger_id, tenant=self.tenant)
        return None if row is None or not (yield from self.alive([row])) else row

    def row_at_head(self, place: Place) -> Plan[Session | None]:
        """Return what `row` does behind all events of the session, for who writes to it, too."""
        row = yield from self.session_row(place)
        return None if row is None or not (yield from self.alive([row])) else row

    def session_row(self, place: Place) -> Plan[Session | None]:
        """Return the same of a session that has expired, too."""
        found: AtHead = yield self.views.row_at_head("sessions", (self.tenant, place.ledger_id))
        row: Session | None = found.view
        return row

    def at_head(self, place: Place, projection: str, own_id: str) -> Plan[tuple[int, Any]]:
        """Return the end of a session and a view of that moment, None if it is not there."""
        key = self.tenant, place.ledger_id, own_id
        found: AtHead = yield self.views.row_at_head(projection, key)
        if found.view is None or self.ttl is None:
            return found.head, found.view
        last = yield from self._last(place.ledger_id)
        if last is None or self._is_over(self._written_at(last)):
            return found.head, None
        if last.sequence != found.head:
            # It may have expired when the row was read, and have been begun anew since.
            found = yield self.views.row_at_head(projection, key)
        return found.head, found.view

    def rows(self, **filters: Any) -> Plan[list[Session]]:
        """Return the rows of all sessions that have not expired, each once, archived ones too."""
        found = yield from self.rows_and_expired(**filters)
        return [row for row, is_alive in found if is_alive]

    def rows_and_expired(self, **filters: Any) -> Plan[list[tuple[Session, bool]]]:
        """Return the rows of all sessions, each once, and of each whether it has not expired."""
        rows = yield from all_sessions(self.views, self.tenant, archived=True, **filters)
        found: list[tuple[Session, bool]] = []
        for start in range(0, len(rows), PAGE_SESSIONS):
            some = rows[start : start + PAGE_SESSIONS]
            alive = {row.session_id for row in (yield from self.alive(some))}
            found += [(row, row.session_id in alive) for row in some]
        return found

    def alive(self, rows: Sequence[Session]) -> Plan[list[Session]]:
        """Return the rows of sessions to which somebody wrote lately enough; see `is_visible`."""
        if self.ttl is None or not rows:
            return list(rows)
        if self.clock is not None:
            return [row for row in rows if not self._is_over(row.updated_at)]
        # A row has the time that its last fact tells, not the one at which it was stored.
        ids = [row.session_id for row in rows]
        heads: dict[str, Head] = yield self.ledger.heads(ids, tenant=self.tenant)
        return [
            row
            for row in rows
            if heads[row.session_id].visible
            and not self._is_over(from_microseconds(heads[row.session_id].recorded_us))
        ]

    def is_there(self, place: Place) -> Plan[bool]:
        """Whether what a session has may be shown; without an expiry always, and no question."""
        if self.ttl is None:
            return True
        return (yield from self.is_visible(place))

    def is_visible(self, place: Place) -> Plan[bool]:
        """Whether a session has anything and has not expired: its last event tells, no view."""
        last = yield from self._last(place.ledger_id)
        return last is not None and not self._is_over(self._written_at(last))

    def has_expired(self, ledger_id: str) -> Plan[bool]:
        """Whether a session has something, but nobody wrote to it lately enough."""
        last = None if self.ttl is None else (yield from self._last(ledger_id))
        return last is not None and self._is_over(self._written_at(last))

    def _last(self, ledger_id: str) -> Plan[Event | None]:
        found: list[Event] = yield self.ledger.read(
            ledger_id, tenant=self.tenant, newest_first=True, limit=1
        )
        return found[0] if found else None

    def _is_over(self, last_write: datetime) -> bool:
        return self.ttl is not None and self.now() - last_write >= self.ttl

    def _written_at(self, event: Event) -> datetime:
        # Without a clock of its own the store goes by the log's, for what others bring in may have
        # happened long ago and be written only now.
        return event.recorded_at if self.clock is None else event.occurred_at


def ttl_of(seconds: Any, name: str) -> timedelta | None:
    """Return an expiry; None and 0 are none."""
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
        raise InvalidArgument(name, f"expected seconds, 0 or more, got {shown(seconds)}")
    try:
        return timedelta(seconds=seconds) if seconds else None
    except OverflowError as error:
        raise InvalidArgument(name, f"{shown(seconds)} is too long") from error
