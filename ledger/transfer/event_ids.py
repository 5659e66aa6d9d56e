"""Which event ids an import may have met before, in memory that does not grow with the file."""

from __future__ import annotations

from collections.abc import Iterable

from .checks import Session
from .format import Imported

#: Behind a million ids, 4 of 1,000 new ones are taken for old; whoever asks then has to look.
ID_MAP_BYTES = 4_194_304
_PLACES = 8 * ID_MAP_BYTES


class EventIds:
    """A Bloom filter: an id that it has not met is new, one that it has met may be."""

    def __init__(self) -> None:
        self._map = bytearray(ID_MAP_BYTES)

    def add(self, session: Session, events: Iterable[Imported]) -> list[Imported]:
        """Take up events of a session; return those whose ids it may have had before."""
        met = []
        for event in events:
            number = hash((session, event.record.event_id))
            first, second = number % _PLACES, (number >> 32) % _PLACES
            first_bit, second_bit = 1 << first % 8, 1 << second % 8
            if self._map[first // 8] & first_bit and self._map[second // 8] & second_bit:
                met.append(event)
            else:
                self._map[first // 8] |= first_bit
                self._map[second // 8] |= second_bit
        return met
