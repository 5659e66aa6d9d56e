"""Projectors that are killed outright while others fold: no event is lost, none counts twice."""

import random
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from projections import SESSIONS
from tests.support.builders import DEADLINE_S, background, eventually, only_sync, whole_feed
from tests.support.processes import child
from tests.support.projecting import FOLDED, fold, fold_in_tasks
from tests.support.views import TALLY, counted, dropped, folded, stored, views_of

NAMES = "xyz"
SESSION_IDS = [f"s{number}" for number in range(8)]
#: Counted from when the ledger is open in the child.
LIFETIME_MAX_S = 0.25
PROJECTORS = (2, 4)
FACES = (fold, fold_in_tasks)

pytestmark = only_sync  # both faces are under way at once, whoever looks at what they leave behind


def append_until(over: threading.Event, ledger: Any, seed: int) -> None:
    """Append batches to some sessions, deletions among them, until it is over."""
    chance = random.Random(seed)
    while not over.is_set():
        session_id = chance.choice(SESSION_IDS)
        if chance.random() < 0.02:
            ledger.delete(session_id)
            continue
        names = chance.choices(NAMES, k=chance.randrange(1, 6))
        ledger.append(session_id, [counted(name) for name in names])
        if chance.random() < 0.1:
            ledger.append(session_id, dropped(chance.choice(NAMES)))
        over.wait(0.002)


def kill_in_turn(url: str, seed: int, kills: int) -> None:
    """Let one projector after the other live for a while, every second one with tasks.

    The first of those is let live until it has reached the log's end, however slow it is here.
    """
    chance = random.Random(seed)
    for number in range(kills):
        face = FACES[(seed + number) % 2]
        awaited = face is fold_in_tasks and number < len(FACES)
        with child(face, url, 50 if awaited else chance.choice((1, 7, 50))) as victim:
            assert victim.answer() == "open"
            if awaited:
                assert victim.answer() == "caught up"
            time.sleep(chance.uniform(0, LIFETIME_MAX_S))  # the victim's lifetime, nothing awaited
            victim.kill()


def assert_folded_once(ledger: Any, views: Any) -> None:
    """Assert that the tables hold what a fold of the whole log from the start does."""
    events = whole_feed(ledger)
    for projection in (TALLY, SESSIONS):
        expected = folded(projection, events)
        found: dict[Any, Any] = {}
        for session_id in SESSION_IDS:
            found |= stored(views, projection, session_id, consistency="eventual")
        assert found == expected


def check(open_ledger: Callable[..., Any], url: str, projectors: int, kills: int) -> None:
    ledger = open_ledger()
    views = views_of(ledger, *FOLDED)
    views.catch_up()
    over = threading.Event()
    writing = background(partial(append_until, over, ledger, projectors))
    killing = [background(partial(kill_in_turn, url, seed, kills)) for seed in range(projectors)]
    try:
        for one in killing:
            one.result(4 * DEADLINE_S)
    finally:
        over.set()
    writing.result(DEADLINE_S)
    killed_at = views.positions("tally")
    assert sum(killed_at) > 0, "all were killed before they had folded anything"
    with child(FACES[projectors == PROJECTORS[0]], url, 50) as survivor:
        assert survivor.answer() == "open"
        heads = tuple(ledger.backend.positions())
        eventually(lambda: all(views.positions(p.name) == heads for p in FOLDED))
    assert_folded_once(ledger, views)
    assert views.status(lag_seconds_max=None).healthy


@pytest.mark.parametrize("projectors", PROJECTORS)
def test_projectors_killed_at_any_moment_fold_every_event_once(
    open_ledger: Callable[..., Any], url: str, projectors: int
) -> None:
    check(open_ledger, url, projectors, kills=20 // projectors)


@pytest.mark.soak
@pytest.mark.parametrize("projectors", PROJECTORS)
def test_hundreds_of_killed_projectors_fold_every_event_once(
    open_ledger: Callable[..., Any], url: str, projectors: int
) -> None:
    check(open_ledger, url, projectors, kills=60)
