"""One row per artifact; deleted ones stay, marked.

Rules for facts that do not fit (each is also kept in `anomalies`): an artifact that is registered
again while it stands is replaced by what is said last; the first deletion stands; that of an
unknown one makes a row without a key. One that is registered after its deletion begins anew.

Keys have no bound, indexes have: lookups go by `key_sha256`.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec

from ledger.events import Event

from ..engine.projection import Projection, payload
from .anomalies import Anomaly, anomaly, carried
from .changes import reached


class Artifact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A file that the session produced; its bytes are at `storage_ref` of `storage_backend`.

    `byte_size` is in bytes, `checksum_sha256` as registered.
    """

    tenant: str
    session_id: str
    artifact_id: str
    first_sequence: int
    last_sequence: int
    position: int
    run_id: str | None = None
    key: str
    key_sha256: str
    content_type: str | None = None
    byte_size: int | None = None
    checksum_sha256: str | None = None
    storage_backend: str | None = None
    storage_ref: str | None = None
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    deleted_reason: str | None = None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    anomaly_count: int = 0
    anomalies: list[Anomaly] = msgspec.field(default_factory=list)


def key_digest(key: str) -> str:
    """Return what a key is looked up by: 64 hexadecimal digits."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """A fact touches the artifact it names."""
    artifact_id = payload(event).get("artifact_id")
    return () if artifact_id is None else ((event.tenant, event.session_id, artifact_id),)


def apply(artifact: Artifact | None, event: Event) -> Artifact:
    """Return the artifact after one more fact."""
    return (_registered if event.type == "artifact.registered" else _deleted)(artifact, event)


def _new(event: Event, key: str, **told: Any) -> Artifact:
    return Artifact(
        tenant=event.tenant,
        session_id=event.session_id,
        artifact_id=payload(event)["artifact_id"],
        first_sequence=event.sequence,
        last_sequence=event.sequence,
        position=event.position,
        run_id=event.run_id,
        key=key,
        key_sha256=key_digest(key),
        created_at=event.occurred_at,
        updated_at=event.occurred_at,
        **told,
    )


def _registered(before: Artifact | None, event: Event) -> Artifact:
    data = payload(event)
    told = {name: data[name] for name in _TOLD if data.get(name) is not None}
    artifact = _new(event, data.get("key", ""), **carried(before), **told)
    if before is None or before.deleted_at is not None:
        return artifact
    return msgspec.structs.replace(
        artifact,
        first_sequence=before.first_sequence,
        created_at=before.created_at,
        **anomaly(before, event, "registered before: replaced"),
    )


def _deleted(before: Artifact | None, event: Event) -> Artifact:
    artifact = _new(event, "") if before is None else before
    changes = reached(event)
    if artifact.deleted_at is not None:
        changes |= anomaly(artifact, event, "ignored, it was deleted already")
    else:
        changes["deleted_at"] = event.occurred_at
        changes["deleted_reason"] = payload(event).get("reason")
        if before is None:
            changes |= anomaly(artifact, event, "applied, nobody had registered it")
    return msgspec.structs.replace(artifact, **changes)


_TOLD = (
    "content_type",
    "byte_size",
    "checksum_sha256",
    "storage_backend",
    "storage_ref",
    "metadata",
)

ARTIFACTS = Projection(
    name="artifacts",
    version=1,
    view=Artifact,
    key=("tenant", "session_id", "artifact_id"),
    keys=keys,
    apply=apply,
    indexes=(("tenant", "key_sha256", "created_at", "session_id", "artifact_id"),),
    types=frozenset({"artifact.registered", "artifact.deleted"}),
)
