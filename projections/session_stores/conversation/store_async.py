"""soldier's SessionStore on a ledger: conversations in and out, kept as facts, for tasks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from uuid import UUID

from ledger import AsyncLedger
from ledger.batch import utc_now
from ledger.catalogue import ScopeFilter
from ledger.plans import arun

from ...readers.session_lists import SessionFilters
from ...views_async import AsyncViews
from ..store_parts import async_views_for, checked_clock
from .drafts import AnyFact
from .models import OPEN, Channel, Session, SessionStatus
from .reading import Id, id_text
from .writing import ConversationWriting


class AsyncConversationStore:
    """Saves and finds the conversations of customers with agents. Safe to share.

    It keeps nothing itself, so that any number of stores and processes see the same sessions, those
    included that others wrote as facts with an agent, a channel and a user of it. What is saved is
    in the views as everything else is.

    A session belongs to its tenant: a store made with a `tenant_id` finds no others, one without
    wants it said in every call. `clock` tells when a save happens, if the session does not.
    """

    def __init__(
        self,
        ledger: AsyncLedger,
        views: AsyncViews | None = None,
        *,
        tenant_id: Id | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._plans = ConversationWriting(
            ledger, async_views_for(ledger, views), tenant_id, checked_clock(clock)
        )

    async def get(self, session_id: Id, *, tenant_id: Id | None = None) -> Session | None:
        """Return a copy of a session, archived or not; None if there is none of that tenant."""
        return await arun(self._plans.get(session_id, tenant_id))

    async def save(self, session: Session, *, events: Sequence[AnyFact] = ()) -> UUID:
        """Store a session as it is and return its id; nothing is stored if nothing has changed.

        All or nothing, together with `events` that happened meanwhile, and which the session
        already reflects. Without them it is one append, and nothing is read, if the object was read
        or saved and nobody wrote since. Of the caller's object only `version` changes. A later
        `last_activity_at` is a change, too; of a closed session it stays when it was closed,
        whatever its object says. Where `events` say otherwise whose it is, the session is right.
        Raises SessionChanged if what the session says was changed behind that version: get it
        again, or use `update`.
        """
        await arun(self._plans.save(session, events))
        return session.session_id

    async def update(
        self,
        session_id: Id,
        change: Callable[[Session], Session | None],
        *,
        tenant_id: Id | None = None,
    ) -> Session | None:
        """Get, change and save, again if somebody else was faster; None if it is not there.

        `change` alters the session that it is given, or returns another one to save. It may be
        called several times.
        """
        return await arun(self._plans.update(session_id, change, tenant_id))

    async def delete(
        self, session_id: Id, *, tenant_id: Id | None = None, reason: str | None = None
    ) -> bool:
        """Hide a session from every reader; False if the tenant has none.

        What is saved later under its id begins anew.
        """
        return await arun(self._plans.delete(session_id, tenant_id, reason))

    async def get_by_channel(
        self,
        tenant_id: Id,
        channel: Channel,
        user_channel_id: str,
        *,
        statuses: Collection[SessionStatus] | None = None,
    ) -> Session | None:
        """Return the session of a channel identity with the newest activity, or None.

        Archived ones are left out, as of every list. `OPEN` as `statuses` asks for the newest that
        is not closed; None is any.
        """
        return await arun(self._plans.get_by_channel(tenant_id, channel, user_channel_id, statuses))

    async def get_or_create(
        self, session: Session, *, reuse: Collection[SessionStatus] = OPEN
    ) -> Session:
        """Return the session of the channel identity of this one, else save and return this one.

        Of all that do this at the same moment one creates; its object gets the version, as by
        `save`, and nobody else's is changed. A session whose status is not in `reuse`, or that is
        archived, is left alone, and another one begun.
        """
        return await arun(self._plans.get_or_create(session, reuse))

    async def list_by_agent(
        self,
        tenant_id: Id,
        agent_id: Id,
        *,
        status: SessionStatus | None = None,
        limit: int = 100,
        after: Session | None = None,
    ) -> list[Session]:
        """Return an agent's sessions, the newest activity first, then by id backwards.

        Archived ones are left out. The others are found at one moment, up to 10,000, and then read
        one by one: those that are another agent's or in another status by then are left out, too.
        `after` is the last session of the page before.
        """
        agent: SessionFilters = {"agent_id": id_text(agent_id, "agent_id")}
        return await arun(self._plans.list_by(tenant_id, agent, status, limit, after))

    async def list_by_customer(
        self,
        tenant_id: Id,
        customer_profile_id: Id,
        *,
        limit: int = 100,
        after: Session | None = None,
    ) -> list[Session]:
        """Return a customer's sessions in the order of `list_by_agent`."""
        customer_id = id_text(customer_profile_id, "customer_profile_id")
        customer: SessionFilters = {"customer_profile_id": customer_id}
        return await arun(self._plans.list_by(tenant_id, customer, None, limit, after))

    async def find_sessions_by_step_hash(
        self,
        tenant_id: Id,
        scenario_id: Id,
        scenario_version: int,
        step_content_hash: str,
        scope_filter: ScopeFilter | None = None,
    ) -> list[Session]:
        """Return active sessions that stand at a step, in any active scenario, through an index.

        The longest inactive first, then by id, each once; archived ones are left out. All conditions
        of `scope_filter` must hold; ages are whole days and its bounds are included. Raises
        InvalidArgument if it has `custom_conditions`, which nobody evaluates.
        """
        return await arun(
            self._plans.find_sessions_by_step_hash(
                tenant_id, scenario_id, scenario_version, step_content_hash, scope_filter
            )
        )
