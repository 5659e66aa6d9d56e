"""How stored conversations are found and read: which rows they are of, at one moment. Plans."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from ledger import AsyncLedger, InvalidArgument, Ledger
from ledger.arguments import natural
from ledger.catalogue import ScopeFilter
from ledger.plans import Plan
from ledger.refusals import shown as shown_value

from ...folds.sessions import Session as SessionRow
from ...folds.snapshots import SNAPSHOTS
from ...folds.step_visits import STEP_VISITS
from ...readers.arguments import instance, text
from ...readers.listing_queries import TENANT_LIMIT_MAX
from ...readers.scenario_positions import ScenarioPosition
from ...readers.session_lists import SessionFilters
from ...views import Views
from ...views_async import AsyncViews
from .bases import Base
from .errors import RemainderUnreadable
from .fields import MEANT, is_conversation
from .models import STEP_HISTORY_MAX, Channel, Session, SessionStatus, keep
from .places import decided_by_rows, is_row_within, is_within, place_at
from .remainders import NOTHING, Remainder, Shown, shown
from .rows import PROJECTIONS, REMAINDER, Rows, is_uuid, rows_of

#: So often a plan begins anew because others wrote to the session; in each round one of them won.
ROUNDS_MAX = 1_000
PAGE_SESSIONS = 500
#: So many sessions are found at one moment.
ROWS_MAX = TENANT_LIMIT_MAX
#: So many rows of each view are asked for; most sessions have fewer, so that one question is enough.
LIMITS = (128, STEP_HISTORY_MAX, None)
NAMES = tuple(one.name for one in PROJECTIONS)
#: Of what stores keep beside the facts, no more than a conversation asks for.
ONLY = {SNAPSHOTS.name: {"name": REMAINDER}}

Id = UUID | str
Word = TypeVar("Word", bound=StrEnum)
_encode = msgspec.json.Encoder().encode


class ConversationReading:
    """The reading half of a store, over the sync or the async faces of ledger and views."""

    def __init__(
        self,
        ledger: Ledger | AsyncLedger,
        views: Views | AsyncViews,
        tenant_id: Id | None,
        clock: Callable[[], datetime],
    ) -> None:
        self.ledger = ledger
        self.views = views
        self.clock = clock
        self._tenant = None if tenant_id is None else id_text(tenant_id, "tenant_id")

    def tenant_of(self, tenant_id: Id | None) -> str | None:
        """Return whose sessions a call is about; None if they are not this store's to see."""
        if tenant_id is None:
            if self._tenant is None:
                raise InvalidArgument("tenant_id", "say whose: this store is of no one tenant")
            return self._tenant
        asked = id_text(tenant_id, "tenant_id")
        return asked if self._tenant in (None, asked) else None

    def get(self, session_id: Id, tenant_id: Id | None) -> Plan[Session | None]:
        """Return a session as it is."""
        key, tenant = id_text(session_id, "session_id"), self.tenant_of(tenant_id)
        if tenant is None:
            return None
        return (yield from self.stored(tenant, key))

    def stored(self, tenant: str, session_id: str) -> Plan[Session | None]:
        """Return a session if it is a conversation."""
        return self.session_of((yield from self.rows(tenant, session_id)))

    def session_of(self, rows: Rows) -> Session | None:
        """Return the session that rows are of, if it is a conversation."""
        row = rows.session
        if row is None or not is_conversation(row):
            return None
        said = {
            **shown(rows, remainder_of(rows)).json,
            "session_id": row.session_id,
            "tenant_id": row.tenant,
            "last_activity_at": row.last_activity_at.isoformat(),
            "version": row.last_sequence,
        }
        # By way of JSON, so that it shares nothing with the rows, which others look at later.
        session = Session.model_validate_json(_encode(said))
        base = self.base((row.tenant, row.session_id), as_read(rows), Shown(said))
        keep(session, row.last_sequence, base)
        return session

    def base(self, key: tuple[str, str], rows: Rows, said: Shown) -> Base | None:
        """Return what a session carries that is stored as these rows; None if there is none."""
        row = rows.session
        if row is None:
            return None
        return Base(self.ledger.ledger_id, key, row.last_sequence, rows, said)

    def rows(self, tenant: str, session_id: str) -> Plan[Rows]:
        """Read the rows that belong to a session, all of one moment."""
        found: dict[str, list[Any]] = {}
        for limit in LIMITS:
            found = yield self.views.together(
                session_id, NAMES, tenant=tenant, limit=limit, newest_first=True, only=ONLY
            )
            if _is_whole(found, limit):
                break
        return rows_of(found)

    def rows_of_each(self, tenant: str, session_ids: Sequence[str]) -> Plan[dict[str, Rows]]:
        """Read the rows of a page of sessions, those of each of one moment."""
        if len(session_ids) == 1:  # most lists by a channel, and half as long this way
            return {session_ids[0]: (yield from self.rows(tenant, session_ids[0]))}
        found: dict[str, Rows] = {}
        for limit in LIMITS:
            missing = [one for one in session_ids if one not in found]
            if not missing:
                break
            read: dict[str, dict[str, list[Any]]] = yield self.views.together_many(
                missing, NAMES, tenant=tenant, limit=limit, newest_first=True, only=ONLY
            )
            found |= {one: rows_of(rows) for one, rows in read.items() if _is_whole(rows, limit)}
        return found

    def get_by_channel(
        self,
        tenant_id: Id,
        channel: Channel,
        user_channel_id: str,
        statuses: Collection[SessionStatus] | None,
    ) -> Plan[Session | None]:
        """Return the session of a channel identity with the newest activity."""
        filters: SessionFilters = {
            "channel": channel_of(channel).value,
            "user_channel_id": text(user_channel_id, "user_channel_id", empty=True),
        }
        found = yield from self._listed(tenant_id, filters, statuses_of(statuses), 1, None)
        return found[0] if found else None

    def list_by(
        self,
        tenant_id: Id,
        filters: SessionFilters,
        status: SessionStatus | None,
        limit: int,
        after: Session | None,
    ) -> Plan[list[Session]]:
        """Return the sessions of an agent or a customer, the newest activity first."""
        natural(limit, "limit")
        statuses = statuses_of(None if status is None else [status])
        return (yield from self._listed(tenant_id, filters, statuses, limit, after))

    def _listed(
        self,
        tenant_id: Id,
        filters: SessionFilters,
        statuses: list[SessionStatus] | None,
        limit: int,
        after: Session | None,
    ) -> Plan[list[Session]]:
        """Return the first sessions of an order, from rows that are of one moment.

        Were the rows read a page at a time, or one status behind another, a session that moved
        meanwhile would be in none of these reads, although it was to be found all the time.
        """
        tenant = self.tenant_of(tenant_id)
        asked: SessionFilters = {**filters, "status": _meant(statuses)}
        place = None if after is None else _row_at(instance(after, "after", Session))
        found: list[Session] = []
        seen: set[str] = set()
        rows_max = limit
        while tenant is not None and len(found) < limit:
            count = min(rows_max, ROWS_MAX)
            rows: list[SessionRow] = yield self.views.sessions(
                tenant=tenant, limit=count, after=place, **asked
            )
            unseen = [row for row in rows if row.session_id not in seen]
            seen |= {row.session_id for row in unseen}
            ids = [row.session_id for row in unseen if is_conversation(row)]
            while ids and len(found) < limit:
                page = ids[: min(PAGE_SESSIONS, limit - len(found))]
                ids = ids[len(page) :]
                read = yield from self.rows_of_each(tenant, page)
                listed = (self.session_of(read[session_id]) for session_id in page)
                # Each is read behind its row, and may have become another one meanwhile.
                found += [
                    one for one in listed if one is not None and _fits(one, filters, statuses)
                ]
            if len(rows) < count:
                break
            if count == ROWS_MAX:
                place, seen = rows[-1], {str(one.session_id) for one in found}
            # What fills a gap may have moved, too, so it is looked for among all again.
            rows_max *= 2
        return sorted(found, key=_place, reverse=True)

    def find_sessions_by_step_hash(
        self,
        tenant_id: Id,
        scenario_id: Id,
        scenario_version: int,
        step_content_hash: str,
        scope_filter: ScopeFilter | None,
    ) -> Plan[list[Session]]:
        """Return the sessions that stand at a step, the longest inactive first, then by id."""
        tenant = self.tenant_of(tenant_id)
        asked = id_text(scenario_id, "scenario_id"), scenario_version, step_content_hash
        found: dict[str, Session | None] = {}
        now, last = self.clock(), None
        while True:
            # A tenant that is not this store's has nothing, but what is asked for is checked.
            page: list[ScenarioPosition] = yield self.views.scenario_positions(
                *asked,
                tenant=tenant or "",
                status=MEANT[SessionStatus.ACTIVE],
                scope_filter=decided_by_rows(scope_filter),
                now=now,
                limit=0 if tenant is None else ROWS_MAX,
                after=last,
            )
            unseen = [one for one in page if one.session.session_id not in found]
            found |= {one.session.session_id: None for one in unseen}
            ids = yield from self._maybe_within(scope_filter, unseen, tenant or "", now)
            for start in range(0, len(ids), PAGE_SESSIONS):
                some = ids[start : start + PAGE_SESSIONS]
                read = yield from self.rows_of_each(tenant or "", some)
                for session_id, rows in read.items():
                    place = place_at(rows, *asked)
                    one = None if place is None else self.session_of(rows)
                    found[session_id] = one if is_within(scope_filter, one, place, now) else None
            # Who enters the step again is behind the page again: those would be read without end.
            if len(page) < ROWS_MAX or not unseen:
                break
            last = page[-1]
        return sorted((one for one in found.values() if one is not None), key=_place)

    def _maybe_within(
        self,
        scope: ScopeFilter | None,
        page: Sequence[ScenarioPosition],
        tenant: str,
        now: datetime,
    ) -> Plan[list[str]]:
        """Return which sessions are within a filter by their rows, or may be by what they say.

        Only what is kept beside the facts, of few sessions, lets one say otherwise than its rows.
        """
        ids = [one.session.session_id for one in page]
        if scope is None:
            return ids
        outside = [one.session.session_id for one in page if not is_row_within(scope, one, now)]
        without: set[str] = set()
        for start in range(0, len(outside), PAGE_SESSIONS):
            read: dict[str, dict[str, list[Any]]] = yield self.views.together_many(
                outside[start : start + PAGE_SESSIONS],
                [SNAPSHOTS.name],
                tenant=tenant,
                limit=1,
                only=ONLY,
            )
            without |= {one for one, rows in read.items() if not rows[SNAPSHOTS.name]}
        return [one for one in ids if one not in without]


def _is_whole(found: dict[str, list[Any]], limit: int | None) -> bool:
    """Whether nothing is missing of what was read; of the steps the last ones are enough."""
    if limit is None:
        return True
    for name, rows in found.items():
        enough = name == STEP_VISITS.name and limit >= STEP_HISTORY_MAX
        if len(rows) >= (limit + 1 if enough else limit):
            return False
    return True


def as_read(rows: Rows) -> Rows:
    """Return rows as they are read: of very many steps only the last ones."""
    counts = {name: len(found) for name, found in rows.views.items()}
    if counts.pop(STEP_VISITS.name) <= STEP_HISTORY_MAX or max(counts.values()) >= STEP_HISTORY_MAX:
        return rows
    return rows.with_last_visits(STEP_HISTORY_MAX)


def remainder_of(rows: Rows) -> Remainder:
    """Return what was kept beside the facts, nothing if there is nothing."""
    kept = rows.remainder
    if kept is None:
        return NOTHING
    try:
        return msgspec.convert(kept.state, Remainder)
    except msgspec.ValidationError as error:
        raise RemainderUnreadable(kept.session_id, kept.last_sequence, str(error)) from error


def id_text(value: Any, name: str) -> str:
    """Return the text of a UUID, which may be given in either of its text forms."""
    if type(value) is str and is_uuid(value):
        return value
    try:
        return str(value if isinstance(value, UUID) else UUID(value))
    except (ValueError, AttributeError, TypeError) as error:
        raise InvalidArgument(name, f"expected a UUID, got {shown_value(value)}") from error


def channel_of(value: Any) -> Channel:
    """Return a channel, which may be given by its text."""
    return _word(value, "channel", Channel)


def statuses_of(values: Collection[Any] | None) -> list[SessionStatus] | None:
    """Return statuses, which may be given by their texts, each once."""
    if values is None:
        return None
    try:
        given = iter(values)
    except TypeError as error:
        reason = f"expected several statuses, got {shown_value(values)}"
        raise InvalidArgument("status", reason) from error
    return sorted({_word(one, "status", SessionStatus) for one in given})


def _word(value: Any, name: str, words: type[Word]) -> Word:
    try:
        return words(value)
    except (ValueError, TypeError) as error:
        reason = f"expected one of {', '.join(words)}, got {shown_value(value)}"
        raise InvalidArgument(name, reason) from error


def _fits(session: Session, filters: SessionFilters, statuses: list[SessionStatus] | None) -> bool:
    said = session.model_dump(mode="json", include=set(filters))
    return said == filters and (statuses is None or session.status in statuses)


def _meant(wanted: list[SessionStatus] | None) -> list[str] | None:
    """Return the statuses of rows that are one of soldier's; None is any."""
    if wanted is None:
        return None
    return [one for status in wanted for one in MEANT[status]]


def _place(session: Session) -> tuple[datetime, str]:
    return session.last_activity_at, str(session.session_id)


def _row_at(session: Session) -> SessionRow:
    """Return a row that only has the place of a session in a list."""
    moment = session.last_activity_at
    return SessionRow(
        tenant=str(session.tenant_id),
        session_id=str(session.session_id),
        first_sequence=0,
        last_sequence=0,
        position=0,
        status="",
        created_at=moment,
        last_activity_at=moment,
        updated_at=moment,
    )
