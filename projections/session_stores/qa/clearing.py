"""What of a session is a question-and-answer store's, and the facts that take it away. Plans."""

from __future__ import annotations

from collections.abc import Collection, Set
from typing import TYPE_CHECKING, Any

import msgspec

from ledger import NewEvent
from ledger.events import SESSION_DELETED, Event
from ledger.plans import Plan

from ...engine.projection import payload
from ...folds.consumers import Consumer
from ...folds.context import ContextEntry
from ...folds.feedback import Feedback
from ...folds.graph_context import GraphContext
from ...folds.qa import QAEntry
from ...folds.traces import Span
from .ids import IDS_MAX

if TYPE_CHECKING:
    from .core import QACore

#: The facts of which this store is made; whoever tells them, they are what it shows.
OURS = ("qa.", "context.", "graph_context.", "trace.")
FEEDBACK = "feedback."
#: In the headers of the other facts that this store tells. Other stores tell some in the same words:
#: that a session began, what was used in it, how far a consumer has come.
SIGNED = {"store": "cognee"}
_MARKED = "consumer.offset_advanced"
# Nothing is left of it that anybody could miss.
_REDACTED = "content.redacted"


class Kept(msgspec.Struct, frozen=True):
    """Everything of a session that this store keeps."""

    entries: list[QAEntry]
    steps: list[Span]
    guidance: list[ContextEntry]
    feedback: list[Feedback]
    unlisted: list[GraphContext | Consumer]


#: The views that have it.
_KINDS = ("qa", "traces", "context", "feedback", "graph_context", "consumers")


def is_ours(event: Event) -> bool:
    """Whether a fact is one that this store told, or of those that it is made of."""
    if event.metadata.get("store") == SIGNED["store"]:
        return True
    if not event.type.startswith(FEEDBACK):
        return event.type.startswith(OURS)
    # Runs are judged by other stores.
    data = payload(event)
    return bool(data.get("qa_id")) or not (data.get("run_id") or event.run_id)


def cleared(core: QACore, ledger_id: str, reason: str) -> Plan[list[NewEvent]]:
    """Return the facts after which a session shows nothing of ours; its end if it is ours alone.

    Of a session in which others told something, only what is ours goes. Reads all of its events.
    """
    events: list[Event] = yield core.ledger.read(ledger_id, tenant=core.tenant)
    ours = [one for one in events if is_ours(one)]
    if not ours:
        return []
    if all(is_ours(one) or one.type == _REDACTED for one in events):
        return [core.fact(SESSION_DELETED, {"reason": reason})]
    marked = {str(payload(one)["consumer"]) for one in ours if one.type == _MARKED}
    found = yield from kept(core, ledger_id)
    return [*redactions(core, reason, (), found), *_unlisted(core, found, marked)]


def kept(core: QACore, ledger_id: str) -> Plan[Kept]:
    """Read everything of a session that this store keeps."""
    found: dict[str, list[Any]] = yield core.views.together(ledger_id, _KINDS, tenant=core.tenant)
    return Kept(
        [one for one in found["qa"] if one.missing_since is None],
        [one for one in found["traces"] if one.source == "step"],
        [one for one in found["context"] if one.missing_since is None],
        [one for one in found["feedback"] if one.judged_run_id is None],
        [*found["graph_context"], *found["consumers"]],
    )


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
            facts.append(core.fact(_MARKED, back))
    return facts


def redactions(core: QACore, reason: str, elements: Collection[str], gone: Kept) -> list[NewEvent]:
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
