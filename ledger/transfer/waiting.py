"""Forks that wait: no event of a session is stored before the event it was forked from is known.

An export may have a fork before its parent's event: a server's clock jumped back, imported events
keep times that are ahead, and within a microsecond the names of the sessions decide.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import NoReturn

import msgspec

from ..errors import InvalidImport
from ..plans import Plan
from ..reading import Storage
from ..records import Record
from .checks import Fork, Place, Session, check_fork, event_id_again, fork_of, place_of, session_of
from .exporting import event_at
from .format import Imported

#: Of the lines that are held back; their events take two to four times as much memory.
WAITING_BYTES_MAX = 67_108_864
_line = attrgetter("number")


class _Held(msgspec.Struct):
    """A session that is held back: the fork it begins with, and its events from there on."""

    fork: Fork
    events: list[Imported]
    event_ids: set[str]


class Waiting:
    """The sessions of a file that are held back, and the events they wait for."""

    def __init__(self, backend: Storage) -> None:
        self._backend = backend
        self._held: dict[Session, _Held] = {}
        self._forks: dict[Place, list[Fork]] = {}
        self._bytes = 0

    def __contains__(self, session: Session) -> bool:
        return session in self._held

    def __len__(self) -> int:
        return len(self._held)

    def admit(self, new: list[Imported]) -> Plan[list[Imported]]:
        """Return what of a batch's new events may be stored, and hold the others back."""
        forks = [fork for fork in map(fork_of, new) if fork is not None]
        if not forks and not self._held:
            return new
        yield from self._begin(forks, new)
        admitted: list[Imported] = []
        for event in new:
            if session_of(event.record) in self._held:
                self._hold(event)
            else:
                admitted.append(event)
        return admitted

    def release(self, known: Iterable[Record]) -> list[Imported]:
        """Take out what waits for these events, and for what is taken out; parents come first.

        Raises InvalidImport if what waits still is more than may wait.
        """
        released: list[Imported] = []
        arrived = deque(known)
        while arrived and self._forks:
            record = arrived.popleft()
            for fork in self._forks.pop(place_of(record), ()):
                check_fork(fork, record.event_hash)
                events = self._held.pop(fork.session).events
                released += events
                arrived.extend(event.record for event in events)
        self._bytes -= sum(event.size for event in released)
        if self._bytes > WAITING_BYTES_MAX:
            self._refuse(f"nor in {WAITING_BYTES_MAX} bytes of lines that wait for such events")
        return released

    def release_rest(self) -> Plan[list[Imported]]:
        """Take out what waits for events that somebody else stored; refuse what waits still."""
        released: list[Imported] = []
        for fork in self._wanting():
            parent = yield from event_at(self._backend, *fork.place)
            if parent is None:
                self._refuse("nor in the file")
            released += self.release([parent])
        return released

    def _begin(self, forks: Sequence[Fork], new: Sequence[Imported]) -> Plan[None]:
        """Begin to hold back the sessions of forks whose parents' events cannot be stored yet."""
        hashes = {place_of(event.record): event.record.event_hash for event in new}
        inside: list[Fork] = []
        for fork in forks:
            if fork.place in hashes:
                check_fork(fork, hashes[fork.place])
                inside.append(fork)
                continue
            held_hash = self._held_hash(fork.place)
            if held_hash is not None:
                check_fork(fork, held_hash)
            else:
                parent = yield from event_at(self._backend, *fork.place)
                if parent is not None:
                    check_fork(fork, parent.event_hash)
                    continue
            self._begin_one(fork)
        following = inside
        while following:  # what was forked in this batch from what is held back
            following = [
                fork
                for fork in inside
                if fork.place[:2] in self._held and fork.session not in self._held
            ]
            for fork in following:
                self._begin_one(fork)

    def _begin_one(self, fork: Fork) -> None:
        self._held[fork.session] = _Held(fork, [], set())
        self._forks.setdefault(fork.place, []).append(fork)

    def _hold(self, event: Imported) -> None:
        record = event.record
        held = self._held[session_of(record)]
        if record.event_id in held.event_ids:
            raise event_id_again(event)
        for fork in self._forks.get(place_of(record), ()):
            check_fork(fork, record.event_hash)
        held.events.append(event)
        held.event_ids.add(record.event_id)
        self._bytes += event.size

    def _held_hash(self, place: Place) -> bytes | None:
        """Return the hash of an event that is held back itself."""
        held = self._held.get(place[:2])
        if held is None or place[2] > len(held.events):
            return None
        return held.events[place[2] - 1].record.event_hash

    def _wanting(self) -> list[Fork]:
        """Return the forks from events that are not held back themselves, first lines first."""
        forks = [held.fork for held in self._held.values()]
        return sorted((one for one in forks if self._held_hash(one.place) is None), key=_line)

    def _refuse(self, where: str) -> NoReturn:
        # Hashes leave no circle in which each waits for another, so there is one that wants.
        fork = self._wanting()[0]
        raise InvalidImport(
            fork.number,
            f"event {fork.at} of session {fork.parent!r}, from which {fork.session_id!r} was"
            f" forked, is neither here {where}, so that nothing of {fork.session_id!r} is stored:"
            f" import {fork.parent!r} before, or both in one file",
        )
