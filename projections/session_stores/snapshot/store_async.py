"""agent-base's SessionStore on a ledger: whole sessions in and out, kept as facts, for tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from ledger import AsyncLedger
from ledger.events import Event
from ledger.plans import arun

from ...readers.listing_cursors import ViewPage
from ...views_async import AsyncViews
from ..store_parts import async_views_for
from .agent_sessions import AgentSession, SessionId
from .records import Checkpoint, SavedVersion, SessionKey
from .telling import AnyEvent
from .writing import SnapshotWriting

# The class has a method of this name, which hides the type from the annotations behind it.
SessionIds = list[SessionId]
Versions = list[SavedVersion]
Checkpoints = list[Checkpoint]
Events = list[Event]


class AsyncSnapshotStore:
    """Saves, loads, lists and deletes the sessions of a tenant's agents. Safe to share.

    It keeps nothing itself, so that any number of stores and processes see the same sessions, those
    included that others wrote as facts. What is saved is in the views as everything else is.

    A session is named by a SessionId, its id (text, number or UUID), or the external id that it was
    given; where both would fit, the id does. A UUID is one id, and one external id, in either of its
    texts. Errors are the ledger's and the views'.

    `clock` tells when a save, and an event without a time of its own, happened; without it that is
    when it is stored.
    """

    def __init__(
        self,
        ledger: AsyncLedger,
        views: AsyncViews | None = None,
        *,
        tenant: str = "",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._plans = SnapshotWriting(ledger, async_views_for(ledger, views), tenant, clock)

    async def save(self, session: AgentSession, *, events: Sequence[AnyEvent] = ()) -> AgentSession:
        """Store a session as it is and return it with its new version; go on with that one.

        All or nothing, together with `events` that happened meanwhile. Messages that are new are
        appended, ones that were trimmed stay in the transcript. Saving what is stored already
        stores nothing. If the session was loaded or saved, changed by its methods, and nobody wrote
        since, it is not read again: a save is one append. Raises SessionChanged if the stored
        session has another version, ExternalIdTaken, and InvalidArgument if it has no id.
        """
        return await arun(self._plans.save(session, events))

    async def load(
        self, session_id: SessionKey, *, version: int | None = None
    ) -> AgentSession | None:
        """Return a session, or what it was behind an earlier `version`; None if there is none.

        A `version` is the sequence of any event of the session, a save's or another one's; of one
        that it has not reached there is none.
        """
        return await arun(self._plans.load(session_id, version))

    async def update(
        self, session_id: SessionKey, change: Callable[[AgentSession], AgentSession]
    ) -> AgentSession | None:
        """Load, change and save a session, again if somebody else was faster; None if it is not there.

        `change` may be called several times.
        """
        return await arun(self._plans.update(session_id, change))

    async def list(self) -> SessionIds:
        """Return the ids of all sessions, the newest activity first, then by id backwards.

        Archived ones are left out; none is that is written to meanwhile. For many sessions ask for
        pages.
        """
        return await arun(self._plans.all_ids())

    async def list_page(
        self, *, limit: int = 100, cursor: str | None = None
    ) -> ViewPage[SessionId]:
        """Return a page of what `list` returns, and the cursor of the next one.

        A session that is written to between two pages goes to the front, and may be on none.
        """
        return await arun(self._plans.page(limit, cursor))

    async def delete(self, session_id: SessionKey, *, reason: str | None = None) -> bool:
        """Hide a session from every reader; False if there was none.

        Its external id is free again; what is saved later under its id begins anew.
        """
        return await arun(self._plans.delete(session_id, reason))

    async def append_event(
        self,
        session_id: SessionKey,
        event: AnyEvent,
        *,
        run_id: str | None = None,
        event_id: str | None = None,
        call_id: str | None = None,
    ) -> int:
        """Append what happened in a session and return its sequence.

        An event is a runtime event as agent-base serializes it, a fact of the catalogue, or a
        NewEvent. With an `event_id` repeating the call stores nothing, until the session is
        deleted. The end of a tool call without a `call_id` ends the oldest open call of its tool, a
        partial result is of the call whose id is its tool_call_id: give both, and the start, a
        `call_id`, so that they meet.
        """
        return await arun(
            self._plans.append_event(
                session_id, event, run_id=run_id, event_id=event_id, call_id=call_id
            )
        )

    async def events(
        self,
        session_id: SessionKey,
        *,
        after: int = 0,
        types: Iterable[str] | None = None,
        run_id: str | None = None,
        limit: int | None = None,
        wait: float = 0,
    ) -> Events:
        """Return the events of a session in order, those of saves included; [] if there are none.

        `after` is the last sequence that was seen, `wait` the seconds to wait for a first one.
        """
        return await arun(
            self._plans.events(
                session_id, after=after, types=types, run_id=run_id, limit=limit, wait=wait
            )
        )

    async def versions(self, session_id: SessionKey) -> Versions:
        """Return the saves of a session, the oldest first; each can be loaded."""
        return await arun(self._plans.versions(session_id))

    async def checkpoint(self, session_id: SessionKey) -> Checkpoint | None:
        """Return the last checkpoint of a session, or None."""
        return await arun(self._plans.checkpoint(session_id))

    async def checkpoints(
        self, session_id: SessionKey, *, limit: int | None = None, newest_first: bool = False
    ) -> Checkpoints:
        """Return the checkpoints of a session in order."""
        return await arun(self._plans.checkpoints(session_id, limit, newest_first))
