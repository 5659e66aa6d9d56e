"""Processes killed while they create a ledger: the next one that opens it finds or makes a whole one."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger import Ledger
from tests.support.builders import note
from tests.support.processes import Child, child
from tests.support.workers import open_only

KILLS = 30
LIFETIME_MIN_S = 0.001


def time_to_open(url: str) -> float:
    """Return how long a child takes from its start to an open ledger that did not exist before."""
    with child(open_only, url, "measured") as opener:
        assert opener.answer() == "started"
        started = time.monotonic()
        assert opener.answer() == "opened"
        return time.monotonic() - started


def killed_within(opener: Child, lifetime_s: float) -> bool:
    """Kill a child some time after it began to open; return whether it had opened by then."""
    assert opener.answer() == "started"
    opener.pipe.poll(lifetime_s)
    opener.kill()
    return "opened" in opener.said()


def check_kills(seed: int, place: Callable[[int], tuple[str, str]], first_url: str) -> None:
    chance = random.Random(seed)
    lifetime_max_s = time_to_open(first_url)
    too_late = 0
    for number in range(KILLS):
        url, schema = place(number)
        with child(open_only, url, schema) as opener:
            lifetime_s = chance.uniform(0, lifetime_max_s)
            if killed_within(opener, lifetime_s):
                too_late += 1
                # The machine has become faster: aim at what it needs now.
                lifetime_max_s = max(lifetime_s, LIFETIME_MIN_S)
        with Ledger.open(url, schema=schema, buckets=64) as ledger:
            assert ledger.append("s", note("after the kill")).sequence == 1
            assert ledger.verify().ok
    print(f"{KILLS - too_late} of {KILLS} were killed before the ledger was open.")
    assert too_late < KILLS * 2 / 3


@pytest.mark.parametrize("seed", [1])
def test_a_kill_while_a_file_becomes_a_ledger_leaves_it_to_the_next_process(
    tmp_path: Path, seed: int
) -> None:
    def place(number: int) -> tuple[str, str]:
        return f"sqlite:///{tmp_path}/{number}.db", "ledger"

    check_kills(seed, place, f"sqlite:///{tmp_path}/first.db")


@pytest.mark.parametrize("seed", [1])
def test_a_kill_while_a_schema_becomes_a_ledger_leaves_it_to_the_next_process(
    postgres_url: str, seed: int
) -> None:
    check_kills(seed, lambda number: (postgres_url, f"ledger_{number}"), postgres_url)


def test_many_processes_that_create_one_ledger_at_once_open_the_same(
    open_ledger: Callable[..., Any], url: str
) -> None:
    openers = [Child(open_only, url, "ledger") for _ in range(6)]
    try:
        assert [[opener.answer(), opener.answer()] for opener in openers] == [
            ["started", "opened"]
        ] * len(openers)
    finally:
        for opener in openers:
            opener.close()
    assert open_ledger(buckets=64).append("s", note("first")).sequence == 1
