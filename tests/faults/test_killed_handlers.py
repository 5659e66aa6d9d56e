"""Handlers that are killed outright: every event is handled, few twice, under the same key."""

import random
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.support.builders import DEADLINE_S, background, eventually, only_sync, whole_feed
from tests.support.handling import (
    KILLED_PACE,
    Calls,
    handle_in_tasks_until_killed,
    handle_until_killed,
    handler,
    handlers_of,
)
from tests.support.processes import child
from tests.support.views import TALLY, counted, views_of

SESSION_IDS = [f"s{number}" for number in range(8)]
LANES = 4
KILLS = 5
FACES = (("thread", handle_until_killed), ("task", handle_in_tasks_until_killed))
#: Counted from when the ledger is open in the child; most outlive the claim of one that was killed.
LIFETIME_S = 0.2, 1.2

pytestmark = only_sync  # both faces are under way at once, whoever counts what they did


def faces_in(path: Path) -> set[str]:
    """Return which faces handled something; a line that is being written tells nothing yet."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return {line.split()[2] for line in lines if line.endswith("\n")}


def append_until(over: threading.Event, ledger: Any) -> None:
    """Append batches to some sessions until it is over."""
    chance = random.Random(LANES)
    while not over.is_set():
        ledger.append(
            chance.choice(SESSION_IDS), [counted() for _ in range(chance.randrange(1, 6))]
        )
        over.wait(0.01)


def kill_in_turn(url: str, path: Path, lane: int) -> None:
    """Let one runner after the other live for a while, every second one with tasks.

    The first of each lane lives until its face has handled something: on a busy machine a while may
    be too short for that. The last is of a new version.
    """
    chance = random.Random(lane)
    for number in range(KILLS):
        version = 2 if number == KILLS - 1 else 1
        face, run = FACES[(lane + number) % 2]
        with child(run, url, str(path), version) as victim:
            assert victim.answer() == "open"
            if number == 0:
                eventually(lambda face=face: face in faces_in(path))
            time.sleep(chance.uniform(*LIFETIME_S))  # the victim's lifetime, nothing awaited
            victim.kill()


def test_handlers_killed_at_any_moment_handle_every_event_and_repeat_few(
    open_ledger: Callable[..., Any], url: str, tmp_path: Path
) -> None:
    ledger = open_ledger()
    ledger.append(SESSION_IDS[0], [counted() for _ in range(50)])
    over, path = threading.Event(), tmp_path / "keys"
    writing = background(partial(append_until, over, ledger))
    killing = [background(partial(kill_in_turn, url, path, lane)) for lane in range(LANES)]
    try:
        for one in killing:
            one.result(4 * DEADLINE_S)
    finally:
        over.set()
    writing.result(DEADLINE_S)

    survivor = Calls()
    wanted = handler(survivor, version=2)
    handlers_of(ledger, wanted, **KILLED_PACE).run()
    calls = [line.split() for line in path.read_text().splitlines()]
    keys = [key for _, key, _ in calls] + survivor.keys
    expected = {wanted.key(event) for event in whole_feed(ledger)}
    assert faces_in(path) == {face for face, _ in FACES}
    assert {*keys} == expected
    assert len(keys) - len(expected) <= LANES * KILLS * KILLED_PACE["repeats_max"]
    assert handlers_of(ledger, wanted, **KILLED_PACE).run().called == 0
    views = views_of(ledger, TALLY)
    views.catch_up()
    assert views.status(lag_seconds_max=0).healthy
