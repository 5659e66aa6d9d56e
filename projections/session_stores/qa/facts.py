"""Which facts are a question-and-answer store's, among those of others in the same session. Pure."""

from __future__ import annotations

from ledger.events import Event

from ...engine.projection import payload

#: The facts of which this store is made; whoever tells them, they are what it shows.
OURS = ("qa.", "context.", "graph_context.", "trace.")
FEEDBACK = "feedback."
#: In the headers of the other facts that this store tells. Other stores tell some in the same words:
#: that a session began, what was used in it, how far a consumer has come.
SIGNED = {"store": "cognee"}
MARKED = "consumer.offset_advanced"
#: Nothing is left of it that anybody could miss.
REDACTED = "content.redacted"


def is_ours(event: Event) -> bool:
    """Whether a fact is one that this store told, or of those that it is made of."""
    if event.metadata.get("store") == SIGNED["store"]:
        return True
    if not event.type.startswith(FEEDBACK):
        return event.type.startswith(OURS)
    # Runs are judged by other stores.
    data = payload(event)
    return bool(data.get("qa_id")) or not (data.get("run_id") or event.run_id)
