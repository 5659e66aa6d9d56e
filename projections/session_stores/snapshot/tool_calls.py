"""Which tool call an end belongs to that names none. Plans."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ledger import AsyncLedger, Ledger, NewEvent
from ledger.codec import decode_json
from ledger.events import JSON_CONTENT_TYPE
from ledger.plans import Plan
from ledger.records import Draft

from ...folds.traces import RUNNING, Span
from ...views import Views
from ...views_async import AsyncViews
from .facts import type_of

_STARTED = "tool.started"
_TYPES = (_STARTED, "tool.finished", "tool.failed")


def oldest_open_call(
    ledger: Ledger | AsyncLedger,
    views: Views | AsyncViews,
    session: tuple[str, str],
    tool_name: Any,
    before: Sequence[NewEvent],
) -> Plan[str | None]:
    """Return the oldest call of a tool that has not ended, None if there is none.

    `before` are events that will be appended before its end.
    """
    if not isinstance(tool_name, str):
        return None  # a call of no tool; an event that names it so is refused
    tenant, session_id = session
    drafts = [
        ledger.door.draft(tenant, session_id, one) for one in before if type_of(one) in _TYPES
    ]
    # No more than there are facts before it may have ended of those that run.
    running: list[Span] = yield views.traces(
        session_id,
        tenant=tenant,
        source="call",
        status=RUNNING,
        name=tool_name,
        limit=1 + len(drafts),
    )
    facts: list[tuple[str | None, Any]]
    facts = [(_STARTED, {"call_id": one.own_id, "tool_name": one.name}) for one in running]
    facts += [(one.type, _said_by(one)) for one in drafts]
    return open_call(facts, tool_name)


def open_call(facts: Iterable[tuple[str | None, Mapping[str, Any]]], tool_name: str) -> str | None:
    """Return the oldest call of a tool that was started and has not ended, by its facts. Pure."""
    calls: dict[str, None] = {}
    for type_, data in facts:
        call_id = data.get("call_id")
        if not isinstance(call_id, str):
            continue  # not said as JSON, or as an older program did
        if type_ == _STARTED and data.get("tool_name") == tool_name:
            calls[call_id] = None
        elif type_ in _TYPES:
            calls.pop(call_id, None)
    return next(iter(calls), None)


def _said_by(draft: Draft) -> dict[str, Any]:
    """Return what an event that is to be appended says; nothing if that is not JSON."""
    said: dict[str, Any] = {}
    if draft.content_type == JSON_CONTENT_TYPE:
        said = decode_json(draft.payload)
    return said
