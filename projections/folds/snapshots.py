"""One row per state that was kept under a name, to return to; the last one of a name stands.

Rules for facts that do not fit (each is also kept in `anomalies`): a state that is not there is
neither restored nor deleted.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ledger.events import Event

from ..engine.projection import Projection, payload
from .anomalies import Anomaly, anomaly, carried
from .changes import reached


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A kept state, which reflects the session up to event `through_sequence` if that was said.

    `run_state` is where the loop of the agent stood. With `missing_since` there is no such state,
    only anomalies.
    """

    tenant: str
    session_id: str
    name: str
    first_sequence: int
    last_sequence: int
    position: int
    run_id: str | None = None
    state: Any = None
    run_state: dict[str, Any] | None = None
    total_tool_calls: int | None = None
    through_sequence: int | None = None
    restore_count: int = 0
    created_at: datetime
    updated_at: datetime
    restored_at: datetime | None = None
    missing_since: datetime | None = None
    anomaly_count: int = 0
    anomalies: list[Anomaly] = msgspec.field(default_factory=list)


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """A fact touches the state it names."""
    name = payload(event).get("name")
    return () if name is None else ((event.tenant, event.session_id, name),)


def apply(snapshot: Snapshot | None, event: Event) -> Snapshot | None:
    """Return the state after one more fact, None if there is none or no longer."""
    missing = snapshot is None or snapshot.missing_since is not None
    if event.type == "snapshot.saved":
        return _saved(snapshot, event)
    if snapshot is None or missing:
        snapshot = snapshot or _new(event, missing_since=event.occurred_at)
        return _touched(
            snapshot, event, anomaly(snapshot, event, "ignored, there is no such state")
        )
    if event.type == "snapshot.restored":
        restored = {"restore_count": snapshot.restore_count + 1, "restored_at": event.occurred_at}
        return _touched(snapshot, event, restored)
    if not snapshot.anomaly_count:
        return None
    return _new(event, missing_since=event.occurred_at, **carried(snapshot))


def _saved(before: Snapshot | None, event: Event) -> Snapshot:
    data = payload(event)
    said = {name: data[name] for name in _SAID if data.get(name) is not None}
    saved = _new(event, **said, **carried(before))
    if before is None or before.missing_since is not None:
        return saved
    return msgspec.structs.replace(
        saved,
        first_sequence=before.first_sequence,
        created_at=before.created_at,
        restore_count=before.restore_count,
        restored_at=before.restored_at,
    )


def _new(event: Event, **told: Any) -> Snapshot:
    return Snapshot(
        tenant=event.tenant,
        session_id=event.session_id,
        name=payload(event)["name"],
        first_sequence=event.sequence,
        last_sequence=event.sequence,
        position=event.position,
        run_id=event.run_id,
        created_at=event.occurred_at,
        updated_at=event.occurred_at,
        **told,
    )


def _touched(snapshot: Snapshot, event: Event, changes: dict[str, Any]) -> Snapshot:
    return msgspec.structs.replace(
        snapshot,
        **reached(event),
        **changes,
    )


_SAID = ("state", "run_state", "total_tool_calls", "through_sequence")

SNAPSHOTS = Projection(
    name="snapshots",
    version=1,
    view=Snapshot,
    key=("tenant", "session_id", "name"),
    keys=keys,
    apply=apply,
    types=frozenset({"snapshot.saved", "snapshot.restored", "snapshot.deleted"}),
)
