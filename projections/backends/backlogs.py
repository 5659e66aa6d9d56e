"""How far the versions have come in a bucket, and what comes next. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.backends.base import FeedQuery

from ..engine.tables import Identity
from .base import Checkpoint


def checkpoints_of(rows: Sequence[Any]) -> Mapping[Identity, Checkpoint]:
    """Return checkpoints from their rows; those without flags are of what a version leaves out."""
    skips: dict[Identity, set[int]] = {}
    for name, version, position, active, _ in rows:
        if active is None:
            skips.setdefault((name, version), set()).add(position)
    return {
        (name, version): Checkpoint(
            position, bool(active), bool(built), frozenset(skips.get((name, version), ()))
        )
        for name, version, position, active, built in rows
        if active is not None
    }


def next_events(
    bucket: int,
    head: int,
    found: Mapping[Identity, Checkpoint],
    wanted: Sequence[Identity],
    limit: int,
) -> FeedQuery | None:
    """Return the query of a backlog's records, None for no records; see ViewBackend.backlog."""
    there = [found[identity] for identity in wanted if identity in found]
    kept = [one for one in there if one.active or one.built]
    start = min((one.position for one in kept or there), default=head)
    upto = min(head, start + limit)
    return FeedQuery(ranges=((bucket, start, upto),), limit=limit) if start < upto else None
