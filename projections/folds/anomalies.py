"""Facts that do not fit what came before, kept beside the view that had to decide.

Every fold says in its docstring which facts these are and what it makes of them; none is dropped,
and none stops a view. `Views.anomalies` lists them. Where a row goes that has some, a row without
content stays in its place (`missing_since` is set), and so it does for a fact about an entry that
is not there. A fact that names several entries marks none of those that are missing. One that takes
a tag, a label or a variable away fits whether it was there or not.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from ledger.events import Event

ANOMALIES_MAX = 32


class Anomaly(msgspec.Struct, frozen=True, gc=False):
    """A fact that did not fit; `reason` says what was made of it."""

    sequence: int
    type: str
    reason: str


class Marked(Protocol):
    """A view that keeps its first anomalies and counts them all."""

    @property
    def anomaly_count(self) -> int: ...
    @property
    def anomalies(self) -> list[Anomaly]: ...


def noted(anomalies: list[Anomaly], event: Event, reason: str) -> list[Anomaly]:
    """Return the list with one more; the first ones stay when it is full, they hold the cause."""
    if len(anomalies) >= ANOMALIES_MAX:
        return anomalies
    return [*anomalies, Anomaly(event.sequence, event.type, reason)]


def anomaly(view: Marked, event: Event, reason: str) -> dict[str, Any]:
    """Return what one more anomaly changes in a view."""
    return {
        "anomaly_count": view.anomaly_count + 1,
        "anomalies": noted(view.anomalies, event, reason),
    }


def carried(before: Marked | None) -> dict[str, Any]:
    """Return the anomalies of the row that a new one takes the place of."""
    if before is None:
        return {}
    return {"anomaly_count": before.anomaly_count, "anomalies": before.anomalies}
