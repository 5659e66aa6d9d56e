"""What a session has learned, and the feedback it learned from: cognee's session context. Plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ledger import InvalidArgument, NewEvent, new_event_id
from ledger.arguments import natural
from ledger.plans import Plan
from ledger.refusals import shown

from ...folds.context import ContextEntry
from ...folds.feedback import Feedback
from .core import QACore
from .ids import IDS_MAX, Key, Place, canonical
from .records import Stored, lists


class SessionContextEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of guidance, or with another `kind` a row that a pipeline keeps for itself.

    `context_profile` is qa or agent, `confidence` from 0 to 1. Without an `id` it gets one.
    `extra` is any JSON object.
    """

    id: str | None = None
    kind: str = "context"
    section: str | None = None
    context_profile: str | None = None
    content: str | None = None
    normalized_content: str | None = None
    confidence: float | None = None
    helpful_count: int = 0
    harmful_count: int = 0
    source_feedback_ids: list[str] = msgspec.field(default_factory=list)
    source_trace_ids: list[str] = msgspec.field(default_factory=list)
    priority: float | None = None
    created_at: datetime | None = None
    last_served_at: datetime | None = None
    extra: dict[str, Any] = msgspec.field(default_factory=dict)


class SessionFeedbackEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody said about answers, as it was understood. Without an `id` it gets one."""

    id: str | None = None
    raw_text: str | None = None
    rating: Any = None
    referenced_qa_ids: list[str] = msgspec.field(default_factory=list)
    referenced_qa_rating: Any = None
    influencing_context_ids: list[str] = msgspec.field(default_factory=list)
    candidate_updates: list[dict[str, Any]] = msgspec.field(default_factory=list)


Guidance = SessionContextEntry | SessionFeedbackEntry

_EMPTIED = {
    **dict.fromkeys(("source_feedback_ids", "source_trace_ids", "referenced_qa_ids"), list),
    **dict.fromkeys(("influencing_context_ids", "candidate_updates"), list),
    "extra": dict,
}
#: What is counted is said as a difference, so that of two who count at once both are heard.
_COUNTED = {"helpful_count": "helpful_delta", "harmful_count": "harmful_delta"}
_FIXED = ("id", "kind", "created_at")
_UNKNOWN_SHOWN_MAX = 10
#: The views that have entries, and which field of their keys is an entry's id.
_KEYS = {"context": "context_id", "feedback": "feedback_id"}
#: No amendment says these, so that an entry of which they change is put again, whole.
_PUT_AGAIN = ("last_served_at",)


def create(core: QACore, place: Place, entry: Guidance) -> Plan[Stored]:
    """Put an entry, in the place of one with its id."""
    if not isinstance(entry, SessionContextEntry | SessionFeedbackEntry):
        reason = "expected a SessionContextEntry or a SessionFeedbackEntry"
        raise InvalidArgument("entry", f"{reason}, got {type(entry).__name__}")
    own_id = new_event_id() if entry.id is None else canonical(entry.id, "id")
    facts = [_fact(core, own_id, entry)]
    if entry.id is None:
        appended = yield from core.write(place, facts)
    elif isinstance(entry, SessionFeedbackEntry):
        # The first feedback of an id stands, so the one before has to go.
        appended = yield from core.write(place, _gone(core, [own_id]) + facts)
    else:

        def behind(feedback: Feedback | None) -> list[NewEvent]:
            # Which a fact about guidance leaves alone.
            is_given = feedback is not None and _is_general(feedback)
            return (_gone(core, [own_id]) if is_given else []) + facts

        appended = yield from core.write_behind(place, ("feedback", own_id), behind)
    return Stored(own_id, appended[-1].sequence)


def _fact(core: QACore, own_id: str, entry: Guidance) -> NewEvent:
    said = {name: getattr(entry, name) for name in entry.__struct_fields__ if name != "id"}
    said = {name: lists(value, name) for name, value in said.items() if value is not None}
    for name in ("created_at", "last_served_at"):
        if isinstance(said.get(name), datetime):
            said[name] = said[name].isoformat()
    if isinstance(entry, SessionFeedbackEntry):
        return core.fact("feedback.given", {"feedback_id": own_id} | said)
    return core.fact("context.put", {"context_id": own_id} | said)


def entries(core: QACore, place: Place) -> Plan[list[Guidance]]:
    """Return guidance and feedback of a session in the order in which they were first put."""
    rows = yield from _rows(core, place)
    return [_entry(one) for one in rows]


def _rows(core: QACore, place: Place) -> Plan[list[ContextEntry | Feedback]]:
    if not (yield from core.is_there(place)):
        return []
    put, said = yield from _together(core, place, None)
    return sorted([*put, *said], key=lambda one: one.first_sequence)


def _together(
    core: QACore, place: Place, own_id: str | None
) -> Plan[tuple[list[ContextEntry], list[Feedback]]]:
    """Return what there is of both kinds, all or under an id, of one moment.

    One after the other, an entry that becomes one of the other kind in between is in neither or both.
    """
    only = {} if own_id is None else {name: {field: own_id} for name, field in _KEYS.items()}
    found: dict[str, list[Any]] = yield core.views.together(
        place.ledger_id, tuple(_KEYS), tenant=core.tenant, only=only
    )
    put = [one for one in found["context"] if one.missing_since is None]
    return put, [one for one in found["feedback"] if _is_general(one)]


def _is_general(given: Feedback) -> bool:
    # What judges an answer or a run is in its row, and is no entry of the session's context.
    return given.qa_id is None and given.judged_run_id is None


def _entry(row: ContextEntry | Feedback) -> Guidance:
    kind = SessionContextEntry if isinstance(row, ContextEntry) else SessionFeedbackEntry
    own_id = row.context_id if isinstance(row, ContextEntry) else row.feedback_id
    names = [name for name in kind.__struct_fields__ if name != "id"]
    entry: Guidance = kind(id=own_id, **{name: getattr(row, name) for name in names})
    return entry


def _row(core: QACore, place: Place, own_id: str) -> Plan[ContextEntry | Feedback | None]:
    put, said = yield from _together(core, place, own_id)
    rows: list[ContextEntry | Feedback] = [*put, *said]
    return rows[0] if rows else None


def update(core: QACore, place: Place, entry_id: Key, changes: Mapping[str, Any]) -> Plan[bool]:
    """Change fields of an entry; feedback is replaced, and is then the newest."""
    own_id = canonical(entry_id, "entry_id")
    if not isinstance(changes, Mapping):
        raise InvalidArgument("changes", f"expected fields, got {type(changes).__name__}")

    def changed(row: ContextEntry | Feedback) -> Sequence[NewEvent]:
        _check_names(_entry(row), changes)
        if isinstance(row, Feedback):
            return _given_again(core, own_id, row, changes)
        return _amended(core, own_id, row, changes)

    return (yield from _changed(core, place, own_id, changed))


def _changed(
    core: QACore,
    place: Place,
    own_id: str,
    changed: Callable[[ContextEntry | Feedback], Sequence[NewEvent]],
) -> Plan[bool]:
    """Append what is decided on an entry; False if it is not there. Nearly all are guidance."""
    if (yield from core.change_row(place, "context", own_id, changed)):
        return True

    def decide() -> Plan[Sequence[NewEvent] | None]:
        row = yield from _row(core, place, own_id)
        return None if row is None else changed(row)

    return (yield from core.change(place, decide))


def _check_names(entry: Guidance, changes: Mapping[str, Any]) -> None:
    unknown = {*changes} - ({*entry.__struct_fields__} - {*_FIXED})
    if unknown:
        names = sorted(map(shown, unknown))
        more = ", …" if len(names) > _UNKNOWN_SHOWN_MAX else ""
        named = ", ".join(names[:_UNKNOWN_SHOWN_MAX]) + more
        raise InvalidArgument("changes", f"cannot change {named}")


def _given_again(
    core: QACore, own_id: str, row: Feedback, changes: Mapping[str, Any]
) -> list[NewEvent]:
    if not changes:
        return []
    again = msgspec.structs.replace(_entry(row), **_listed(changes))
    return [*_gone(core, [own_id]), _fact(core, own_id, again)]


def _listed(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return changes as JSON has them; None clears a list as an empty one does."""
    said = {name: lists(value, name) for name, value in changes.items()}
    empty = {name: kind() for name, kind in _EMPTIED.items() if said.get(name, said) is None}
    return said | empty


def _amended(
    core: QACore, own_id: str, row: ContextEntry, changes: Mapping[str, Any]
) -> list[NewEvent]:
    for name in _COUNTED:
        natural(changes.get(name, 0), name)
    if any(name in changes for name in _PUT_AGAIN):
        return [_fact(core, own_id, msgspec.structs.replace(_entry(row), **_listed(changes)))]
    named = {"context_id": own_id}
    plain = {name: value for name, value in changes.items() if name not in _COUNTED}
    plain = _listed(plain)
    deltas = {
        delta: changes[name] - getattr(row, name)
        for name, delta in _COUNTED.items()
        if name in changes
    }
    facts = [core.fact("context.amended", named | plain)] if plain else []
    return facts + ([core.fact("context.rated", named | deltas)] if any(deltas.values()) else [])


def rate(core: QACore, place: Place, entry_id: Key, helpful: int, harmful: int) -> Plan[bool]:
    """Count how often an entry helped or did harm."""
    own_id = canonical(entry_id, "entry_id")
    said = {"context_id": own_id, "helpful_delta": helpful, "harmful_delta": harmful}
    fact = core.fact("context.rated", said)
    core.check(place, fact)

    said_now = [fact] if helpful or harmful else []
    return (yield from core.change_row(place, "context", own_id, lambda row: said_now))


def delete(core: QACore, place: Place, entry_id: Key) -> Plan[bool]:
    """Remove one entry."""
    own_id = canonical(entry_id, "entry_id")
    return (yield from _changed(core, place, own_id, lambda row: _gone(core, [own_id])))


def delete_all(core: QACore, place: Place) -> Plan[bool]:
    """Remove all entries of a session; False if there are none."""

    def decide() -> Plan[Sequence[NewEvent] | None]:
        rows = yield from _rows(core, place)
        ids = [str(_entry(one).id) for one in rows]
        return _gone(core, ids) if ids else None

    return (yield from core.change(place, decide))


def _gone(core: QACore, ids: Sequence[str]) -> list[NewEvent]:
    return [
        core.fact("context.deleted", {"context_ids": list(ids[start : start + IDS_MAX])})
        for start in range(0, len(ids), IDS_MAX)
    ]
