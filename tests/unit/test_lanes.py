"""A lane: what becomes of those who wait in it when somebody is interrupted."""

import threading
from collections import deque
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any

import pytest

from ledger import lanes
from ledger.lanes import Lane
from ledger.records import Numbered, Outcome, Part, Unit
from tests.support.builders import DEADLINE_S, background, eventually

STORED = [Numbered(1, 1, 0, 0, b"", True)]


def unit(bucket: int) -> Unit:
    return Unit((Part(bucket, "", f"s{bucket}", None, b"", ()),))


class Storage:
    """Stores whatever comes; the first round waits until it is told to go on."""

    def __init__(self) -> None:
        self.begun, self.goes_on = threading.Event(), threading.Event()
        self.stored: list[int] = []

    def __call__(self, units: Sequence[Unit]) -> Sequence[Outcome]:
        if not self.begun.is_set():
            self.begun.set()
            assert self.goes_on.wait(DEADLINE_S)
        self.stored += [one.first_bucket for one in units]
        return [STORED for _ in units]


def test_a_unit_is_stored_whose_ticket_was_lost_with_a_leader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = Storage()
    lane = Lane(storage)
    first = background(lambda: lane.submit(unit(1)))
    assert storage.begun.wait(DEADLINE_S)
    others = [background(lambda number=number: lane.submit(unit(number))) for number in (2, 3)]
    eventually(lambda: len(lane._waiting) == 2)
    usual = lanes.take_round

    def interrupted(waiting: deque[Any]) -> list[Any]:
        monkeypatch.setattr(lanes, "take_round", usual)
        waiting.clear()
        raise KeyboardInterrupt

    monkeypatch.setattr(lanes, "take_round", interrupted)
    storage.goes_on.set()
    assert first.result(DEADLINE_S) is STORED
    errors = [one.exception(DEADLINE_S) for one in others]
    [stored] = [one for one, error in zip(others, errors, strict=True) if error is None]
    assert isinstance(next(filter(None, errors)), KeyboardInterrupt)
    assert stored.result() is STORED
    assert len(storage.stored) == 2


def test_the_next_is_called_behind_one_who_was_interrupted_as_it_waited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "LOST_BELL_S", 10 * DEADLINE_S)  # a bell, or never

    class Broken(SimpleQueue[None]):
        def get(self, block: bool = True, timeout: float | None = None) -> None:
            raise KeyboardInterrupt

    storage = Storage()
    lane = Lane(storage)
    first = background(lambda: lane.submit(unit(1)))
    assert storage.begun.wait(DEADLINE_S)
    with monkeypatch.context() as patched:
        patched.setattr(lanes, "SimpleQueue", Broken)
        with pytest.raises(KeyboardInterrupt):
            lane.submit(unit(2))
    waiting = background(lambda: lane.submit(unit(3)))
    eventually(lambda: len(lane._waiting) == 2 and lane._waiting[1].bell is not None)
    storage.goes_on.set()
    assert first.result(DEADLINE_S) is STORED
    assert waiting.result(DEADLINE_S) is STORED
    assert storage.stored == [1, 3]
