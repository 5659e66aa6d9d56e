"""How soon a reader knows of a commit in another process, and what waiting costs."""

import random
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.builders import FOREVER_S
from tests.support.processes import Child, child, switching_s
from tests.support.workers import append_on_demand, echo, follow_idly

COMMITS = 25
MEASUREMENTS_MAX = 5
MEDIAN_MAX_S = 0.05
IDLE_S = 5.0
CPU_SHARE_MAX = 0.02

Wait = Callable[[int], float]


def median_delay(writer: Child, waited_for: Wait, first: int) -> float:
    """Return the median time from a commit in the writer's process to its being seen here."""
    chance = random.Random(first)
    delays = []
    for number in range(first, first + COMMITS):
        # Seeded pauses: the waiting begins before the commit, and at any phase of a poll.
        writer.pipe.send(chance.uniform(0.02, 0.06))
        seen = waited_for(number)
        delays.append(seen - writer.answer())
    return statistics.median(delays)


def check_median(url: str, waited_for: Wait, what: str) -> None:
    with child(append_on_demand, url) as writer, child(echo) as echoing:
        assert writer.answer() == "ready"
        medians: list[float] = []
        # A busy machine delays everybody; only a machine that is busy all the time fails.
        while len(medians) < MEASUREMENTS_MAX:
            first = len(medians) * COMMITS
            medians.append(median_delay(writer, waited_for, first))
            print(f"{what}: {medians[-1] * 1000:.1f} ms from commit to reader, median of {COMMITS}")
            if medians[-1] - switching_s(echoing) < MEDIAN_MAX_S:
                return
        raise AssertionError(f"medians in seconds: {medians}")


def test_a_waiting_read_sees_another_process_within_50_ms(
    open_ledger: Callable[..., Any], url: str, loop: Any
) -> None:
    ledger = open_ledger()

    def waited_for(number: int) -> float:
        events = ledger.read("s", after=number, wait=FOREVER_S)
        assert [event.sequence for event in events] == [number + 1]
        return time.monotonic()

    check_median(url, waited_for, f"read, {url[:6]}, {'async' if loop else 'sync'}")


def test_a_follower_sees_another_process_within_50_ms(
    open_ledger: Callable[..., Any], url: str, loop: Any
) -> None:
    follower = iter(open_ledger().follow())

    def waited_for(number: int) -> float:
        assert next(follower).sequence == number + 1
        return time.monotonic()

    check_median(url, waited_for, f"follow, {url[:6]}, {'async' if loop else 'sync'}")


@pytest.fixture
def urls(tmp_path: Path, postgres_url: str) -> dict[str, str]:
    """A ledger of each durable kind that does not exist yet."""
    return {"sqlite": f"sqlite:///{tmp_path}/ledger.db", "postgres": postgres_url}


def cpu_shares(idlers: dict[str, Child]) -> dict[str, float]:
    """Return the share of a core that each child takes while nothing happens."""
    before = {name: idler.ask("cpu") for name, idler in idlers.items()}
    assert not any(idler.pipe.poll(IDLE_S / len(idlers)) for idler in idlers.values())
    return {name: (idler.ask("cpu") - before[name]) / IDLE_S for name, idler in idlers.items()}


def test_an_idle_follower_costs_less_than_2_percent_of_a_core(urls: dict[str, str]) -> None:
    with ExitStack() as stack:
        idlers: dict[str, Child] = {}
        for kind, url in urls.items():
            writer = stack.enter_context(child(append_on_demand, url))
            assert writer.answer() == "ready"
            assert writer.ask(0) > 0
            for style in ("sync", "async"):
                idler = stack.enter_context(child(follow_idly, url, style))
                # It has seen the one event there is, and waits for the next from now on.
                assert idler.answer() == "ready"
                idlers[f"{kind}, {style}"] = idler
            writer.pipe.send(None)
        for _ in range(MEASUREMENTS_MAX):
            shares = cpu_shares(idlers)
            for name, share in shares.items():
                print(f"idle follower, {name}: {share:.2%} of a core")
            if max(shares.values()) < CPU_SHARE_MAX:
                return
    raise AssertionError(f"shares of a core: {shares}")
