"""How a stored agent session is read: which rows it is made of, at one moment. Plans."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from ledger import Head, InvalidArgument
from ledger.arguments import natural
from ledger.events import SESSION_DELETED, Event
from ledger.plans import Plan

from ...engine.projection import payload
from ...folds.messages import Message
from ...folds.sessions import Session
from ...folds.snapshots import Snapshot
from ...readers.listing_cursors import ViewPage
from ..all_sessions import all_sessions
from ..store_parts import StorePlans
from ..uuid_texts import hyphenated
from .agent_sessions import AgentSession, SessionId
from .errors import SessionBusy
from .event_ids import as_given
from .external_ids import texts_of
from .message_changes import Window
from .records import (
    LIMITS,
    MESSAGE_TYPES,
    ROUNDS_MAX,
    SNAPSHOT,
    VIEWS,
    Checkpoint,
    SavedVersion,
    SessionKey,
    Stored,
    checkpoint_of,
    stored_of,
    window_of,
)

#: The last is nearly always one that changed something; else twice as many are read each time.
CHANGES_AT_FIRST = 2


class SnapshotReading(StorePlans):
    """The reading half of a store."""

    def resolve(self, key: SessionKey) -> Plan[str]:
        """Return the id of the session that has this id, else this external id; else the id."""
        return (yield from self.resolved(key))[0]

    def resolved(self, key: SessionKey) -> Plan[tuple[str, int | None]]:
        """Return the id that `resolve` does, and the session's incarnation; None if it is not there."""
        ids, external_id = self._names(key)
        # Asked of the log: a view would have to be brought up to date behind each event that is told.
        heads: dict[str, Head] = yield self.ledger.heads(ids, tenant=self.tenant)
        for session_id in ids:
            if heads[session_id].visible:
                return session_id, heads[session_id].incarnation
        holder = None if external_id is None else (yield from self._holder(external_id))
        return (ids[-1], None) if holder is None else (holder.session_id, holder.first_sequence - 1)

    def _names(self, key: SessionKey) -> tuple[list[str], str | None]:
        """Return the ids that are meant, the one of a session to be made last, and the external id."""
        if isinstance(key, SessionId):
            names = key.id, key.external_id
        elif isinstance(key, bool) or not isinstance(key, str | int | UUID):
            kind = type(key).__name__
            raise InvalidArgument("session_id", f"expected an id, text or a number, got {kind}")
        else:
            names = str(key), str(key)
        self.ledger.door.session_key(self.tenant, names[0])
        return list(dict.fromkeys((names[0], hyphenated(names[0])))), names[1]

    def holder(self, external_id: str) -> Plan[str | None]:
        """Return the id of the session that has an external id, or None."""
        row = yield from self._holder(external_id)
        return None if row is None else row.session_id

    def _holder(self, external_id: str) -> Plan[Session | None]:
        for text in texts_of(external_id):
            rows: list[Session] = yield self.views.sessions(
                tenant=self.tenant, external_id=text, archived=True, limit=1
            )
            if rows:
                return rows[0]
        return None

    def load(self, key: SessionKey, version: int | None) -> Plan[AgentSession | None]:
        """Return a session as it is, or as it was behind a version."""
        if version is not None:
            natural(version, "version")
            session_id = yield from self.resolve(key)
            head: int = yield self.ledger.head(session_id, tenant=self.tenant)
            # The views refuse to tell of a sequence that the session has not reached.
            found = None if version > head else (yield from self._at(session_id, version))
        else:
            found = yield from self._known(key)
        return None if found is None else found.session

    def _known(self, key: SessionKey) -> Plan[Stored | None]:
        """Return the stored session that has this id, else this external id, or None."""
        ids, external_id = self._names(key)
        for session_id in ids:
            found = yield from self.stored(session_id)
            if found is not None:
                return found
        holder = None if external_id is None else (yield from self.holder(external_id))
        return None if holder is None else (yield from self.stored(holder))

    def stored(self, session_id: str) -> Plan[Stored | None]:
        """Return a session as it is now: all of its rows at one moment, the one of its own row."""
        for limit in LIMITS:
            rows: dict[str, list[Any]] = yield self.views.together(
                session_id,
                VIEWS,
                tenant=self.tenant,
                limit=limit,
                newest_first=True,
                only={"snapshots": {"name": SNAPSHOT}},
            )
            if not rows["sessions"]:
                return None
            [row], kept = rows["sessions"], next(iter(rows["snapshots"]), None)
            messages: list[Message] | None = rows["messages"][::-1]
            if limit is not None and len(rows["messages"]) >= limit:
                messages = yield from self._whole(row, window_of(kept), messages or [], limit)
            if messages is not None:
                break
        return stored_of(self.ledger.ledger_id, row, messages or (), kept)

    def _whole(
        self, row: Session, window: Window, last: list[Message], limit: int
    ) -> Plan[list[Message] | None]:
        """Return a window's messages, of which there are the last ones; None if more are missing.

        What was trimmed is a transcript that only grows, and not read; before it are the system's.
        """
        if not window.rest_from or last[0].first_sequence > window.rest_from:
            return None
        if not window.prefix_through:
            return last
        rows: dict[str, list[Any]] = yield self.views.together(
            row.session_id, ("sessions", "messages"), tenant=self.tenant, limit=limit
        )
        first: list[Message] = rows["messages"]
        if rows["sessions"] != [row] or first[-1].first_sequence <= window.prefix_through:
            return None
        before = min(window.prefix_through + 1, last[0].first_sequence)
        return [one for one in first if one.first_sequence < before] + last

    def to_change(self, session_id: str) -> Plan[Stored | None]:
        """Return a session as it is now, and when it was changed last."""
        for _ in range(ROUNDS_MAX):
            found = yield from self.stored(session_id)
            if found is None:
                return None
            last = yield from self._last_change(session_id)
            if last <= found.base.version:
                changed = last if last >= found.first_sequence else 0
                return msgspec.structs.replace(found, changed=max(found.changed, changed))
        raise SessionBusy(session_id, ROUNDS_MAX)

    def _last_change(self, session_id: str) -> Plan[int]:
        """Return the sequence of the last fact about messages, or of a deletion behind it."""
        before, count = None, CHANGES_AT_FIRST
        while True:
            events: list[Event] = yield self.ledger.read(
                session_id,
                tenant=self.tenant,
                types=(*MESSAGE_TYPES, SESSION_DELETED),
                before=before,
                newest_first=True,
                limit=count,
                deleted=True,
            )
            found = next(filter(_is_change, events), None)
            if found is not None:
                return found.sequence
            if len(events) < count:
                return 0
            before, count = events[-1].sequence, 2 * count

    def _at(self, session_id: str, version: int) -> Plan[Stored | None]:
        """Return a session as it was; what the log holds of it never changes."""
        row: Session | None = yield self.views.session(
            session_id, tenant=self.tenant, as_of=version
        )
        if row is None:
            return None
        found: list[Message] = yield self.views.rows(
            "messages", session_id, tenant=self.tenant, as_of=version
        )
        messages = sorted(found, key=lambda one: (one.first_sequence, one.message_id))
        kept: Snapshot | None = yield self.views.snapshot(
            session_id, SNAPSHOT, tenant=self.tenant, as_of=version
        )
        return stored_of(self.ledger.ledger_id, row, messages, kept)

    def page(self, limit: int, cursor: str | None) -> Plan[ViewPage[SessionId]]:
        """Return a page of the ids of all sessions, the newest activity first."""
        rows: ViewPage[Session] = yield self.views.sessions_page(
            tenant=self.tenant, limit=limit, cursor=cursor
        )
        return ViewPage(list(map(_id_of, rows.items)), rows.cursor)

    def all_ids(self) -> Plan[list[SessionId]]:
        """Return the ids of all sessions, each once, whoever writes to them meanwhile."""
        rows = yield from all_sessions(self.views, self.tenant)
        return list(map(_id_of, rows))

    def versions(self, key: SessionKey) -> Plan[list[SavedVersion]]:
        """Return the saves of a session, oldest first."""
        session_id = yield from self.resolve(key)
        saves = yield from self._read(session_id, ("snapshot.saved",))
        return [
            SavedVersion(one.sequence, one.recorded_at)
            for one in saves
            if payload(one).get("name") == SNAPSHOT
        ]

    def events(self, key: SessionKey, **options: Any) -> Plan[list[Event]]:
        """Return the events of a session; options are those of `Ledger.read`."""
        session_id = yield from self.resolve(key)
        events: list[Event] = yield self.ledger.read(session_id, tenant=self.tenant, **options)
        return [as_given(event) for event in events]

    def checkpoints(
        self, key: SessionKey, limit: int | None, newest_first: bool
    ) -> Plan[list[Checkpoint]]:
        """Return the checkpoints of a session."""
        session_id = yield from self.resolve(key)
        saved = yield from self._read(
            session_id, ("checkpoint.saved",), limit=limit, newest_first=newest_first
        )
        return [checkpoint_of(event) for event in saved if payload(event)]

    def checkpoint(self, key: SessionKey) -> Plan[Checkpoint | None]:
        """Return the last checkpoint of a session."""
        found = yield from self.checkpoints(key, 1, True)
        return found[0] if found else None

    def _read(self, session_id: str, types: Iterable[str], **options: Any) -> Plan[list[Event]]:
        events: list[Event] = yield self.ledger.read(
            session_id, tenant=self.tenant, types=types, **options
        )
        return events


def _id_of(row: Session) -> SessionId:
    return SessionId(row.session_id, row.external_id)


def _is_change(event: Event) -> bool:
    # Stores of other things redact those, often in the same sessions.
    return event.type != "content.redacted" or bool(payload(event).get("message_ids"))
