"""The ids that callers give to events, in each life that a session has under one id. Plans.

The ledger knows an id for as long as a session's log, beyond every deletion. What a caller tells
the session that begins anew is new all the same, so an id that an earlier life had is stored with
the mark of this one, and comes back without it; so is one that looks as if it had a mark. All other
ids are stored as they were given.
"""

from __future__ import annotations

import msgspec

from ledger import AsyncLedger, Ledger, NewEvent
from ledger.codec import check_text
from ledger.events import Event
from ledger.limits import ID_BYTES_MAX
from ledger.plans import Plan

from ..marked_ids import MARK, marked_id

#: Where the metadata of an event has the id that was given, if that is marked.
GIVEN_ID = "\x1fid"


def incarnation_of(ledger: Ledger | AsyncLedger, tenant: str, session_id: str) -> Plan[int]:
    """Return which life of a session goes on, or is to begin."""
    heads = yield ledger.heads([session_id], tenant=tenant)
    incarnation: int = heads[session_id].incarnation
    return incarnation


def id_in_life(
    ledger: Ledger | AsyncLedger,
    session: tuple[str, str],
    incarnation: int,
    event_id: str,
) -> Plan[str]:
    """Return the id under which an event is stored, in one life of a tenant's session."""
    check_text(event_id, "event_id", ID_BYTES_MAX)
    # In the first life, too, for it is there that one could take a later one's mark.
    looks_marked = MARK.search(event_id) is not None
    if not incarnation and not looks_marked:
        return event_id
    tenant, session_id = session
    known: Event | None = yield ledger.get(session_id, event_id, tenant=tenant, deleted=True)
    if known is None:
        is_free = not looks_marked  # else another one's mark would be taken for it
    else:
        is_free = known.sequence > incarnation and as_given(known) is known
    return event_id if is_free else marked_id(event_id, incarnation)


def under(new: NewEvent, event_id: str) -> NewEvent:
    """Return an event under the id under which it is to be stored."""
    if event_id == new.event_id:
        return new
    metadata = {**(new.metadata or {}), GIVEN_ID: new.event_id}
    return msgspec.structs.replace(new, event_id=event_id, metadata=metadata)


def as_given(event: Event) -> Event:
    """Return an event with the id that its caller gave it."""
    event_id = event.metadata.get(GIVEN_ID)
    if not isinstance(event_id, str):
        return event  # as are most
    mark = MARK.search(event.event_id)
    if mark is None or event.event_id != marked_id(event_id, int(mark[1])):
        return event
    metadata = {name: one for name, one in event.metadata.items() if name != GIVEN_ID}
    return msgspec.structs.replace(event, event_id=event_id, metadata=metadata)
