"""Facts that do not fit what came before, kept beside the view that had to decide."""

from __future__ import annotations

import msgspec

from ledger.events import Event

ANOMALIES_MAX = 32


class Anomaly(msgspec.Struct, frozen=True):
    """A fact that did not fit; `reason` says what was made of it."""

    sequence: int
    type: str
    reason: str


def noted(anomalies: list[Anomaly], event: Event, reason: str) -> list[Anomaly]:
    """Return the list with one more; the first ones stay when it is full, they hold the cause."""
    if len(anomalies) >= ANOMALIES_MAX:
        return anomalies
    return [*anomalies, Anomaly(event.sequence, event.type, reason)]
