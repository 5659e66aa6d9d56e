"""Taking away what a question-and-answer store keeps, and nothing else. Plans."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from ledger import NewEvent, SessionIds
from ledger.events import SESSION_DELETED, Event
from ledger.plans import Plan

from ...engine.projection import payload
from ...folds.consumers import Consumer
from ...folds.context import ContextEntry
from ...folds.feedback import Feedback
from ...folds.graph_context import GraphContext
from ...folds.qa import QAEntry
from ...folds.sessions import Session
from ...folds.traces import Span
from ...readers.search_words import texts_within
from ..uuid_texts import is_uuid
from .core import QACore
from .guidance import IDS_MAX
from .ids import OWNED, Key, Place, canonical, dataset_uuid
from .records import several

#: The facts of which this store is made; a session that has one of them is cognee's too.
OURS = ("qa.", "context.", "graph_context.", "trace.")
FEEDBACK = "feedback."
#: What is said of any session, whoever it belongs to.
NEUTRAL = ("session.", "usage.", "content.", "consumer.")
PRUNED = "pruned"


class Kept(msgspec.Struct, frozen=True):
    """Everything of a session that this store keeps."""

    entries: list[QAEntry]
    steps: list[Span]
    guidance: list[ContextEntry]
    feedback: list[Feedback]
    unlisted: list[GraphContext | Consumer]


#: The views that have it.
_KINDS = ("qa", "traces", "context", "feedback", "graph_context", "consumers")


def delete_session(core: QACore, place: Place) -> Plan[bool]:
    """Hide all that a session has; False if there was nothing."""
    if not (yield from core.is_visible(place)):
        return False
    deleted: bool = yield core.ledger.delete(place.ledger_id, tenant=core.tenant)
    return deleted


def delete_dataset(core: QACore, dataset_id: Key) -> Plan[int]:
    """Hide all sessions of a dataset and return how many there were."""
    dataset = dataset_uuid(dataset_id)
    count = 0
    for row in (yield from core.rows(expired=True, dataset_id=dataset)):
        count += yield from _delete_of_dataset(core, row.session_id, dataset)
    return count


def _delete_of_dataset(core: QACore, ledger_id: str, dataset: str) -> Plan[bool]:
    def decide() -> Plan[Sequence[NewEvent] | None]:
        # Asked again: it may have been begun anew since it was listed, for another dataset.
        row: Session | None = yield core.views.session(ledger_id, tenant=core.tenant)
        if row is None or row.dataset_id != dataset:
            return None
        return [core.fact(SESSION_DELETED, {"reason": "its dataset was deleted"})]

    return (yield from core.decide(ledger_id, decide))


def prune(core: QACore, others: Iterable[str]) -> Plan[int]:
    """Hide all sessions that are ours alone, and in others what is ours; return in how many."""
    count = 0
    for row in (yield from core.rows(expired=True)):
        count += yield from _prune_session(core, row.session_id)
    for tenant in others:
        yield from _empty(core, tenant)
    return count


def _prune_session(core: QACore, ledger_id: str) -> Plan[bool]:
    def decide() -> Plan[Sequence[NewEvent] | None]:
        events: list[Event] = yield core.ledger.read(ledger_id, tenant=core.tenant)
        ours = [_is_ours(one) for one in events]
        if not (ledger_id.startswith(OWNED) or any(ours)):
            return None
        rest = (one.type for one, is_ours in zip(events, ours, strict=True) if not is_ours)
        if all(type_.startswith(NEUTRAL) for type_ in rest):
            return [core.fact(SESSION_DELETED, {"reason": PRUNED})]
        kept = yield from _kept(core, ledger_id)
        facts = [*redactions(core, PRUNED, (), kept), *_unlisted(core, kept)]
        return facts or None

    return (yield from core.decide(ledger_id, decide))


def _is_ours(event: Event) -> bool:
    if not event.type.startswith(FEEDBACK):
        return event.type.startswith(OURS)
    # Runs are judged by other stores.
    data = payload(event)
    return bool(data.get("qa_id")) or not (data.get("run_id") or event.run_id)


def _empty(core: QACore, tenant: str) -> Plan[None]:
    cursor: str | None = None
    while True:
        page: SessionIds = yield core.ledger.list_session_ids(tenant=tenant, cursor=cursor)
        for session_id in page.session_ids:
            yield core.ledger.delete(session_id, tenant=tenant, reason=PRUNED)
        cursor = page.cursor
        if cursor is None:
            return


def _kept(core: QACore, ledger_id: str) -> Plan[Kept]:
    found: dict[str, list[Any]] = yield core.views.together(ledger_id, _KINDS, tenant=core.tenant)
    return Kept(
        [one for one in found["qa"] if one.missing_since is None],
        [one for one in found["traces"] if one.source == "step"],
        [one for one in found["context"] if one.missing_since is None],
        [one for one in found["feedback"] if one.judged_run_id is None],
        [*found["graph_context"], *found["consumers"]],
    )


def _unlisted(core: QACore, kept: Kept) -> list[NewEvent]:
    """Return the facts that take away what no redaction names: the graph, and the marks."""
    facts = []
    for one in kept.unlisted:
        if isinstance(one, GraphContext):
            facts.append(core.fact("graph_context.set", {"content": None}))
            continue
        if (one.sequence or 0, one.count or 0, one.state) != (0, 0, None):
            back = {"consumer": one.consumer, "sequence": 0, "count": 0, "state": None}
            facts.append(core.fact("consumer.offset_advanced", back))
    return facts


def forget_elements(core: QACore, element_ids: Iterable[str], dataset_id: Key | None) -> Plan[int]:
    """Redact whatever drew on elements of the graph, in all sessions; return from how many."""
    # A blank id would be found in every step; the graph's UUIDs stand there in either form.
    given = [(one, canonical(one, "element_ids")) for one in several(element_ids, "element_ids")]
    forms = [(str(one), own) + ((UUID(own).hex,) if is_uuid(own) else ()) for one, own in given]
    elements = tuple(dict.fromkeys(one for each in forms for one in each))
    dataset = None if dataset_id is None else dataset_uuid(dataset_id)
    count = 0
    for row in (yield from core.rows(expired=True, dataset_id=dataset)):
        count += yield from _forget(core, row.session_id, elements)
    return count


def _forget(core: QACore, ledger_id: str, elements: Sequence[str]) -> Plan[bool]:
    def decide() -> Plan[Sequence[NewEvent] | None]:
        kept = yield from _kept(core, ledger_id)
        gone = drawn_from(kept, frozenset(elements))
        return redactions(core, "elements were deleted", elements, gone) or None

    return (yield from core.decide(ledger_id, decide))


def drawn_from(kept: Kept, elements: frozenset[str]) -> Kept:
    """Return all that depends on elements of the graph, however indirectly. Pure.

    Answers that used them; steps that name them, or a redacted answer; feedback on such answers;
    guidance learned from such feedback or steps; later answers that used such guidance.
    """
    qa: set[str] = set()
    steps: set[str] = set()
    learned: set[str] = set()
    said: set[str] = set()
    while True:
        before = len(qa) + len(steps) + len(learned) + len(said)
        for entry in kept.entries:
            used: set[str] = set().union(*(entry.used_graph_element_ids or {}).values())
            if used & elements or learned & {*(entry.used_session_context_ids or ())}:
                qa.add(entry.qa_id)
        named = _naming(elements | qa)
        steps |= {one.own_id for one in kept.steps if named is not None and _says(one, named)}
        for feedback in kept.feedback:
            if qa & {feedback.qa_id, *feedback.referenced_qa_ids} or learned & {
                *feedback.influencing_context_ids
            }:
                said.add(feedback.feedback_id)
        for lesson in kept.guidance:
            if said & {*lesson.source_feedback_ids} or steps & {*lesson.source_trace_ids}:
                learned.add(lesson.context_id)
        if len(qa) + len(steps) + len(learned) + len(said) == before:
            break
    return Kept(
        [one for one in kept.entries if one.qa_id in qa],
        [one for one in kept.steps if one.own_id in steps],
        [one for one in kept.guidance if one.context_id in learned],
        [one for one in kept.feedback if one.feedback_id in said],
        [],
    )


def _naming(ids: frozenset[str]) -> re.Pattern[str] | None:
    """Return what finds any of some ids as a whole."""
    if not ids:
        return None
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(ids)))})(?!\w)")


def _says(step: Span, named: re.Pattern[str]) -> bool:
    said: Any = [step.input, step.output, step.error, step.attributes]
    return any(named.search(text) for text in texts_within(said))


def redactions(core: QACore, reason: str, elements: Sequence[str], gone: Kept) -> list[NewEvent]:
    """Return the facts after which nothing shows what is gone."""
    named = [("qa_ids", one.qa_id) for one in gone.entries]
    named += [("span_ids", one.own_id) for one in gone.steps]
    named += [("context_ids", one.context_id) for one in gone.guidance]
    named += [("context_ids", one.feedback_id) for one in gone.feedback]
    facts = []
    for start in range(0, len(named), IDS_MAX):
        said: dict[str, Any] = {"reason": reason}
        if elements:
            said["deleted_element_ids"] = list(elements)
        for field, own_id in named[start : start + IDS_MAX]:
            said.setdefault(field, []).append(own_id)
        facts.append(core.fact("content.redacted", said))
    return facts
