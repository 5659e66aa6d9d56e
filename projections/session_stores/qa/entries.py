"""Answered questions of a session, and what people thought of them. Plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ledger import InvalidArgument, NewEvent, new_event_id
from ledger.events import Event
from ledger.plans import Plan
from ledger.refusals import shown

from ...folds.qa import QAEntry
from ..snapshot.errors import SessionBusy
from .core import ROUNDS_MAX, QACore
from .errors import IdTaken
from .ids import Key, Place, canonical, dataset_uuid
from .json_values import json_value
from .records import (
    SessionQAEntry,
    SessionQAUpdate,
    Stored,
    checked_last,
    entry_of,
    lists,
    several,
)
from .standing import Standing

SCORES = range(1, 6)
#: More ids are not asked for one by one.
IDS_SINGLY_MAX = 10
_KINDS = {"qa.recorded": "answer", "trace.appended": "step"}


def create(
    core: QACore,
    place: Place,
    question: str,
    answer: str,
    context: str | None,
    *,
    qa_id: Key | None,
    dataset_id: Key | None,
    **said: Any,
) -> Plan[Stored]:
    """Record an answered question as one fact."""
    payload: dict[str, Any] = {"question": question, "answer": answer}
    if place.user_id is not None:
        payload["user_id"] = place.user_id
    payload |= {"context": context} if context is not None else {}
    payload |= {name: lists(value, name) for name, value in said.items() if value is not None}
    dataset = None if dataset_id is None else dataset_uuid(dataset_id)
    own_id = new_event_id() if qa_id is None else canonical(qa_id, "qa_id")
    fact = core.fact("qa.recorded", {"qa_id": own_id} | payload)
    if qa_id is None:
        appended = yield from core.write(place, [fact], dataset)
        return Stored(own_id, appended[0].sequence)
    return (yield from once(core, place, own_id, fact, ("qa", own_id), dataset))


def once(
    core: QACore,
    place: Place,
    own_id: str,
    fact: NewEvent,
    row: tuple[str, str],
    dataset_id: str | None,
    *,
    formerly: Mapping[str, Any] | None = None,
) -> Plan[Stored]:
    """Append the fact that makes something under an id that it was given; repeating is harmless.

    `row` is the projection that shows it, and its id there; `formerly` is what the same call stored in
    earlier versions. Raises IdTaken if the session has
    other content under the id.
    """
    core.check(place, fact)  # refused before anything is read
    session = Standing(core, place.ledger_id)
    for _ in range(ROUNDS_MAX):
        head, known = yield from core.at_head(place, *row)
        if known is not None:
            first = yield from _event(core, place, known.first_sequence)
            if first is None:
                continue  # deleted in this very moment
            same = [_bytes(fact.payload)] + ([] if formerly is None else [_bytes(formerly)])
            if _bytes(first.data) not in same:
                raise IdTaken(place.session_id, _KINDS[str(fact.type)], own_id)
            return Stored(own_id, known.first_sequence)
        stored = yield from core.append_behind(session, place, head, [fact], dataset_id)
        if stored is not None:
            return Stored(own_id, stored[0].sequence)
    raise SessionBusy(place.ledger_id, ROUNDS_MAX)


def _bytes(payload: Any) -> bytes:
    # As values, True and 1 would be the same. Text and numbers may be of classes of their own: they
    # are stored as what they are, which is all that is left of them in what is read back.
    return msgspec.json.encode(payload, order="deterministic", enc_hook=json_value)


def _event(core: QACore, place: Place, sequence: int) -> Plan[Event | None]:
    events: list[Event] = yield core.ledger.read(
        place.ledger_id, tenant=core.tenant, after=sequence - 1, before=sequence + 1
    )
    return events[0] if events else None


def row(core: QACore, place: Place, qa_id: str) -> Plan[QAEntry | None]:
    """Return the row of an answer, or None."""
    found: QAEntry | None = yield core.views.qa_entry(place.ledger_id, qa_id, tenant=core.tenant)
    return found


def entries(core: QACore, place: Place, last_n: int | None) -> Plan[list[SessionQAEntry]]:
    """Return the answers of a session, or the last of them, oldest first."""
    count = checked_last(last_n)
    if not (yield from core.is_there(place)):
        return []
    rows: list[QAEntry] = yield core.views.qa(place.ledger_id, tenant=core.tenant, last_n=count)
    return [entry_of(one, place) for one in rows]


def by_ids(core: QACore, place: Place, qa_ids: Iterable[Key]) -> Plan[list[SessionQAEntry]]:
    """Return the answers that have some of these ids, oldest first."""
    asked = dict.fromkeys(canonical(one, "qa_ids") for one in several(qa_ids, "qa_ids"))
    if not asked or not (yield from core.is_there(place)):
        return []
    if len(asked) > IDS_SINGLY_MAX:
        return [one for one in (yield from entries(core, place, None)) if one.qa_id in asked]
    found: list[QAEntry] = []
    for one in asked:
        entry = yield from row(core, place, one)
        found += [] if entry is None else [entry]
    found.sort(key=lambda one: one.first_sequence)
    return [entry_of(one, place) for one in found]


def latest_id(core: QACore, place: Place) -> Plan[str | None]:
    """Return the id of the last answer, or None."""
    last = yield from entries(core, place, 1)
    return last[0].qa_id if last else None


def update(core: QACore, place: Place, qa_id: Key, given: SessionQAUpdate) -> Plan[bool]:
    """Change what an update sets; one that sets nothing is no fact."""
    if not isinstance(given, SessionQAUpdate):
        kind = type(given).__name__
        raise InvalidArgument("updates", f"expected a SessionQAUpdate, got {kind}")
    own_id = canonical(qa_id, "qa_id")
    changes = given.changes()
    fact = core.fact("qa.amended", {"qa_id": own_id} | changes)
    return (yield from _said(core, place, own_id, fact, says=bool(changes)))


def delete(core: QACore, place: Place, qa_id: Key) -> Plan[bool]:
    """Take an answer out of its session."""
    own_id = canonical(qa_id, "qa_id")
    fact = core.fact("qa.deleted", {"qa_id": own_id})
    return (yield from _changed(core, place, own_id, lambda entry: [fact]))


def add_feedback(
    core: QACore, place: Place, qa_id: Key, score: int | None, text: str | None
) -> Plan[bool]:
    """Judge an answer; what is None stays as it was."""
    own_id = canonical(qa_id, "qa_id")
    if score is not None and (type(score) is not int or score not in SCORES):
        raise InvalidArgument("score", f"expected an int from 1 to 5, got {shown(score)}")
    said: Mapping[str, Any] = {"score": score, "text": text}
    said = {name: value for name, value in said.items() if value is not None}
    fact = core.fact("feedback.given", {"qa_id": own_id} | said)
    return (yield from _said(core, place, own_id, fact, says=bool(said)))


def delete_feedback(core: QACore, place: Place, qa_id: Key) -> Plan[bool]:
    """Take score and text back; flags stay."""
    own_id = canonical(qa_id, "qa_id")
    fact = core.fact("feedback.cleared", {"qa_id": own_id})

    def cleared(entry: QAEntry) -> Sequence[NewEvent]:
        given = entry.feedback_score is not None or entry.feedback_text is not None
        return [fact] if given else []

    return (yield from _changed(core, place, own_id, cleared))


def _said(core: QACore, place: Place, qa_id: str, fact: NewEvent, *, says: bool) -> Plan[bool]:
    """Append a fact about an answer, if it is there and the fact says something; refuse a wrong one.

    An append looks at it itself: to look before, each time, took a fifteenth of an update's time.
    """
    found = yield from _changed(core, place, qa_id, lambda entry: [fact] if says else [])
    if not (found and says):
        core.check(place, fact)
    return found


def _changed(
    core: QACore, place: Place, qa_id: str, facts: Callable[[QAEntry], Sequence[NewEvent]]
) -> Plan[bool]:
    return (yield from core.change_row(place, "qa", qa_id, facts))
