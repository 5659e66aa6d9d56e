"""Where handlers stand and who may call them, kept in the tables of the views. Pure.

A version of a handler has a checkpoint per bucket like a version of a view. Beside it there is one
more checkpoint per bucket, of all versions together: it counts the beats of whoever has claimed
the bucket. Every claim and every move of a handler's checkpoint compares and moves the beat in the
same transaction, so that whoever has lost the claim cannot move anything any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ledger.events import Event

from ...backends.base import Checkpoint, Standing
from ...errors import VersionDropped
from ..folding import Change
from ..kinds import CLAIMS, HANDLER, RETIRED
from ..projection import CLAIMS_PREFIX, Projection
from ..tables import Identity, Key, Row, Table

NOBODY = ""


class Began(msgspec.Struct, frozen=True, kw_only=True):
    """The position behind which a version began in a bucket; up to there it was silent."""

    handler: str
    began_after: int


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Who may call a handler in a bucket, and the version that is in effect there."""

    handler: str
    version: int
    holder: str


class Places:
    """The tables of one version of a handler."""

    def __init__(self, name: str, version: int) -> None:
        self.name = name
        self.version = version
        self.key: Key = (name,)
        self.progress = _progress(name, version)
        self.retired = _table(name, version, Began, RETIRED)
        self.claims = _table(f"{CLAIMS_PREFIX}{name}", 1, Claim, CLAIMS)

    def claim(self, rows: Mapping[Key, Row]) -> Claim | None:
        """Return a bucket's claim from the rows of the claims."""
        row = rows.get(self.key)
        return None if row is None else self.claims.decode(row)

    def beat(self, found: Mapping[Identity, Checkpoint]) -> int:
        """Return how often a bucket's claim was taken or used."""
        return position(found, self.claims.identity)

    def position(self, found: Mapping[Identity, Checkpoint]) -> int:
        """Return how far the version has come in a bucket."""
        return position(found, self.progress.identity)

    def taken(self, beat: int, holder: str) -> Change:
        """Return the change by which somebody claims a bucket, or gives it back."""
        claim = Claim(handler=self.name, version=self.version, holder=holder)
        return Change(self.claims, beat, beat + 1, [self.claims.encode(claim)])

    def used(self, beat: int) -> Change:
        """Return the change by which the holder shows that it lives."""
        return Change(self.claims, beat, beat + 1)

    def moved(self, before: int, after: int) -> Change:
        """Return the move of the version's checkpoint."""
        return Change(self.progress, before, after)

    def begun(self, before: int, after: int) -> Change:
        """Return the first move of the version's checkpoint, over what it is silent about."""
        began = Began(handler=self.name, began_after=after)
        return Change(self.progress, before, after, [self.progress.encode(began)])

    def stays(self, version: int, at: int) -> Change:
        """Return the condition that another version's checkpoint stands somewhere."""
        return Change(_progress(self.name, version), at, at)


def position(found: Mapping[Identity, Checkpoint], identity: Identity) -> int:
    """Return a checkpoint's position; raise VersionDropped if it is gone."""
    if identity not in found:
        raise VersionDropped(identity[0])
    return found[identity].position


def is_retired(standing: Standing) -> bool:
    """Whether these checkpoints are those of a handler that nobody is to run."""
    return standing.fold_digest == RETIRED


def follows_nothing(standing: Standing) -> bool:
    """Whether these checkpoints count beats, or nobody is to move them any more."""
    return standing.fold_digest in (CLAIMS, RETIRED)


def is_superseded(standing: Standing) -> bool:
    """Whether a handler's next version is in effect: what stopped this one holds no more."""
    return standing.fold_digest == HANDLER and not standing.active


def _progress(name: str, version: int) -> Table:
    return _table(name, version, Began, HANDLER)


def _table(name: str, version: int, view: type, digest: str) -> Table:
    table = Table(
        Projection(
            name=name,
            version=version,
            view=view,
            key=("handler",),
            keys=_no_keys,
            apply=_unchanged,
            types=frozenset(),
        )
    )
    table.fold_digest = digest
    return table


# Stored as any other table is, but no fold makes the rows.
def _no_keys(event: Event) -> tuple[Key, ...]:
    return ()


def _unchanged(view: Any, event: Event) -> Any:
    return view
