"""Recorders of events: aggregates are sessions, and notification ids are positions of the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

import msgspec

from ledger import Append, Ledger, SequenceConflict, new_event_id
from ledger.backends.base import FeedQuery, SessionQuery
from ledger.events import SESSION_DELETED
from ledger.limits import FEED_LIMIT_MAX, SEQUENCE_MAX
from ledger.records import Record

from .api import (
    AggregateRecorder,
    ApplicationRecorder,
    IntegrityError,
    Notification,
    ProgrammingError,
    StoredEvent,
    Subscription,
)
from .errors import translated
from .events import (
    is_stored_event,
    new_event,
    notification,
    session_of,
    stored_event,
    type_of,
    version_of,
)
from .ordering import append_in_turns, append_together
from .subscribing import LedgerSubscription

#: The only one: with several there is no single order that notification ids could be.
BUCKET = 0
PAGE_EVENTS = 500
_LOOK_BACK_EVENTS_MIN = 8
_LOOK_BACK_EVENTS_MAX = 5_000
#: Where an aggregate's versions may begin.
_INITIAL_VERSIONS = (0, 1)


class LedgerAggregateRecorder(AggregateRecorder):
    """Events of aggregates, each a session of one tenant."""

    def __init__(self, ledger: Ledger, tenant: str = "") -> None:
        if ledger.buckets != 1:
            raise ProgrammingError(
                f"A ledger for eventsourcing has one bucket, this one has {ledger.buckets}: "
                "name another schema or database."
            )
        self.ledger = ledger
        self.tenant = tenant

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Store events whole or not at all; IntegrityError if a version is not the next one."""
        with translated():
            self._insert(stored_events)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return an aggregate's events by version; what was deleted from the ledger is gone.

        They are of one incarnation: the one in which the first page of them was read.
        """
        low = -1 if gt is None else gt
        high = SEQUENCE_MAX if lte is None else lte
        found: list[StoredEvent] = []
        if limit == 0 or high <= low:
            return found
        query = self._session(session_of(originator_id), newest_first=desc)
        # A version is never ahead of its sequence, so all beyond `gt` is found after it.
        query = msgspec.structs.replace(query, after=max(0, low))
        if not desc or lte is None:
            size = min(PAGE_EVENTS, high - low + 1, limit or PAGE_EVENTS)
            query = msgspec.structs.replace(query, limit=size)
        last = low + 1 if desc else high
        with translated():
            for record in self._records(query):
                event = stored_event(record)
                if low < event.originator_version <= high:
                    found.append(event)
                if len(found) == limit or event.originator_version == last:
                    break
        return found

    def _insert(
        self, stored_events: Sequence[StoredEvent], also: Sequence[Append] = ()
    ) -> list[int]:
        """Append events, after something else of other sessions, and return their positions."""
        runs = [(key, list(run)) for key, run in groupby(stored_events, _session_of_event)]
        first: dict[str, int] = {}  # the place of each session's first run
        for place, (session, _) in enumerate(runs):
            first.setdefault(session, place)
        _check_consecutive(stored_events)
        if not runs and not also:
            return []
        call = new_event_id()
        appends = [
            Append(
                session,
                [new_event(event, call) for event in events],
                self.tenant,
                # The head where versions begin at 1; where they do not, the refusal tells.
                max(0, events[0].originator_version - 1) if first[session] == place else None,
            )
            for place, (session, events) in enumerate(runs)
        ]
        append = append_together if len(first) == len(runs) else append_in_turns
        while True:
            try:
                positions = append(self.ledger, [*also, *appends])
            except SequenceConflict as conflict:
                if conflict.tenant != self.tenant:
                    raise
                place = first[conflict.session_id]
                self._check_next(runs[place][1][0], conflict)
                appends[place] = msgspec.structs.replace(appends[place], expected=conflict.actual)
            else:
                return positions[len(positions) - len(stored_events) :]

    def _check_next(self, event: StoredEvent, conflict: SequenceConflict) -> None:
        """Raise IntegrityError unless the version is the next one at the head that was found.

        It is where versions begin at 0, and where the session holds other facts too.
        """
        query = self._session(conflict.session_id, newest_first=True)
        query = msgspec.structs.replace(query, before=conflict.actual + 1, limit=1)
        last = next(map(version_of, self._records(query)), None)
        version = event.originator_version
        if version != last + 1 if last is not None else version not in _INITIAL_VERSIONS:
            raise IntegrityError(
                f"Version {version} of {event.originator_id} does not follow version {last}."
            ) from conflict

    def _session(self, session_id: str, *, newest_first: bool) -> SessionQuery:
        return SessionQuery(
            bucket=BUCKET,
            tenant=self.tenant,
            session_id=session_id,
            limit=PAGE_EVENTS,
            newest_first=newest_first,
        )

    def _records(self, query: SessionQuery) -> Iterator[Record]:
        """Yield what a session has, page by page as it is wanted.

        All of it is of one incarnation: the one in which the first page was read.
        """
        while True:
            page = self.ledger.backend.read(query)
            for record in page:
                if record.type == SESSION_DELETED:
                    return  # where the incarnation began, or ended meanwhile
                if is_stored_event(record):
                    yield record
            if len(page) < query.limit:
                return
            bound = "before" if query.newest_first else "after"
            # If the session is deleted now, the rest of what was begun is still where it was.
            query = msgspec.structs.replace(query, deleted=True, **{bound: page[-1].sequence})


class LedgerApplicationRecorder(LedgerAggregateRecorder, ApplicationRecorder):
    """Events of an application in one sequence: that of the log, as far as it is the tenant's."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Store events whole or not at all, in their order, and return their notification ids.

        IntegrityError if a version is not its aggregate's next one. A lost reply is no conflict:
        the append is repeated with the same event ids.
        """
        with translated():
            return self._insert(stored_events)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return a page of the sequence; ids have gaps where the log holds something else."""
        after = max(0, (start or 0) - (1 if inclusive_of_start else 0))
        upto = SEQUENCE_MAX if stop is None else stop
        types = tuple(map(type_of, topics)) or None
        found: list[Notification] = []
        with translated():
            # The head is not asked for: positions are dense at commit, so that whatever is
            # missing at the end of a page comes later, behind what was read.
            while len(found) < limit and after < upto:
                size = min(limit - len(found), FEED_LIMIT_MAX)
                page = self._feed(after, upto, size, types)
                found += map(notification, filter(is_stored_event, page))
                if len(page) < size:
                    break
                after = page[-1].position
        return found

    def max_notification_id(self) -> int | None:
        """Return the last notification's id; quick if the end of the log is the tenant's."""
        with translated():
            upto = self.ledger.backend.positions()[BUCKET]
            width = _LOOK_BACK_EVENTS_MIN
            while upto > 0:
                after = max(0, upto - width)
                page = self._feed(after, upto, upto - after, None)
                found = [record.position for record in page if is_stored_event(record)]
                if found:
                    return found[-1]
                upto, width = after, min(width * 10, _LOOK_BACK_EVENTS_MAX)
        return None

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        """Return an endless iterator behind a notification id; works on every backend."""
        return LedgerSubscription(self, gt, topics)

    def _feed(
        self, after: int, upto: int, limit: int, types: tuple[str, ...] | None
    ) -> list[Record]:
        query = FeedQuery(
            ranges=((BUCKET, after, upto),), limit=limit, types=types, tenant=self.tenant
        )
        return self.ledger.backend.feed(query)


def _session_of_event(event: StoredEvent) -> str:
    return session_of(event.originator_id)


def _check_consecutive(events: Sequence[StoredEvent]) -> None:
    last: dict[str, int] = {}
    for event in events:
        session, version = _session_of_event(event), event.originator_version
        if version != last.get(session, version - 1) + 1 or version < 0:
            raise IntegrityError(
                f"Version {version} of {event.originator_id} does not follow {last.get(session)}."
            )
        last[session] = version
