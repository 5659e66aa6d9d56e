"""Taking away what a question-and-answer store keeps, and nothing else. Plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ledger import NewEvent, SessionIds
from ledger.events import SESSION_DELETED
from ledger.plans import Plan

from ...folds.sessions import Session
from .clearing import cleared, redactions
from .core import EXPIRED, QACore
from .ids import Key, Place, dataset_uuid
from .provenance import Elements, Provenance
from .standing import Standing

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
    session = Standing(core, ledger_id)

    def decide() -> Plan[Sequence[NewEvent] | None]:
        return (yield from cleared(core, session, PRUNED)) or None

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
    elements = Elements(element_ids)
    dataset = None if dataset_id is None else dataset_uuid(dataset_id)
    return (yield from _of_all(core, lambda ledger_id: _forget(core, ledger_id, elements), dataset))


def _forget(core: QACore, ledger_id: str, elements: Elements) -> Plan[bool]:
    session, provenance = Standing(core, ledger_id), Provenance(elements)

    def decide() -> Plan[Sequence[NewEvent] | None]:
        drawn = provenance.drawn_from((yield from session.kept()))
        facts = redactions(core, "elements were deleted", drawn.gone, drawn.elements)
        if facts and (yield from core.has_expired(ledger_id)):
            # A redaction is a write: what expired would be there again with it.
            facts = yield from cleared(core, session, EXPIRED)
        return facts or None

    return (yield from core.decide(ledger_id, decide))
