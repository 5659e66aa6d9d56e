"""The facts that take away what of a session is a question-and-answer store's. Plans."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Any

import msgspec

from ledger import NewEvent
from ledger.events import SESSION_DELETED
from ledger.plans import Plan

from ...folds.graph_context import GraphContext
from ..store_parts import in_pieces
from .facts import MARKED, REDACTED
from .ids import IDS_MAX
from .standing import Kept, Standing

if TYPE_CHECKING:
    from .core import QACore

#: An id of a redaction, behind the field in which it stands.
Named = tuple[str, str]


def cleared(core: QACore, session: Standing, reason: str) -> Plan[list[NewEvent]]:
    """Return the facts after which a session shows nothing of ours; its end if it is ours alone.

    Of a session in which others told something, only what is ours goes. Reads all of its events.
    """
    told = yield from session.told()
    if not told.ours:
        return []
    if not told.others:
        return [core.fact(SESSION_DELETED, {"reason": reason})]
    found = yield from session.kept()
    return [*redactions(core, reason, found), *_unlisted(core, found, told.marked)]


def _unlisted(core: QACore, kept: Kept, marked: Set[str]) -> list[NewEvent]:
    """Return the facts that take away what no redaction names: the graph, and `marked` consumers."""
    facts = []
    for one in kept.unlisted:
        if isinstance(one, GraphContext):
            facts.append(core.fact("graph_context.set", {"content": None}))
            continue
        is_set = (one.sequence or 0, one.count or 0, one.state) != (0, 0, None)
        if is_set and one.consumer in marked:
            back = {"consumer": one.consumer, "sequence": 0, "count": 0, "state": None}
            facts.append(core.fact(MARKED, back))
    return facts


def redactions(
    core: QACore, reason: str, gone: Kept, elements: Sequence[str] = ()
) -> list[NewEvent]:
    """Return the facts after which nothing shows what is gone, and on which elements it drew."""
    named = [("qa_ids", one.qa_id) for one in gone.entries]
    named += [("span_ids", one.own_id) for one in gone.steps]
    named += [("context_ids", one.context_id) for one in gone.guidance]
    named += [("context_ids", one.feedback_id) for one in gone.feedback]
    named += [("deleted_element_ids", one) for one in elements]
    facts = []
    bytes_max = core.ledger.door.limits.payload_bytes_max // 2
    for some in in_pieces(named, _bytes_of, IDS_MAX, bytes_max):
        said: dict[str, Any] = {"reason": reason}
        for field, own_id in some:
            said.setdefault(field, []).append(own_id)
        facts.append(core.fact(REDACTED, said))
    return facts


def _bytes_of(named: Named) -> int:
    return len(msgspec.json.encode(named[1])) + 1
