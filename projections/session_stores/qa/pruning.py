"""Taking away what a question-and-answer store keeps, and nothing else. Plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from ledger import NewEvent, SessionIds
from ledger.events import SESSION_DELETED
from ledger.plans import Plan

from ...folds.sessions import Session
from ...folds.traces import Span
from ...readers.search_words import texts_within
from ..uuid_texts import is_uuid
from .clearing import Kept, cleared, kept, redactions
from .core import EXPIRED, QACore
from .ids import Key, Place, canonical, dataset_uuid
from .named_ids import NamedIds
from .records import several

PRUNED = "pruned"


def delete_session(core: QACore, place: Place) -> Plan[bool]:
    """Hide all that a session has; False if there was nothing."""
    if not (yield from core.is_visible(place)):
        return False
    deleted: bool = yield core.ledger.delete(place.ledger_id, tenant=core.tenant)
    return deleted


def delete_dataset(core: QACore, dataset_id: Key) -> Plan[int]:
    """Hide all sessions of a dataset and return how many there were."""
    dataset = dataset_uuid(dataset_id)

    def delete(ledger_id: str) -> Plan[bool]:
        return (yield from _delete_of_dataset(core, ledger_id, dataset))

    return (yield from _of_all(core, delete, dataset))


def _of_all(
    core: QACore, change: Callable[[str], Plan[bool]], dataset: str | None = None
) -> Plan[int]:
    """Change all sessions, and return how many were changed that had not expired."""
    count = 0
    for row, is_alive in (yield from core.rows_and_expired(dataset_id=dataset)):
        changed = yield from change(row.session_id)
        count += changed and is_alive
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
    count = yield from _of_all(core, lambda ledger_id: _prune_session(core, ledger_id))
    for tenant in others:
        yield from _empty(core, tenant)
    return count


def _prune_session(core: QACore, ledger_id: str) -> Plan[bool]:
    def decide() -> Plan[Sequence[NewEvent] | None]:
        return (yield from cleared(core, ledger_id, PRUNED)) or None

    return (yield from core.decide(ledger_id, decide))


def _empty(core: QACore, tenant: str) -> Plan[None]:
    cursor: str | None = None
    while True:
        page: SessionIds = yield core.ledger.list_session_ids(tenant=tenant, cursor=cursor)
        for session_id in page.session_ids:
            yield core.ledger.delete(session_id, tenant=tenant, reason=PRUNED)
        cursor = page.cursor
        if cursor is None:
            return


def forget_elements(core: QACore, element_ids: Iterable[str], dataset_id: Key | None) -> Plan[int]:
    """Redact whatever drew on elements of the graph, in all sessions; return from how many."""
    # A blank id would be found in every step; the graph's UUIDs stand there in either form.
    given = [(one, canonical(one, "element_ids")) for one in several(element_ids, "element_ids")]
    forms = [(str(one), own) + ((UUID(own).hex,) if is_uuid(own) else ()) for one, own in given]
    elements = NamedIds(one for each in forms for one in each)
    dataset = None if dataset_id is None else dataset_uuid(dataset_id)
    return (yield from _of_all(core, lambda ledger_id: _forget(core, ledger_id, elements), dataset))


def _forget(core: QACore, ledger_id: str, elements: NamedIds) -> Plan[bool]:
    def decide() -> Plan[Sequence[NewEvent] | None]:
        gone = drawn_from((yield from kept(core, ledger_id)), elements)
        facts = redactions(core, "elements were deleted", elements.ids, gone)
        if facts and (yield from core.has_expired(ledger_id)):
            # A redaction is a write: what expired would be there again with it.
            facts = yield from cleared(core, ledger_id, EXPIRED)
        return facts or None

    return (yield from core.decide(ledger_id, decide))


def drawn_from(kept: Kept, elements: NamedIds) -> Kept:
    """Return all that depends on elements of the graph, however indirectly. Pure.

    Answers that used them; steps that name them, or a redacted answer; feedback on such answers;
    guidance learned from such feedback or steps; later answers that used such guidance.
    """
    qa: set[str] = set()
    sought: set[str] = set()
    steps = {one.own_id for one in kept.steps if _says(one, elements)}
    learned: set[str] = set()
    said: set[str] = set()
    while True:
        before = len(qa) + len(steps) + len(learned) + len(said)
        for entry in kept.entries:
            used: set[str] = set().union(*(entry.used_graph_element_ids or {}).values())
            drew = any(one in elements.ids for one in used)
            if drew or learned & {*(entry.used_session_context_ids or ())}:
                qa.add(entry.qa_id)
        answers = NamedIds(qa - sought)
        sought |= qa
        steps |= {one.own_id for one in kept.steps if _says(one, answers)}
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


def _says(step: Span, named: NamedIds) -> bool:
    # What the attributes are called is said by us, and the same of every step.
    said: Any = [step.input, step.output, step.error, *step.attributes.values()]
    return any(named.are_in(text) for text in texts_within(said, names=True))
