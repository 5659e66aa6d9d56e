"""Which events of a session must not be shown any more. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ledger import Event

from ...engine.projection import payload

REDACTED = "content.redacted"


class Redactions:
    """What a session's redactions name: events, and the messages and runs that they belong to.

    A message or a run is named as it was then: what is said of it later is shown.
    """

    def __init__(self, redactions: Iterable[Event] = ()) -> None:
        self._sequences: set[int] = set()
        self._messages: dict[str, int] = {}
        self._runs: dict[str, int] = {}
        for one in redactions:
            self.add(one)

    def add(self, redaction: Event) -> None:
        """Add one that comes behind the others."""
        named = payload(redaction)
        self._sequences.update(named.get("sequences", ()))
        self._messages |= dict.fromkeys(named.get("message_ids", ()), redaction.sequence)
        self._runs |= dict.fromkeys(named.get("run_ids", ()), redaction.sequence)

    def hide(self, event: Event) -> bool:
        """Whether an event must not be shown."""
        if event.sequence in self._sequences:
            return True
        return event.sequence < max(
            self._runs.get(event.run_id or "", 0),
            self._messages.get(message_id(event) or "", 0),
        )


def message_id(event: Event) -> str | None:
    """Return the message that an event belongs to; one that names none is its event's."""
    named = payload(event).get("message_id")
    if isinstance(named, str):
        return named
    return event.event_id if event.type.startswith("message") else None
