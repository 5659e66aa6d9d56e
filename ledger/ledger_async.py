"""The ledger for tasks of one event loop; see ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, overload

from . import transfer
from .arguments import (
    SessionArguments,
    backend_of,
    event_key,
    flag,
    list_limit,
    many_appends,
    natural,
    one_append,
    session_places,
    session_query,
    wait_seconds,
)
from .backends import open_backend_async
from .backends.base import AsyncBackend, OpenOptions
from .batch import Batch, Door, alone, in_appends
from .events import Append, Appended, Event, EventLike
from .following import source_of
from .following_async import AsyncFollower
from .group_commit_async import AsyncGroupCommit
from .lifecycle import deleting, fork_batch
from .limits import Limits
from .pages import FeedPage, SessionIds, end_of_log, page_of_ids, page_of_log
from .plans import arun
from .reading import read_event, read_lineage, read_pages, read_session
from .records import Head, event_of_record, events_of_records
from .rounds import numbers_or_raise
from .upcasts import Upcasts
from .verify import Progress, VerifyReport, verify_everything, verify_session

if TYPE_CHECKING:
    from .catalogue import Catalogue


class AsyncLedger:
    """An append-only log of events, numbered densely per session. Safe to share between tasks.

    Of one event loop: while that one is open, appends in another raise OtherEventLoop, and on
    PostgreSQL all calls do, at any time.
    """

    def __init__(
        self,
        backend: AsyncBackend,
        *,
        limits: Limits | None = None,
        catalogue: Catalogue | None = None,
        upcasts: Upcasts | None = None,
        retry_timeout_s: float = 30.0,
    ) -> None:
        self.backend = backend_of(backend, "await AsyncLedger.open(url)")
        self.upcasts = upcasts or Upcasts()
        self.door = Door(backend.info.buckets, limits or Limits(), catalogue)
        self._commits = AsyncGroupCommit(backend, retry_timeout_s)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        buckets: int | None = None,
        schema: str = "ledger",
        limits: Limits | None = None,
        catalogue: Catalogue | None = None,
        upcasts: Upcasts | None = None,
        retry_timeout_s: float = 30.0,
        lock_timeout_s: float = 10.0,
        connect_timeout_s: float = 10.0,
        pool_size: int = 8,
        lanes: int = 2,
        create: bool = True,
    ) -> Self:
        """Open the ledger at a URL, creating or migrating it first.

        `memory:`, `sqlite:///file.db` (three slashes relative, four absolute) or
        `postgresql://user@host/database`, where `schema` holds the tables. `buckets` is fixed at
        creation: 1 by default, 64 on PostgreSQL. Without `create` one that is not there is refused
        instead of made. `retry_timeout_s` bounds the repeating of appends whose connection broke,
        `lock_timeout_s` the waiting for another transaction. Raises BackendUnavailable,
        AccessDenied, NotALedger, SchemaTooNew, StorageFailed, IntegrityError, ForkedProcess or
        InvalidArgument.
        """
        options = OpenOptions(
            buckets=buckets,
            schema=schema,
            limits=limits,
            retry_timeout_s=retry_timeout_s,
            lock_timeout_s=lock_timeout_s,
            connect_timeout_s=connect_timeout_s,
            pool_size=pool_size,
            lanes=lanes,
            catalogue=catalogue,
            upcasts=upcasts,
            create=create,
        )
        return cls(
            await open_backend_async(url, options),
            limits=limits,
            catalogue=catalogue,
            upcasts=upcasts,
            retry_timeout_s=retry_timeout_s,
        )

    @overload
    async def append(
        self,
        session_id: str,
        events: EventLike,
        *,
        tenant: str = "",
        expected: int | None = None,
        incarnation: int | None = None,
        connection: Any = None,
    ) -> Appended: ...
    @overload
    async def append(
        self,
        session_id: str,
        events: Sequence[EventLike],
        *,
        tenant: str = "",
        expected: int | None = None,
        incarnation: int | None = None,
        connection: Any = None,
    ) -> list[Appended]: ...
    async def append(
        self,
        session_id: str,
        events: EventLike | Sequence[EventLike],
        *,
        tenant: str = "",
        expected: int | None = None,
        incarnation: int | None = None,
        connection: Any = None,
    ) -> Appended | list[Appended]:
        """Append one event, or several as one, to a session and return what became of each.

        Stored durably on return, all or nothing, with the session's next sequences. Appends without
        `expected` queue and never fail because of others; with it the session must be at that
        sequence (0: empty). A repeated id is not stored again: the original is returned, even if a
        condition no longer holds. A lost connection is survived: fixed ids make repeating safe.

        `incarnation` is the sequence of the session's last deletion, 0 for none, as `heads` tells
        it: if the session was deleted since, nothing new is stored.

        With `connection`, an open psycopg or apsw transaction of the caller, the events become
        visible when that transaction commits and vanish when it rolls back. Until then it holds
        the lock of the session's bucket, so one in B of all sessions waits for it.

        Raises InvalidEvent, InvalidArgument, SequenceConflict, IncarnationConflict, EventIdReused,
        AppendTimeout, BackendUnavailable, TransactionAborted, OutcomeUnknown, RetryableError (a
        cancelled statement), AccessDenied, NotALedger, StorageFailed, IntegrityError, LedgerClosed
        or ForkedProcess; nothing is stored then, but perhaps after BackendUnavailable.
        """
        append, place = one_append(session_id, events, tenant, expected, incarnation)
        answer = (await self._store(self.door.batch([append], place), connection))[0]
        return answer[0] if place is alone else answer

    async def append_many(
        self, appends: Iterable[Append], *, connection: Any = None
    ) -> list[list[Appended]]:
        """Append to several sessions, of several tenants, all or nothing.

        Returns one list per Append, in order, with one entry per event. Contract and errors are
        those of `append`.
        """
        return await self._store(self.door.batch(many_appends(appends), in_appends), connection)

    async def fork(self, session_id: str, at: int, into: str, *, tenant: str = "") -> Appended:
        """Begin the new session `into` with everything of a session up to sequence `at`.

        By reference: nothing is copied. The new session's first event, `session.forked`, names
        parent and place, and its hash chain starts from the parent's event. Repeating the call
        returns the first fork. Raises InvalidArgument if `at` is not a visible event of the
        session or `into` was ever deleted, SequenceConflict if `into` has events already.
        """
        self.door.session_key(tenant, session_id)
        self.door.session_key(tenant, into)
        plan = fork_batch(self.backend, self.door, tenant, session_id, natural(at, "at"), into)
        return (await self._store(await arun(plan), None))[0][0]

    async def delete(self, session_id: str, *, tenant: str = "", reason: str | None = None) -> bool:
        """Hide a session from every reader by appending `session.deleted`; False if it has nothing.

        Nothing is removed: readers with `deleted=True` still see the events. Events appended
        later begin a new incarnation with the next sequences.
        """
        key = self.door.session_key(tenant, session_id)
        return await arun(deleting(self.backend, self.append, key, self.buckets, reason))

    async def read(
        self,
        session_id: str,
        *,
        tenant: str = "",
        after: int = 0,
        before: int | None = None,
        run_id: str | None = None,
        types: Iterable[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        wait: float = 0,
        lineage: bool = False,
        deleted: bool = False,
    ) -> list[Event]:
        """Return a session's events in sequence order, as of one moment; [] if there are none.

        `after` and `before` are exclusive sequences; `since` (inclusive) and `until` (exclusive)
        compare the caller's clock. `limit` applies last: the oldest that fit, or the newest with
        `newest_first`; None is all. If nothing fits, up to `wait` seconds are spent waiting for
        an event that does. `lineage` puts the forked parents' events first, with their own
        sequences; the bounds then apply to each part. `deleted` also shows what was deleted.
        """
        given = SessionArguments(
            session_id=session_id,
            tenant=tenant,
            after=after,
            before=before,
            run_id=run_id,
            types=types,
            since=since,
            until=until,
            newest_first=newest_first,
            deleted=deleted,
        )
        query = session_query(self.door, given)
        count, wait_s = list_limit(limit), wait_seconds(wait)
        pages = read_lineage if flag(lineage, "lineage") else read_pages
        records = await arun(read_session(self.backend, query, count, wait_s, pages))
        return events_of_records(records, self.upcasts)

    async def get(
        self, session_id: str, event_id: str, *, tenant: str = "", deleted: bool = False
    ) -> Event | None:
        """Return one event of a session by its id, or None; deleted ones only if asked for."""
        key = self.door.session_key(tenant, session_id)
        place = self.door.bucket(*key), key, event_key(event_id)
        record = await arun(read_event(self.backend, *place, deleted=flag(deleted, "deleted")))
        return None if record is None else event_of_record(record, self.upcasts)

    async def head(self, session_id: str, *, tenant: str = "") -> int:
        """Return a session's last sequence, 0 if it has none; deletion does not reset it."""
        key = self.door.session_key(tenant, session_id)
        return (await self.backend.head(self.door.bucket(*key), *key)).sequence

    async def heads(self, session_ids: Iterable[str], *, tenant: str = "") -> dict[str, Head]:
        """Return the ends of sessions at one moment: sequence, hash, last deletion, incarnation.

        In the order given, each session once; one that has nothing ends at Head(). Up to 10,000, or
        as many as an append may have events.
        """
        places = session_places(self.door, tenant, session_ids)
        keys = [(bucket, session_id) for session_id, bucket in places.items()]
        found = await self.backend.heads(tenant, keys) if keys else []
        return dict(zip(places, found, strict=True))

    async def feed(
        self,
        cursor: str | None = None,
        *,
        limit: int = 1_000,
        types: Iterable[str] | None = None,
        tenant: str | None = None,
    ) -> FeedPage:
        """Return the next page of the whole log and the cursor behind it.

        Per session in sequence order, per bucket in position order, every event exactly once,
        deletions and what they hide included. The cursor also moves over events that `types` or
        `tenant` leave out, so a page can be empty while `more` is True. Raises InvalidCursor.
        """
        asked = cursor, limit, types, tenant
        return await arun(page_of_log(self.backend, self.door, self.upcasts, *asked))

    async def end_cursor(self) -> str:
        """Return the cursor behind the last event that is committed now.

        From it `feed` and `follow` give what comes later: no event whose append has returned, and
        each one once that is appended after this call.
        """
        return await arun(end_of_log(self.backend))

    def follow(
        self,
        session_id: str | None = None,
        *,
        cursor: str | None = None,
        after: int = 0,
        types: Iterable[str] | None = None,
        tenant: str | None = None,
    ) -> AsyncFollower:
        """Return an endless iterator over the whole log from a cursor, or over one session.

        New events arrive as they are committed, by any process. The iterator outlives a restart
        of the server, and ends when it or the ledger is closed. Its `cursor` (or `sequence`, for a
        session) is where to go on later.
        """
        source = source_of(
            self.door, self.ledger_id, self.buckets, session_id, cursor, after, types, tenant
        )
        return AsyncFollower(self.backend, source, self.ledger_id, self.upcasts)

    async def list_session_ids(
        self,
        *,
        tenant: str = "",
        cursor: str | None = None,
        limit: int = 1_000,
        deleted: bool = False,
    ) -> SessionIds:
        """Return a page of a tenant's session ids and the cursor behind it, None at the end.

        The order is fixed but has no meaning. Deleted sessions are listed only if asked for. With
        `limit` 0 the cursor is the one that was given.
        """
        plan = page_of_ids(self.backend, self.door, tenant, cursor, limit, deleted)
        return await arun(plan)

    async def verify(
        self,
        session_id: str | None = None,
        *,
        tenant: str = "",
        progress: Progress | None = None,
    ) -> VerifyReport:
        """Recompute numbers, digests and hash chains of one session, or of the whole log.

        Reads the stored bytes as they are, deleted events included, and names each event that is
        not what was appended; a session without any is a report of 0 sessions that is ok. `progress`
        is called with the events done and all there are.
        """
        if session_id is None:
            return await arun(verify_everything(self.backend, self.buckets, progress))
        tenant, session_id = self.door.session_key(tenant, session_id)
        plan = verify_session(self.backend, tenant, session_id, self.buckets, progress)
        return await arun(plan)

    def export_lines(self) -> AsyncIterator[bytes]:
        """Yield the whole log as JSON Lines, line ends included; see ledger.transfer.format.

        Logs of equal content give equal bytes, whatever their backends and buckets. What is
        appended meanwhile is left out.
        """
        return transfer.export_async(self.backend)

    async def import_lines(
        self,
        lines: transfer.AnyLines,
        *,
        progress: transfer.ImportProgress | None = None,
        allow_future: bool = False,
    ) -> transfer.ImportReport:
        """Store the lines of an export with their numbers, times and hashes, all verified first.

        Repeating it stores nothing. Raises InvalidImport for the first wrong line, another history
        than here or, but for `allow_future`, a time over a day from now; batches before are stored.
        """
        return await transfer.import_async(self.backend, self.door, lines, progress, allow_future)

    @property
    def ledger_id(self) -> str:
        """The identity the ledger got when it was created; a dump and restore keeps it."""
        return self.backend.info.ledger_id

    @property
    def buckets(self) -> int:
        """The number of buckets, fixed when the ledger was created."""
        return self.backend.info.buckets

    async def close(self) -> None:
        """Release the storage and end all followers; closing twice does nothing."""
        await self.backend.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.backend.where}, buckets={self.buckets}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def _store(self, batch: Batch, connection: Any) -> list[list[Appended]]:
        if connection is None:
            numbers = await self._commits.append(batch.unit)
        else:
            numbers = numbers_or_raise(await self.backend.append_within(batch.unit, connection))
        return batch.answer(numbers, self.upcasts)
