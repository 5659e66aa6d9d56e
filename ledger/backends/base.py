"""The seam: what a backend can do, in verbs of the domain. Internal, free to change.

Both protocols have the same methods; a parity test holds them together. Every method is one
atomic step. Driver errors never leave a backend: they become errors of `ledger.errors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from ..options import OpenOptions as OpenOptions  # part of the seam: every backend takes them
from ..records import Head, Outcome, Record, SessionPlace, Unit
from ..wakeups import Where


class LedgerInfo(msgspec.Struct, frozen=True):
    """What was fixed when the ledger was created: its identity, and its number of buckets.

    `distributed`: its tables are spread by bucket over the servers of a Citus cluster.
    """

    ledger_id: str
    buckets: int
    schema: int
    distributed: bool = False


#: The type of which the events of a session have an index of their own, as deletions have.
REDACTIONS = ("content.redacted",)


class SessionQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which events of one session, in sequence order; bounds are exclusive on both sides.

    `since_us` is inclusive and `until_us` exclusive, by the caller's clock. With `deleted` the
    events before the last deletion are read as well. `limit` is at least 1.
    """

    bucket: int
    tenant: str
    session_id: str
    limit: int
    after: int = 0
    before: int | None = None
    run_id: str | None = None
    types: tuple[str, ...] | None = None
    since_us: int | None = None
    until_us: int | None = None
    newest_first: bool = False
    deleted: bool = False

    @property
    def session(self) -> SessionPlace:
        """The session that is asked about, for who waits for it."""
        return self.bucket, self.tenant, self.session_id

    @property
    def of_redactions(self) -> bool:
        """Whether it is the query that the index of redactions is for."""
        return self.types == REDACTIONS and not self.newest_first


class FeedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the log: (bucket, after, upto) ranges in reading order, exclusive and inclusive.

    Records come range by range, in position order, `limit` of them at most in all.
    """

    ranges: tuple[tuple[int, int, int], ...]
    limit: int
    types: tuple[str, ...] | None = None
    tenant: str | None = None


class Place(msgspec.Struct, frozen=True):
    """A place in the order (bucket, tenant, session_id, sequence), for a full scan."""

    bucket: int
    tenant: str = ""
    session_id: str = ""
    sequence: int = 0


class Backend(Protocol):
    """Storage of one ledger. Methods are safe to call from several threads."""

    info: LedgerInfo
    #: where it is, for people: without a password
    where: str
    #: how many group-commit lanes may write at the same time
    lanes: int
    #: how long an append may wait for other transactions, all its tries together
    lock_timeout_s: float

    def append(self, units: Sequence[Unit], *, wait: bool) -> list[Outcome]:
        """Store units in one transaction, in order, each with an outcome of its own.

        The locks of all their buckets are taken in ascending order first. With `wait` they are
        waited for, no longer than `OpenOptions.lock_slice_s` (AppendTimeout); without, a unit
        whose lock is taken is answered Busy and the others go on. No two units share an event id.
        """
        ...

    def append_within(self, unit: Unit, connection: Any) -> Outcome:
        """Store one unit inside the open transaction of the caller's own connection."""
        ...

    def read(self, query: SessionQuery) -> list[Record]:
        """Return the events of one session that a query asks for, in its order."""
        ...

    def get(self, bucket: int, tenant: str, session_id: str, event_id: str) -> Record | None:
        """Return one event of a session, whether or not the session was deleted since."""
        ...

    def head(self, bucket: int, tenant: str, session_id: str) -> Head:
        """Return the end of a session; Head() if nothing was ever appended to it."""
        ...

    def heads(self, tenant: str, session_ids: Sequence[tuple[int, str]]) -> list[Head]:
        """Return the ends of a tenant's sessions, given as (bucket, session_id), in that order."""
        ...

    def positions(self) -> list[int]:
        """Return the head position of every bucket, in bucket order."""
        ...

    def feed(self, query: FeedQuery) -> list[Record]:
        """Return a page of the log."""
        ...

    def session_ids(
        self, tenant: str, bucket: int, after: str, limit: int, *, deleted: bool
    ) -> list[tuple[int, str]]:
        """Return (bucket, session_id) of a tenant behind (bucket, after), in that order.

        `after` applies to the first bucket; "" is before every id. Sessions with nothing after
        their last deletion are left out unless `deleted`.
        """
        ...

    def scan(self, after: Place, limit: int) -> list[Record]:
        """Return records of after.bucket in (tenant, session_id, sequence) order behind a place."""
        ...

    def token(self, where: Where) -> int:
        """Return a wake-up token; from the first call on, other processes' commits are watched."""
        ...

    def wait(self, where: Where, token: int, timeout_s: float) -> bool:
        """Wait until `where` (None: any) may have grown since its `token`; False on time-out."""
        ...

    def close(self) -> None:
        """Release everything and wake all waiters; calling it again does nothing."""
        ...


class WaitableBackend(Backend, Protocol):
    """A sync backend whose waiters may be tasks, which then need no thread each."""

    async def wait_async(self, where: Where, token: int, timeout_s: float) -> bool: ...


class AsyncBackend(Protocol):
    """The same storage for tasks of one event loop; docstrings as in Backend."""

    info: LedgerInfo
    where: str
    lanes: int
    lock_timeout_s: float

    async def append(self, units: Sequence[Unit], *, wait: bool) -> list[Outcome]: ...
    async def append_within(self, unit: Unit, connection: Any) -> Outcome: ...
    async def read(self, query: SessionQuery) -> list[Record]: ...
    async def get(
        self, bucket: int, tenant: str, session_id: str, event_id: str
    ) -> Record | None: ...
    async def head(self, bucket: int, tenant: str, session_id: str) -> Head: ...
    async def heads(self, tenant: str, session_ids: Sequence[tuple[int, str]]) -> list[Head]: ...
    async def positions(self) -> list[int]: ...
    async def feed(self, query: FeedQuery) -> list[Record]: ...
    async def session_ids(
        self, tenant: str, bucket: int, after: str, limit: int, *, deleted: bool
    ) -> list[tuple[int, str]]: ...
    async def scan(self, after: Place, limit: int) -> list[Record]: ...
    async def token(self, where: Where) -> int: ...
    async def wait(self, where: Where, token: int, timeout_s: float) -> bool: ...
    async def close(self) -> None: ...
