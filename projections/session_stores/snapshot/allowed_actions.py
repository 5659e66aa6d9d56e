"""Which actions a saved session always allows. Plans."""

from __future__ import annotations

from ledger import InvalidArgument, NewEvent, new_event_id
from ledger.plans import Plan

from ...folds.approvals import REQUESTED, Approval
from ...folds.sessions import ALLOWED_ACTIONS_MAX, Session
from ...views import Views
from ...views_async import AsyncViews
from .agent_sessions import AgentSession
from .bases import Base


def allowed_facts(
    views: Views | AsyncViews, tenant: str, session: AgentSession, base: Base | None
) -> Plan[tuple[list[NewEvent], frozenset[str]]]:
    """Return what the session allowed and revoked since it was loaded, and what holds then.

    Against what it was loaded with, because others may allow actions meanwhile.
    """
    current = frozenset[str]() if base is None else base.allowed
    wanted = session.always_allowed_actions
    if wanted == current or base is None or base.version == session.version:
        loaded = current
    else:
        loaded = yield from allowed_at(views, tenant, base.session_id, session.version)
    added, revoked = wanted - loaded - current, (loaded - wanted) & current
    asked: dict[str | None, Approval] = {}
    if added and base is not None:
        approvals: list[Approval] = yield views.approvals(
            base.session_id, tenant=tenant, status=REQUESTED
        )
        asked = {one.action_key: one for one in approvals}
    facts = [_allowed(key, asked.get(key)) for key in sorted(added)]
    facts += [NewEvent({"action_key": key}, "approval.revoked") for key in sorted(revoked)]
    allowed = (current | added) - revoked
    if len(allowed) > ALLOWED_ACTIONS_MAX:
        raise InvalidArgument("session", f"allows more than {ALLOWED_ACTIONS_MAX} actions always")
    return facts, allowed


def allowed_at(
    views: Views | AsyncViews, tenant: str, session_id: str, version: int
) -> Plan[frozenset[str]]:
    """Return what a session always allowed at a version."""
    if not version:
        return frozenset()
    row: Session | None = yield views.session(session_id, tenant=tenant, as_of=version)
    return frozenset(() if row is None else row.always_allowed_actions)


def _allowed(action_key: str, asked: Approval | None) -> NewEvent:
    """Return the decision to allow an action always; of what was asked for, if somebody asked."""
    approval_id = new_event_id() if asked is None else asked.approval_id
    decided = {
        "approval_id": approval_id,
        "decision": "allow_always",
        "action_key": action_key,
    }
    return NewEvent(decided, "approval.decided")
