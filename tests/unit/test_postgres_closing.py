"""Ledgers that are closed at any moment, or never: nothing of them stays."""

import asyncio
import gc
import random
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from psycopg import AsyncPipeline

from ledger import AsyncLedger, Ledger, NewEvent
from projections import RUNS, SESSIONS, AsyncViews
from tests.support.builders import DEADLINE_S, eventually

ROUNDS = 100
PROMPT_S = 2.0
#: So many of them may meet a machine that stalls.
SLOW_ROUNDS_MAX = 2


async def open_and_close(url: str, chance: random.Random) -> float:
    """Use a ledger, cancel its users at some moment, and return how long closing took."""
    ledger = await AsyncLedger.open(url)
    calls = [ledger.read("nothing", wait=60), ledger.append("s", NewEvent({}, "note"))]
    calls += [anext(ledger.follow()), ledger.read("nothing", wait=60), ledger.head("s")]  # type: ignore[list-item]  # any coroutine
    tasks = [asyncio.ensure_future(call) for call in calls]
    for _ in range(chance.randrange(40)):
        await asyncio.sleep(0)
    await asyncio.sleep(chance.choice((0, 0, 0.001, 0.005, 0.02)))
    for task in chance.sample(tasks, chance.randrange(len(tasks) + 1)):
        task.cancel()
    for _ in range(chance.randrange(5)):
        await asyncio.sleep(0)
    start = time.monotonic()
    await ledger.close()
    took_s = time.monotonic() - start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return took_s


@pytest.mark.parametrize("seed", [1])
def test_closing_leaves_no_task_behind_whoever_was_cancelled(postgres_url: str, seed: int) -> None:
    async def scenario() -> list[float]:
        chance = random.Random(seed)
        times = []
        for number in range(ROUNDS):
            times.append(await open_and_close(postgres_url, chance))
            if ending := asyncio.all_tasks() - {asyncio.current_task()}:
                _, left = await asyncio.wait(ending, timeout=DEADLINE_S)
                assert left == set(), f"round {number}"
        return times

    slow = [took_s for took_s in asyncio.run(scenario()) if took_s >= PROMPT_S]
    assert len(slow) <= SLOW_ROUNDS_MAX, slow


@pytest.mark.parametrize("again", [True, False])
def test_closing_goes_on_if_whoever_waits_is_cancelled(postgres_url: str, again: bool) -> None:
    async def close_cancelled(turns: int) -> None:
        ledger = await AsyncLedger.open(postgres_url)
        await ledger.append("s", NewEvent({}, "note"))
        assert await ledger.read("nothing", wait=0.01) == []
        closing = asyncio.ensure_future(ledger.close())
        for _ in range(turns):
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        if again:
            await ledger.close()
        if ending := asyncio.all_tasks() - {asyncio.current_task()}:
            _, left = await asyncio.wait(ending, timeout=DEADLINE_S)
            assert left == set(), f"after {turns} turns"

    for turns in range(1, 16):
        asyncio.run(close_cancelled(turns))


FAILING = """
import asyncio, sys
from ledger import AsyncLedger, NewEvent

async def main():
    ledger = await AsyncLedger.open(sys.argv[1])
    if sys.argv[2] != "never":
        await ledger.append("s", NewEvent({}, "note"))
        await asyncio.sleep(float(sys.argv[2]))
    raise SystemExit(7)

asyncio.run(main())
"""

FAILING_AMID_VIEWS = """
import asyncio, sys
from ledger import AsyncLedger
from projections import AsyncViews

async def fail():
    await asyncio.sleep(float(sys.argv[2]))
    raise SystemExit(7)

async def main():
    ledger = await AsyncLedger.open(sys.argv[1])
    await asyncio.gather(AsyncViews(ledger).session("s"), fail())

asyncio.run(main())
"""
FAILURES = [
    *((FAILING, delay) for delay in ("never", "0", "0.001", "0.003", "0.01", "0.03")),
    *((FAILING_AMID_VIEWS, delay) for delay in ("0", "0.001", "0.003", "0.006", "0.012")),
]


@pytest.mark.parametrize(
    ("program", "delay"),
    FAILURES,
    ids=[f"{'views' if 'AsyncViews' in program else 'log'}-{delay}" for program, delay in FAILURES],
)
def test_a_program_that_fails_without_closing_ends(
    postgres_url: str, program: str, delay: str
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", program, postgres_url, delay],
        timeout=DEADLINE_S,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (7, "")


def collect(dropped: list[Any]) -> None:
    """Forget the last references, and find the cycles behind them."""
    dropped.clear()
    gc.collect()


def threads() -> list[str]:
    return sorted(one.name for one in threading.enumerate() if one.name.startswith("ledger-"))


def test_a_dropped_ledger_warns_and_its_threads_end(postgres_url: str) -> None:
    before = threads()
    ledger = Ledger.open(postgres_url)
    ledger.append("s", NewEvent({}, "note"))
    ledger.read("s", after=9, wait=0.01)
    assert len(threads()) == len(before) + 2, "a watcher and a notifier"
    dropped = [ledger]
    del ledger
    with pytest.warns(ResourceWarning, match="unclosed ledger"):
        collect(dropped)
    eventually(lambda: threads() == before)


def test_a_dropped_async_ledger_warns_and_its_tasks_end(postgres_url: str) -> None:
    names = {"ledger-watcher", "ledger-notifier"}

    async def scenario() -> None:
        ledger = await AsyncLedger.open(postgres_url)
        await ledger.append("s", NewEvent({}, "note"))
        await ledger.read("s", after=9, wait=0.01)
        assert names <= {task.get_name() for task in asyncio.all_tasks()}
        dropped = [ledger]
        del ledger
        with pytest.warns(ResourceWarning, match="unclosed ledger"):
            collect(dropped)
        ending = [task for task in asyncio.all_tasks() if task.get_name() in names]
        _, left = await asyncio.wait(ending, timeout=DEADLINE_S)
        assert left == set()

    asyncio.run(scenario())


def test_a_closed_ledger_does_not_warn(postgres_url: str, recwarn: pytest.WarningsRecorder) -> None:
    Ledger.open(postgres_url).close()
    gc.collect()
    assert [one for one in recwarn if one.category is ResourceWarning] == []


def test_who_is_cancelled_at_the_pools_lock_takes_no_connection_with_it(postgres_url: str) -> None:
    async def scenario() -> None:
        async with await AsyncLedger.open(postgres_url, pool_size=1, lanes=1) as ledger:
            database: Any = ledger.backend._database  # type: ignore[attr-defined]  # its pools
            pool, guests = database._pool, database._guests

            async def guest() -> None:
                async with ledger.backend.connection():  # type: ignore[attr-defined]  # what views use
                    await asyncio.sleep(0)

            for number in range(4):
                users = [ledger.read("s"), ledger.read("s"), guest(), guest()]
                tasks = [asyncio.ensure_future(user) for user in users]  # type: ignore[var-annotated]  # any coroutine
                await asyncio.sleep(0.001 * number)
                async with pool._lock, guests._lock:
                    await asyncio.sleep(0.02)
                    for task in tasks:
                        task.cancel()
                    await asyncio.sleep(0)
                await asyncio.gather(*tasks, return_exceptions=True)

            def all_are_back() -> bool:
                idle = len(pool._pool) + len(database._parked)
                return (pool._nconns, guests._nconns) == (idle, len(guests._pool))

            async with asyncio.timeout(DEADLINE_S):
                while not all_are_back():  # noqa: ASYNC110  # the pool tells nobody
                    await asyncio.sleep(0.01)
                await asyncio.gather(*(ledger.read("s") for _ in range(4)), guest(), guest())

    asyncio.run(scenario())


def test_who_is_cancelled_as_a_pipeline_begins_leaves_none_to_the_next(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = AsyncPipeline.__aenter__

    async def entered_and_cancelled(pipeline: Any) -> Any:
        monkeypatch.undo()
        await real(pipeline)
        task: Any = asyncio.current_task()
        task.cancel()
        await asyncio.sleep(0)

    async def scenario() -> None:
        async with await AsyncLedger.open(postgres_url, pool_size=1) as ledger:
            views = AsyncViews(ledger, projections=[SESSIONS, RUNS])
            for number in range(5):
                await ledger.append(f"s{number}", NewEvent({}, "session.created"))
            await views.catch_up()
            both = ("sessions", "runs")
            found = await views.together_many(["s1", "s2"], both)
            monkeypatch.setattr(AsyncPipeline, "__aenter__", entered_and_cancelled)
            with pytest.raises(asyncio.CancelledError):
                await asyncio.create_task(views.together_many(["s1", "s2"], both))
            page = await views.sessions_page(limit=50, consistency="eventual")
            assert len(page.items) == 5
            assert await views.together_many(["s1", "s2"], both) == found

    asyncio.run(scenario())


def test_whoever_breaks_off_a_pipeline_of_threads_leaves_none_to_the_next(
    postgres_url: str,
) -> None:
    with Ledger.open(postgres_url, pool_size=1) as ledger:
        lent: Any = ledger.backend.connection  # type: ignore[attr-defined]  # what views use

        def broken_off() -> None:
            with lent() as connection:
                connection.pgconn.enter_pipeline_mode()
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            broken_off()
        with lent() as connection:
            assert connection.execute("SELECT 1").fetchall() == [(1,)]
