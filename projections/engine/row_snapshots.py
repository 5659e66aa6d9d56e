"""Snapshots: rows of long sessions as they were, so that not all is folded again. Pure.

A cache, never the truth: a snapshot that is not whole is ignored, and every snapshot can be removed
at any time. One holds one row for as long as nothing touched it, so a row has at most one per
SNAPSHOT_EVENTS events of its session, and one that is touched rarely has few: 200 at most for a row
that every event of a session of 100,000 touches.

A row has them once for each fold, for during a deployment old and new code ask for the same rows.
Nobody can tell which fold was asked last without writing for every question, so when there are
FOLDS_MAX already, those of all of them make room for the newcomer's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec

from ..backends.row_queries import RowQuery
from .folding import Change
from .projection import Projection
from .tables import Key, Kind, Row, Table

#: A fold that goes on from a snapshot has at most so many events before it.
SNAPSHOT_EVENTS = 500
#: Of so many folds are snapshots of one row kept side by side: versions, sources and upcasters.
FOLDS_MAX = 8
_DIGITS = 19
_FOLD_DIGITS = 16


class RowSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A row as it was from `place` to `upto`, both included; `row_json` is None for no row.

    `place` is a sequence as text of 19 digits, whose order is that of the numbers. `fold_digest`
    is of the fold that made it, with its version in front and the digest of its upcasters behind.
    `row_sha256` is of the projection's name and the row's key, with the beginning of the digest
    of `fold_digest` behind, and `seal` of all the rest.
    """

    tenant: str
    session_id: str
    row_sha256: str
    place: str
    upto: int
    fold_digest: str
    row_json: str | None = None
    seal: str = ""

    @property
    def whole(self) -> bool:
        """Whether it is what was stored."""
        return self.seal == self._sealed()

    def held(self, upto: int) -> RowSnapshot:
        """Return the snapshot of the same row, which stayed as it is up to there."""
        longer = msgspec.structs.replace(self, upto=upto)
        return msgspec.structs.replace(longer, seal=longer._sealed())

    def changed(self, at: int, row: Row | None) -> RowSnapshot:
        """Return the snapshot of what the row has become."""
        text = None if row is None else msgspec.json.encode(row).decode()
        return msgspec.structs.replace(self, place=place_text(at), row_json=text).held(at)

    def row(self, table: Table) -> Row | None:
        """Return the row."""
        if self.row_json is None:
            return None
        values: list[Any] = msgspec.json.decode(self.row_json)
        for number, column in enumerate(table.columns):
            if column.kind is Kind.MOMENT and values[number] is not None:
                values[number] = datetime.fromisoformat(values[number])
        return tuple(values)

    def _sealed(self) -> str:
        rest = msgspec.structs.astuple(self)[:-1]
        return sha256(msgspec.json.encode(rest)).hexdigest()


# Stored as any other table is, but no event makes its rows.
ROW_SNAPSHOTS = Table(
    Projection(
        name="row_snapshots",
        version=1,
        view=RowSnapshot,
        key=("tenant", "session_id", "row_sha256", "place"),
        keys=lambda event: (),
        apply=lambda view, event: view,
        types=frozenset(),
    )
)


def place_text(sequence: int) -> str:
    """Return a sequence as text."""
    return f"{sequence:0{_DIGITS}}"


def boundary(sequence: int) -> int:
    """Return the next sequence behind another at which snapshots are made."""
    return (sequence // SNAPSHOT_EVENTS + 1) * SNAPSHOT_EVENTS


def boundary_upto(sequence: int) -> int:
    """Return the last sequence up to another at which snapshots are made."""
    return sequence - sequence % SNAPSHOT_EVENTS


def nothing_yet(table: Table, key: Key, start: int, upcasters: str) -> RowSnapshot:
    """Return the snapshot of a row at the beginning, which needs no storing."""
    named = msgspec.json.encode((table.projection.name, *key[2:]))
    fold = f"{table.projection.version}:{table.fold_digest}:{upcasters}"
    return RowSnapshot(
        tenant=key[0],
        session_id=key[1],
        row_sha256=_of_fold(sha256(named).hexdigest(), fold),
        place=place_text(start),
        upto=start,
        fold_digest=fold,
    ).held(start)


def _of_fold(row_sha256: str, fold_digest: str) -> str:
    return f"{row_sha256}/{sha256(fold_digest.encode()).hexdigest()[:_FOLD_DIGITS]}"


def query(bucket: int, first: RowSnapshot, at: int, limit: int | None) -> RowQuery:
    """Return the query for the snapshots of a row from its first to a sequence, the last first."""
    return RowQuery(
        table=ROW_SNAPSHOTS,
        bucket=bucket,
        equal=(*_session(first), ("row_sha256", first.row_sha256)),
        at_least=(("place", first.place),),
        below=(("place", place_text(at + 1)),),
        order=("place",),
        descending=True,
        limit=limit,
    )


def query_of_folds(
    bucket: int, first: RowSnapshot, behind: str | None, limit: int | None
) -> RowQuery:
    """Return the query for a row's snapshots of all folds, those `behind` the digests of one."""
    row_sha256 = first.row_sha256.partition("/")[0]
    # "0" follows upon "/": between them is everything that begins with the row's own digest.
    start = f"{row_sha256}/" if behind is None else f"{behind}0"
    return RowQuery(
        table=ROW_SNAPSHOTS,
        bucket=bucket,
        equal=_session(first),
        at_least=(("row_sha256", start),),
        below=(("row_sha256", f"{row_sha256}0"),),
        order=("row_sha256", "place"),
        limit=limit,
    )


def _session(snapshot: RowSnapshot) -> tuple[tuple[str, str], ...]:
    return (("tenant", snapshot.tenant), ("session_id", snapshot.session_id))


def kept(snapshots: Sequence[RowSnapshot]) -> Change:
    """Return the change that stores snapshots; it moves no checkpoint, so it never comes late."""
    return Change(ROW_SNAPSHOTS, 0, 0, [ROW_SNAPSHOTS.encode(snapshot) for snapshot in snapshots])


def removed(rows: Sequence[Row]) -> Change:
    """Return the change that takes snapshots away."""
    return Change(ROW_SNAPSHOTS, 0, 0, gone=[ROW_SNAPSHOTS.key_of_row(row) for row in rows])
