"""Saved sessions as facts, and the view of a session as what was saved. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ledger import Event, NewEvent

from ...engine.projection import payload
from ...folds.session_status import TERMINAL
from ...folds.sessions import Session
from .errors import StoreRefused
from .records import SessionRecord, invalid, missing, same

# Status -> what may follow it: as documented, and a bad end from wherever the session is.
_BAD_ENDS = frozenset({"failed", "cancelled"})
_TRANSITIONS = {
    "pending": _BAD_ENDS | {"active"},
    "active": _BAD_ENDS | {"paused", "completed"},
    "paused": _BAD_ENDS | {"active"},
}
#: What other writers call a status that an orchestrator has no word for.
_STATUSES = {
    "idle": "active",
    "processing": "active",
    "interrupted": "active",
    "closed": "completed",
}


#: What an orchestrator tells of a session when it begins; the first two always.
_TOLD = ("agent_id", "status", "parent_session_id", "metadata", "context", "tags")


def session_record(session: Session) -> SessionRecord:
    """Return a session as an orchestrator keeps it."""
    return SessionRecord(
        id=session.session_id,
        agent_id=session.agent_id or "",
        status=record_status(session),
        parent_session_id=session.parent_session_id,
        metadata=session.metadata,
        context=session.context,
        tags=session.tags,
        created_at=session.created_at,
        updated_at=session.updated_at,
        deleted_at=session.archived_at,
    )


def record_status(session: Session) -> str:
    """Return the status by an orchestrator's word for it."""
    return _STATUSES.get(session.status, session.status)


def view_statuses(statuses: Iterable[str]) -> list[str]:
    """Return the statuses of views that an orchestrator's statuses stand for."""
    wanted = frozenset(statuses)
    return sorted({*wanted, *(one for one, word in _STATUSES.items() if word in wanted)})


def is_saved(session: Session | None) -> bool:
    """Whether somebody created or forked the session; events alone make none."""
    if session is None:
        return False
    return session.created_sequence is not None or session.forked_from is not None


def saved_record(session: Session | None, session_id: str) -> SessionRecord:
    """Return a session as an orchestrator keeps it, if it was saved."""
    if session is None or not is_saved(session):
        raise missing("session_not_found", "Session", session_id)
    return session_record(session)


def session_facts(
    session: Session | None, record: SessionRecord, *, enforced: bool
) -> list[NewEvent]:
    """Return what happened to a session if it is to be as a record says, but for `touch`."""
    known = session if is_saved(session) else None
    if not record.agent_id and (known is None or known.agent_id):
        raise invalid("agent_id is empty: say whose session it is")
    if known is None:
        return _creation(session, record, enforced=enforced)
    changes = _archiving(known, record) + _changes(known, record)
    return changes + _status(known, record, enforced=enforced)


def _creation(session: Session | None, record: SessionRecord, *, enforced: bool) -> list[NewEvent]:
    ended = record.status in TERMINAL
    # A session ends at its last change, not when it was created.
    told = _told(record) | ({"status": "active"} if ended else {})
    if session is None or session.status not in TERMINAL:
        ending = {"status": record.status}
        status = [_fact("session.status_changed", ending, record.updated_at)] if ended else []
    else:
        told.pop("status")
        status = _status(session, record, enforced=enforced)
    return [
        _fact("session.created", told, record.created_at),
        *_archiving(session, record),
        *([] if session is None else _changes(_filled(session, told), record)),
        *status,
    ]


def _filled(session: Session, told: Mapping[str, Any]) -> Session:
    """Return a session of which facts were there first: creating it only fills what is empty."""
    empty = {name: value for name, value in told.items() if not getattr(session, name)}
    if "tags" in empty:
        empty["tags"] = list(dict.fromkeys(empty["tags"]))
    return msgspec.structs.replace(session, **empty)


def may_keep_status(session: Session, record: SessionRecord) -> bool:
    """Whether a record says no status, if it is of a session that others began.

    Records begin as pending, which is no wish to undo what others told before.
    """
    told = is_saved(session) or session.status in TERMINAL
    return told and record.status == "pending" != record_status(session)


def with_kept_status(session: Session, begun: Event | None, record: SessionRecord) -> SessionRecord:
    """Return a record with the status that its session has, unless an orchestrator began it."""
    told = {} if begun is None else payload(begun)
    if {"agent_id", "status"} <= told.keys() <= {*_TOLD}:
        return record
    return msgspec.structs.replace(record, status=record_status(session))


def touch(
    session: Session | None, record: SessionRecord, facts: Sequence[NewEvent]
) -> list[NewEvent]:
    """Return what must follow facts for the session's last change to be when the record says.

    A fact without a word in it: all it tells is that the session was touched.
    """
    at = record.updated_at
    if at is None or (facts and facts[-1].occurred_at == at):
        return []
    if not facts and session is not None and session.updated_at >= at:
        return []
    return [_fact("session.amended", {}, at)]


def is_ending(fact: NewEvent) -> bool:
    """Whether a fact of those above ends its session."""
    if fact.type != "session.status_changed" or not isinstance(fact.payload, Mapping):
        return False
    return fact.payload["status"] in TERMINAL


def _told(record: SessionRecord) -> dict[str, Any]:
    told = {name: getattr(record, name) for name in _TOLD}
    told |= {name: dict(told[name]) for name in ("metadata", "context")}
    told["tags"] = list(record.tags)
    return {name: value for name, value in told.items() if value}


def _archiving(session: Session | None, record: SessionRecord) -> list[NewEvent]:
    before = None if session is None else session.archived_at
    if before == record.deleted_at:
        return []
    facts = [] if before is None else [_fact("session.restored", {}, record.updated_at)]
    if record.deleted_at is not None:
        facts.append(_fact("session.archived", {}, record.deleted_at))
    return facts


def _changes(session: Session, record: SessionRecord) -> list[NewEvent]:
    found: list[tuple[str, dict[str, Any]]] = []
    keys = {
        name: getattr(record, name)
        for name in ("agent_id", "parent_session_id")
        if (getattr(record, name) or None) != getattr(session, name)
    }
    carried = {
        name: dict(getattr(record, name))
        for name in ("metadata", "context")
        if not same(getattr(record, name), getattr(session, name))
    }
    tags = list(dict.fromkeys(record.tags))
    found += [("session.rekeyed", keys)] if keys else []
    found += [("session.amended", carried)] if carried else []
    found += [("session.tagged", _tags(session.tags, tags))] if tags != session.tags else []
    return [_fact(type, payload, record.updated_at) for type, payload in found]


def _tags(before: list[str], tags: list[str]) -> dict[str, Any]:
    kept = [tag for tag in before if tag in tags]
    if tags[: len(kept)] == kept:
        return {"removed": [tag for tag in before if tag not in tags], "added": tags[len(kept) :]}
    return {"removed": before, "added": tags}  # in another order: all of them anew


def _status(session: Session, record: SessionRecord, *, enforced: bool) -> list[NewEvent]:
    if record.status == record_status(session):
        return []
    payload: dict[str, Any] = {"status": record.status}
    if record.status not in _TRANSITIONS.get(record_status(session), ()):
        if enforced:
            message = f"Session {record.id!r} is {session.status}, {record.status} does not follow"
            raise StoreRefused("invalid_transition", message)
        if session.status in TERMINAL:
            payload["reopens"] = True
    return [_fact("session.status_changed", payload, record.updated_at)]


def _fact(type: str, payload: Mapping[str, Any], at: datetime | None) -> NewEvent:
    return NewEvent(payload, type, occurred_at=at)
