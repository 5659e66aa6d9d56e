"""Deleting and forking sessions, as plans: both are facts, neither copies or removes anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .backends.base import SessionQuery
from .batch import Batch, Door
from .digests import bucket_of
from .errors import IncarnationConflict, InvalidArgument
from .events import SESSION_DELETED, SESSION_FORKED, NewEvent
from .limits import SEQUENCE_MAX
from .plans import Plan
from .reading import Storage
from .records import Head, Part, Record, Unit


def fork_batch(
    backend: Storage, door: Door, tenant: str, parent: str, at: int, into: str
) -> Plan[Batch]:
    """Return the batch whose one event, `session.forked`, begins the new session.

    The chain of the new session starts from the hash of the parent's event `at`. The event id
    follows from parent and place, so a repeated fork is the same fork.
    """
    if into == parent:
        raise InvalidArgument("into", "a session cannot be forked into itself")
    records: list[Record] = []
    if 1 <= at < SEQUENCE_MAX:
        query = SessionQuery(
            bucket=door.bucket(tenant, parent),
            tenant=tenant,
            session_id=parent,
            limit=1,
            after=at - 1,
            before=at + 1,
        )
        records = yield backend.read(query)
    if not records:
        raise InvalidArgument("at", f"session {parent!r} has no visible event {at}")
    head: Head = yield backend.head(door.bucket(tenant, into), tenant, into)
    if head.deleted:
        # A fork is a session's first fact and starts its hash chain, which a new incarnation goes
        # on with. Nor may a repeat find the fork of an incarnation that is hidden.
        raise InvalidArgument(
            "into", f"session {into!r} was deleted, and a fork begins a session: name a new one"
        )
    fact = NewEvent(
        {"parent": parent, "at": at}, SESSION_FORKED, event_id=f"fork:{records[0].event_hash.hex()}"
    )
    draft = door.draft(tenant, into, fact, reserved=True)
    part = Part(door.bucket(tenant, into), tenant, into, 0, records[0].event_hash, (draft,))
    return Batch(Unit((part,)), (((0, 0),),))


def deleting(
    backend: Storage,
    append: Callable[..., Any],
    key: tuple[str, str],
    buckets: int,
    reason: str | None,
) -> Plan[bool]:
    """Append the fact that hides a session; False if it has nothing.

    Whatever is appended meanwhile is hidden too, so only another deletion makes it look again.
    """
    tenant, session_id = key
    while True:
        head: Head = yield backend.head(bucket_of(*key, buckets), *key)
        if not head.visible:
            return False
        fact = NewEvent({} if reason is None else {"reason": reason}, SESSION_DELETED)
        try:
            yield append(session_id, fact, tenant=tenant, incarnation=head.incarnation)
        except IncarnationConflict:
            continue
        return True
