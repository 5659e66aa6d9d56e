"""Appending to sessions in turns: the ledger itself keeps what belongs to one session together."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ledger import Append, Ledger
from ledger.plans import run
from ledger.records import Unit
from ledger.rounds import numbers_or_raise, store_round

RETRY_TIMEOUT_S = 30.0


def append_in_turns(ledger: Ledger, appends: Sequence[Append]) -> list[int]:
    """Append all or nothing, positions in the order of the events, and return the positions.

    A session may come again, without `expected`, and never with an event id it had before. Errors
    and the repeating of what was lost are those of `Ledger.append_many`, except that such a unit
    shares its transaction with no other.
    """
    parts = tuple(part for append in appends for part in ledger.door.batch([append]).unit.parts)
    plan = store_round(
        ledger.backend.append,
        time.sleep,
        [Unit(parts)],
        wait=True,
        retry_timeout_s=RETRY_TIMEOUT_S,
        lock_timeout_s=ledger.backend.lock_timeout_s,
    )
    [outcome] = run(plan)
    return [number.position for number in numbers_or_raise(outcome)]


def append_together(ledger: Ledger, appends: Sequence[Append]) -> list[int]:
    """Append to different sessions, all or nothing, and return the positions of the events."""
    answers = ledger.append_many(appends)
    return [appended.event.position for answer in answers for appended in answer]
