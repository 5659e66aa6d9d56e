"""Writers that are killed outright: whatever they had been told is there, nothing is there half."""

import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.builders import only_sync, whole_feed
from tests.support.claims import Claims, batch, check_batches, claim_of
from tests.support.processes import Child, child
from tests.support.workers import write

THREADS = 3
#: The time from the fork to a kill; the ledger is open after a few hundredths of a second.
LIFETIME_MAX_S = {"sqlite": 0.12, "postgresql": 0.25}

pytestmark = only_sync  # a killed process takes threads and tasks alike


def heard_until(running: Child, moment: float, claims: Claims) -> None:
    """Take what a writer reports until a moment of the monotonic clock."""
    while (left_s := moment - time.monotonic()) > 0:
        if running.pipe.poll(left_s):
            claims.add(running.answer())


def check_kills(open_ledger: Callable[..., Any], url: str, seed: int, kills: int) -> None:
    chance = random.Random(seed)
    lifetime_max_s = LIFETIME_MAX_S[url.partition(":")[0]]
    ledger, claims = open_ledger(), Claims()
    cursor = None
    killed_while_writing = 0
    for number in range(kills):
        before = len(claims)
        with child(write, url, f"victim-{number}", seed, THREADS, None) as victim:
            if number % 2:  # so that a slow machine kills in the middle of appends, too
                claims.add(victim.answer())
            heard_until(victim, time.monotonic() + chance.uniform(0, lifetime_max_s), claims)
            victim.kill()
            for answer in victim.said():
                claims.add(answer)
        killed_while_writing += len(claims) > before
        claims.add([claim_of(ledger.append("survivor", batch(f"survivor:{number}", 1)[0]))])
        new = ledger.feed(cursor, limit=100_000)
        check_batches(new.events)
        cursor = new.cursor
    claims.check(ledger)
    assert killed_while_writing >= kills // 2
    print(f"{killed_while_writing} of {kills} were killed after their first answer.")


@pytest.mark.parametrize("seed", [1, 2])
def test_fifty_writers_killed_at_any_moment_leave_every_answer_true(
    open_ledger: Callable[..., Any], url: str, seed: int
) -> None:
    check_kills(open_ledger, url, seed, kills=50)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3, 9))
def test_hundreds_of_writers_killed_at_any_moment_leave_every_answer_true(
    open_ledger: Callable[..., Any], url: str, seed: int
) -> None:
    check_kills(open_ledger, url, seed, kills=200)


def test_a_killed_neighbour_does_not_disturb_a_writer(
    open_ledger: Callable[..., Any], url: str
) -> None:
    ledger, claims = open_ledger(), Claims()
    with (
        child(write, url, "victim", 1, THREADS, None) as victim,
        child(write, url, "neighbour", 1, THREADS, 60) as neighbour,
    ):
        claims.add(victim.answer())
        claims.add(neighbour.answer())
        victim.kill()
        for answer in [*victim.said(), *neighbour.said()]:
            claims.add(answer)
    events = claims.check(ledger)
    neighbours = {event.data["batch"] for event in events if "neighbour" in event.data["batch"]}
    assert len(neighbours) == 60 * THREADS
    assert len(whole_feed(ledger)) == len(events)
