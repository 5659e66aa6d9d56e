"""Following: endless iteration over the log or one session, for threads."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol, Self

import msgspec

from . import cursor as cursors
from .arguments import SessionArguments, event_types, session_query
from .backends.base import Backend, SessionQuery
from .batch import Door
from .errors import InvalidArgument, LedgerClosed, RetryableError
from .events import Event
from .paging import PageSize
from .pauses import Pauses
from .plans import Plan, run
from .reading import Storage, feed_page, read_session
from .records import Record, event_of_record
from .upcasts import Upcasts
from .wakeups import Where

FOLLOW_PAGE_EVENTS = 1_000
#: The length of one wait or rest, in which `close` of a follower goes unnoticed.
FOLLOW_WAIT_S = 1.0
_PAUSE_FIRST_S = 0.05
_PAUSE_LONGEST_S = FOLLOW_WAIT_S


class Source(Protocol):
    """What is followed, and how far its reader has come."""

    @property
    def where(self) -> Where: ...
    def page(self, backend: Storage) -> Plan[list[Record]]: ...
    def passed(self, record: Record) -> None: ...
    def finished_page(self) -> None: ...


class FeedSource:
    """The whole log, from a cursor."""

    where = None

    def __init__(
        self, place: cursors.Cursor, types: tuple[str, ...] | None, tenant: str | None
    ) -> None:
        self.place = place
        self._behind = place
        self._size = PageSize(FOLLOW_PAGE_EVENTS)
        self._types = types
        self._tenant = tenant

    def page(self, backend: Storage) -> Plan[list[Record]]:
        while True:
            page = yield from feed_page(
                backend, self.place, self._size.events, self._types, self._tenant
            )
            self._size.saw(page.records)
            self._behind = page.cursor
            if page.records:
                return page.records
            # What the filter leaves out is passed now, or every wake-up would look at it again.
            self.place = page.cursor
            if not page.more:
                return []

    def passed(self, record: Record) -> None:
        positions = list(self.place.positions)
        positions[record.bucket] = record.position
        self.place = cursors.Cursor(tuple(positions), self.place.next_bucket)

    def finished_page(self) -> None:
        self.place = self._behind


class SessionSource:
    """One session, from behind a sequence."""

    def __init__(self, query: SessionQuery) -> None:
        self.query = query
        self._size = PageSize(FOLLOW_PAGE_EVENTS)

    @property
    def where(self) -> Where:
        return self.query.session

    def page(self, backend: Storage) -> Plan[list[Record]]:
        records = yield from read_session(backend, self.query, self._size.events, 0)
        self._size.saw(records)
        return records

    def passed(self, record: Record) -> None:
        self.query = msgspec.structs.replace(self.query, after=record.sequence)

    def finished_page(self) -> None:
        return None


def source_of(
    door: Door,
    ledger_id: str,
    buckets: int,
    session_id: str | None,
    cursor: str | None,
    after: int,
    types: Iterable[str] | None,
    tenant: str | None,
) -> Source:
    """Return what the arguments of `follow` name; raise InvalidArgument or InvalidCursor."""
    if session_id is None:
        if after:
            raise InvalidArgument("after", "only a session has sequences; use a cursor")
        if tenant is not None:
            door.tenant_key(tenant)
        place = cursors.place_of(cursor, ledger_id, buckets)
        return FeedSource(place, event_types(types), tenant)
    if cursor is not None:
        raise InvalidArgument("cursor", "a session is followed from a sequence; use after")
    given = SessionArguments(session_id=session_id, tenant=tenant or "", after=after, types=types)
    return SessionSource(session_query(door, given))


def next_page(
    backend: Storage,
    source: Source,
    sleep: Callable[[float], Any],
    closed: Callable[[], bool],
) -> Plan[list[Record]]:
    """Wait for a page that is not empty; [] once the follower or the ledger was closed."""
    pauses = Pauses(_PAUSE_FIRST_S, _PAUSE_LONGEST_S)
    while not closed():
        try:
            token = yield backend.token(source.where)
            records = yield from source.page(backend)
            if records:
                return records
            yield backend.wait(source.where, token, FOLLOW_WAIT_S)
            pauses.reset()
        except LedgerClosed:
            break
        except RetryableError:
            # A server that restarts is a pause for its followers, not an end.
            yield sleep(pauses.next_s())
    return []


class Follower:
    """An endless iterator of events; it belongs to one thread, `close` may come from any.

    It reads up to 1,000 events ahead, and hands them out also if their session is deleted meanwhile
    or the ledger closed. Of a session that is followed, what was deleted before it was read is left
    out without a word, and what comes after the deletion follows.
    """

    def __init__(self, backend: Backend, source: Source, ledger_id: str, upcasts: Upcasts) -> None:
        self._backend = backend
        self._ledger_id = ledger_id
        self._upcasts = upcasts
        self._source = source
        self._page: deque[Record] = deque()
        self._closed = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        if not self._page and not self._closed:
            self._source.finished_page()
            page = next_page(self._backend, self._source, time.sleep, lambda: self._closed)
            self._page.extend(run(page))
        if self._closed or not self._page:
            raise StopIteration
        # Decoded before it counts as passed: an upcaster may raise, and must not cost an event.
        event = event_of_record(self._page[0], self._upcasts)
        self._source.passed(self._page.popleft())
        return event

    @property
    def cursor(self) -> str:
        """The cursor behind the last event handed out; a session has none."""
        return cursor_of(self._source, self._ledger_id)

    @property
    def sequence(self) -> int:
        """The sequence of the session's last event handed out, or `after`; the log has none."""
        return sequence_of(self._source)

    def close(self) -> None:
        """End the iteration: within a second, or when a call to a silent server is given up.

        That takes about `lock_timeout_s` and twice `connect_timeout_s`, half a minute by default.
        """
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def cursor_of(source: Source, ledger_id: str) -> str:
    """Return the token of a feed source's place."""
    if not isinstance(source, FeedSource):
        raise InvalidArgument("cursor", "a session is followed from a sequence; see sequence")
    return cursors.encode(source.place, ledger_id)


def sequence_of(source: Source) -> int:
    """Return the sequence that a session source is behind."""
    if not isinstance(source, SessionSource):
        raise InvalidArgument("sequence", "the log is followed from a cursor; see cursor")
    return source.query.after
