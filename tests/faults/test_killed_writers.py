"""Writers that are killed outright: whatever they had been told is there, nothing is there half."""

import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.support.builders import DEADLINE_S, background, only_sync, whole_feed
from tests.support.claims import Claims, batch, check_batches, claim_of
from tests.support.processes import Child, child
from tests.support.workers import write

THREADS = 3
#: Writers that live at the same time: some are killed while their neighbours write.
AT_ONCE = 5
#: The time from the fork to a kill; the ledger is open after a few hundredths of a second.
LIFETIME_MAX_S = {"sqlite": 0.3, "postgresql": 0.6}

pytestmark = only_sync  # a killed process takes threads and tasks alike


def heard_until(running: Child, moment: float, claims: Claims) -> None:
    """Take what a writer reports until a moment of the monotonic clock."""
    while (left_s := moment - time.monotonic()) > 0:
        if running.pipe.poll(left_s):
            claims.add(running.answer())


def killed(
    url: str, name: str, seed: int, *, answered: bool, lifetime_s: float, claims: Claims
) -> bool:
    """Let a writer live so long, and return whether it had reported anything."""
    before = Claims()
    with child(write, url, name, seed, THREADS, None) as victim:
        if answered:
            before.add(victim.answer())
        heard_until(victim, time.monotonic() + lifetime_s, before)
        victim.kill()
        for answer in victim.said():
            before.add(answer)
    claims.update(before)
    return len(before) > 0


def check_kills(open_ledger: Callable[..., Any], url: str, seed: int, kills: int) -> None:
    chance = random.Random(seed)
    lifetime_max_s = LIFETIME_MAX_S[url.partition(":")[0]]
    ledger, claims = open_ledger(), Claims()
    cursor = None
    killed_while_writing = 0
    for first in range(0, kills, AT_ONCE):
        victims = [
            background(
                partial(
                    killed,
                    url,
                    f"victim-{number}",
                    seed,
                    # so that a slow machine kills in the middle of appends, too
                    answered=bool(number % 2),
                    lifetime_s=chance.uniform(0, lifetime_max_s),
                    claims=claims,
                )
            )
            for number in range(first, first + AT_ONCE)
        ]
        killed_while_writing += sum(victim.result(4 * DEADLINE_S) for victim in victims)
        claims.add([claim_of(ledger.append("survivor", batch(f"survivor:{first}", 1)[0]))])
        new = ledger.feed(cursor, limit=100_000)
        check_batches(new.events)
        cursor = new.cursor
    claims.check(ledger)
    assert killed_while_writing >= kills // 2
    print(f"{killed_while_writing} of {kills} were killed after their first answer.")


def test_two_hundred_writers_killed_at_any_moment_leave_every_answer_true(
    open_ledger: Callable[..., Any], url: str
) -> None:
    check_kills(open_ledger, url, seed=1, kills=200)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 9))
def test_a_thousand_writers_killed_at_any_moment_leave_every_answer_true(
    open_ledger: Callable[..., Any], url: str, seed: int
) -> None:
    check_kills(open_ledger, url, seed, kills=1_000)


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
