"""Pruning a session that others write to. Plans."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ledger import Event, SequenceConflict
from ledger.events import SESSION_DELETED
from ledger.plans import Plan

from .events import types_read
from .plans import SAVE_TRIES_MAX, OrchestratorPlans, unsettled
from .prunable import Prunable
from .pruning import OTHER_WORK
from .redactions import REDACTED


def pruned(
    store: OrchestratorPlans,
    session_id: str,
    events_max: int,
    first_types: frozenset[str],
    now: Callable[[], datetime],
) -> Plan[int]:
    """Hide the oldest events beyond a number and return how many; others may write meanwhile.

    Whoever prunes or redacts at the same time is taken in: nothing goes twice, or beyond the number.
    """
    known: Prunable | None = None
    for _ in range(SAVE_TRIES_MAX):
        if known is None:
            known = yield from _read(store, session_id, events_max, first_types)
        if not known.gone:
            return 0
        if (yield from _append(store, session_id, known, now)):
            return len(known.gone)
        known = yield from _caught_up(store, session_id, known)
    raise unsettled(session_id)


def _read(
    store: OrchestratorPlans, session_id: str, events_max: int, first_types: frozenset[str]
) -> Plan[Prunable]:
    head: int = yield store.ledger.head(session_id, tenant=store.tenant)
    events: list[Event] = yield store.ledger.read(
        session_id, tenant=store.tenant, types=(*types_read(None), REDACTED), before=head + 1
    )
    return Prunable(head, events, events_max, first_types)


def _append(
    store: OrchestratorPlans, session_id: str, known: Prunable, now: Callable[[], datetime]
) -> Plan[bool]:
    """Append what hides the events that go; False if others wrote behind what is known."""
    if known.needs_others:
        others: list[Event] = yield store.ledger.read(
            session_id, tenant=store.tenant, types=OTHER_WORK, before=known.head + 1
        )
        known.add_others(others)
    facts = known.facts(now())
    try:
        yield store.ledger.append(session_id, facts, tenant=store.tenant, expected=known.head)
    except SequenceConflict:
        return False
    return True


def _caught_up(store: OrchestratorPlans, session_id: str, known: Prunable) -> Plan[Prunable | None]:
    """Return what is known with all that came behind it; None if the session was deleted."""
    later: list[Event] = yield store.ledger.read(
        session_id, tenant=store.tenant, after=known.head, deleted=True
    )
    if any(one.type == SESSION_DELETED for one in later):
        return None
    known.add(later)
    return known
