"""Who calls a handler in a bucket: one at a time, by a claim that lapses when nobody uses it.

Nobody's clock is compared with anybody else's. A holder moves the bucket's beat with every claim,
checkpoint and return. Whoever sees a beat stand still for `claim_s` by its own clock takes the
claim; the holder, should it live, finds that at its next checkpoint and drops the bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from ledger.plans import Plan

from ...backends.base import AsyncViewBackend, Checkpoint, ViewBackend
from ..folding import Change
from ..tables import Identity, Key, Row
from .places import NOBODY, Places, position


class _Seen(msgspec.Struct, frozen=True):
    """A beat of somebody else's, since when it stands still, and whether it moved in this run."""

    beat: int
    since: float
    moved: bool = False


class Held:
    """A bucket that is claimed: the places that its holder last stored, and how far it is."""

    def __init__(self, places: Places, bucket: int, position: int, beat: int) -> None:
        self.places = places
        self.bucket = bucket
        self.position = position
        self.beat = beat
        #: Behind the last event that was handled, whether or not that is stored.
        self.reached = position


class Claims:
    """The claims of one runner, as plans."""

    def __init__(
        self,
        views: ViewBackend | AsyncViewBackend,
        holder: str,
        claim_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._views = views
        self._holder = holder
        self._claim_s = claim_s
        self._clock = clock
        # One entry per bucket of a handler at most.
        self._seen: dict[tuple[str, int], _Seen] = {}

    def take(self, places: Places, bucket: int, begin: int, head: int) -> Plan[Held | None]:
        """Claim a bucket; None if somebody else has it, was faster, or runs a higher version.

        In a bucket that no version has seen, the handler begins behind `begin`; in one that the
        version before has handled, where that one stopped. If that is at the head already, there is
        nothing to do, and the bucket is given back in the same step.
        """
        found: Mapping[Identity, Checkpoint] = yield self._views.checkpoints(bucket)
        # Read behind the beat: if the beat is still that when it moves, these rows belong to it.
        rows: list[dict[Key, Row]] = yield self._views.load(bucket, [(places.claims, [places.key])])
        claim = places.claim(rows[0])
        beat, at = places.beat(found), places.position(found)
        if claim is not None and claim.version > places.version:
            return None
        if claim is not None and claim.holder not in (NOBODY, self._holder):
            seen = self._seen.setdefault((places.name, bucket), _Seen(beat, self._clock()))
            if seen.beat != beat:
                self._seen[places.name, bucket] = _Seen(beat, self._clock(), moved=True)
                return None
            if self._clock() - seen.since < self._claim_s:
                return None
        start = at
        changes: list[Change] = []
        if claim is None and at == 0:
            start = begin
            changes.append(places.begun(at, start))
        elif claim is not None and claim.version < places.version:
            start = position(found, (places.name, claim.version))
            changes += [places.begun(at, start), places.stays(claim.version, start)]
        else:
            changes.append(places.moved(at, at))
        changes.append(places.taken(beat, self._holder if start < head else NOBODY))
        if not (yield self._views.store(bucket, changes)):
            return None
        self._seen.pop((places.name, bucket), None)
        return Held(places, bucket, start, beat + 1)

    def is_left(self, name: str, bucket: int, beat: int) -> bool:
        """Whether a bucket at this beat is known to be somebody else's, without looking again."""
        seen = self._seen.get((name, bucket))
        if seen is None or seen.beat != beat:
            return False
        return self._clock() - seen.since < self._claim_s

    def forget_moves(self) -> None:
        """Ask anew who lives; since when beats stand still is kept."""
        for place, seen in self._seen.items():
            self._seen[place] = msgspec.structs.replace(seen, moved=False)

    def lives(self, name: str, bucket: int) -> bool:
        """Whether who has claimed a bucket was seen to use the claim."""
        seen = self._seen.get((name, bucket))
        return seen is not None and seen.moved

    def move(self, held: Held, *, last: bool = False) -> Plan[bool]:
        """Keep how far a handler has come, and with the `last` move give the bucket back.

        False, and nothing kept, if somebody else has claimed the bucket meanwhile, or has let the
        handler's next event pass.
        """
        places = held.places
        beat = places.taken(held.beat, NOBODY) if last else places.used(held.beat)
        changes: list[Change] = [beat, places.moved(held.position, held.reached)]
        if not (yield self._views.store(held.bucket, changes)):
            return False
        held.beat += 1
        held.position = held.reached
        return True
