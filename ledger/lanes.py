"""A lane: one queue of units, stored round by round by whichever thread finds it free.

A thread that finds the lane taken waits for a bell of its own, which rings when its unit has an
outcome, or when the lane is free and it waits longest. With one lock for both, whoever had been
served still had to win that lock against those who had not: the slowest of 100 threads waited ten
times as long as the middle one.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from .records import Outcome, Unit
from .rounds import take_round

#: A bell is a hint. Whoever should have rung it may have been interrupted: look again after this.
LOST_BELL_S = 1.0


class _Ticket:
    __slots__ = ("abandoned", "bell", "outcome", "unit")

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.outcome: Outcome | None = None
        self.abandoned = False
        self.bell: SimpleQueue[None] | None = None


class Lane:
    """Stores units through one function, for one thread at a time."""

    def __init__(self, store: Callable[[Sequence[Unit]], Sequence[Outcome]]) -> None:
        self._store = store
        self._waiting: deque[_Ticket] = deque()
        self._turn = threading.Lock()

    def submit(self, unit: Unit) -> Outcome:
        """Queue a unit and return its outcome, storing rounds as long as it has none."""
        ticket = _Ticket(unit)
        served: list[_Ticket] = []
        try:
            self._waiting.append(ticket)
            while ticket.outcome is None:
                if not self._turn.locked():
                    with self._turn:
                        if ticket.outcome is None:
                            served = self._serve(ticket)
                elif ticket.bell is None:
                    # Then look once more: the round that was on may have ended meanwhile.
                    ticket.bell = SimpleQueue()
                else:
                    with suppress(Empty):
                        ticket.bell.get(timeout=LOST_BELL_S)
        except BaseException:
            # Whoever was interrupted is gone: the unit must not be stored with a later round.
            ticket.abandoned = True
            raise
        finally:
            if self._waiting and not self._turn.locked():
                self._call_next()
            for other in served:
                if other.bell is not None:
                    other.bell.put(None)
        return ticket.outcome

    def _serve(self, own: _Ticket) -> list[_Ticket]:
        # A leader that was interrupted, at whatever line, may have lost its followers' tickets:
        # they come here one after the other and see to their own.
        if own not in self._waiting:
            self._waiting.append(own)
        tickets = take_round(self._waiting)
        try:
            outcomes = self._store([ticket.unit for ticket in tickets])
        except BaseException:
            self._waiting.extendleft(reversed(tickets))
            raise
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            ticket.outcome = outcome
        return tickets

    def _call_next(self) -> None:
        """Ring for whoever has waited longest; one without a bell is about to look by itself."""
        for ticket in tuple(self._waiting):
            if not ticket.abandoned:
                if ticket.bell is not None:
                    ticket.bell.put(None)
                return
