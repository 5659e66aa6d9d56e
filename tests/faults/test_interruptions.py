"""Callers that are interrupted or cancelled in the middle of an append; their neighbours go on."""

import asyncio
import itertools
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import apsw
import psycopg
import pytest

from ledger import AsyncLedger, Ledger
from tests.support.blocking import LoopThread
from tests.support.builders import (
    DEADLINE_S,
    background,
    eventually,
    note,
    notes,
    only_async,
    only_sync,
    sequences,
    texts,
    whole_feed,
)

INTERRUPTIONS = 150
NEIGHBOURS = 4


class Interruption(KeyboardInterrupt):
    """What Ctrl-C does to the main thread, told apart from a real one."""


class Interrupter:
    """Raises Interruption in the main thread, inside the block that asks for it and nowhere else."""

    def __init__(self) -> None:
        self._armed = False
        self._closed = False
        self._lock = threading.Lock()
        self.landed = 0
        self._before = signal.signal(signal.SIGUSR1, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._armed:
            self._armed = False
            self.landed += 1
            raise Interruption

    def call(self, function: Callable[[], Any]) -> Any:
        """Return what a call returns, or None when it was interrupted."""
        try:
            self._armed = True
            answer = function()
            self._armed = False
        except Interruption:
            return None
        except BaseException:
            self._armed = False
            raise
        return answer

    def interrupt(self) -> None:
        """Interrupt the main thread if it is inside `call`."""
        main = threading.main_thread().ident
        assert main is not None
        with self._lock:
            # Without our handler the signal would end the process.
            assert not self._closed
            signal.pthread_kill(main, signal.SIGUSR1)

    def close(self) -> None:
        with self._lock:
            self._closed = True
        signal.signal(signal.SIGUSR1, self._before)


@pytest.fixture
def interrupter() -> Iterator[Interrupter]:
    interrupter = Interrupter()
    yield interrupter
    interrupter.close()


@pytest.fixture
def patient_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a blocked round stay in its lane, where what goes on around it can be looked at."""
    monkeypatch.setattr("ledger.options.LOCK_SLICE_S", DEADLINE_S)


@contextmanager
def appends_blocked(url: str) -> Iterator[None]:
    """Hold what every append to the ledger needs."""
    if url.startswith("sqlite:"):
        holder = apsw.Connection(url.removeprefix("sqlite:///"))
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")
        holder.close()
    else:
        with psycopg.connect(url) as connection:
            connection.execute("LOCK TABLE ledger.buckets IN EXCLUSIVE MODE")
            yield


@only_sync
@pytest.mark.usefixtures("patient_lanes")
def test_an_interrupted_leader_leaves_its_followers_their_appends(
    open_ledger: Callable[..., Any], url: str, interrupter: Interrupter
) -> None:
    ledger: Ledger = open_ledger(lanes=1, lock_timeout_s=4 * DEADLINE_S)
    # Which thread leads is visible nowhere else.
    [lane] = ledger._commits._lanes

    def followers_then_interruption() -> list[int]:
        eventually(lambda: lane._turn.locked() and not lane._waiting)
        followers = [
            background(lambda text=text: ledger.append("s", note(text))) for text in ("a", "b", "c")
        ]
        eventually(lambda: len(lane._waiting) == 3)
        interrupter.interrupt()
        interrupted.wait(DEADLINE_S)
        released.wait(DEADLINE_S)
        return sorted(follower.result(DEADLINE_S).sequence for follower in followers)

    released, interrupted = threading.Event(), threading.Event()
    with appends_blocked(url):
        helper = background(followers_then_interruption)
        assert interrupter.call(lambda: ledger.append("leader", note("mine"))) is None
        interrupted.set()
        assert interrupter.landed == 1
    released.set()
    assert helper.result(4 * DEADLINE_S) == [1, 2, 3]
    assert sorted(texts(ledger.read("s"))) == ["a", "b", "c"]
    assert ledger.verify().ok


@only_sync
@pytest.mark.usefixtures("patient_lanes")
def test_what_an_interrupted_caller_left_in_the_queue_is_not_stored_later(
    open_ledger: Callable[..., Any], url: str, interrupter: Interrupter
) -> None:
    ledger: Ledger = open_ledger(lanes=1, lock_timeout_s=4 * DEADLINE_S)
    [lane] = ledger._commits._lanes
    with appends_blocked(url):
        leader = background(lambda: ledger.append("s", note("leader")))
        eventually(lambda: lane._turn.locked() and not lane._waiting)

        def interrupt_when_queued() -> None:
            eventually(lambda: len(lane._waiting) == 1)
            interrupter.interrupt()

        helper = background(interrupt_when_queued)
        assert interrupter.call(lambda: ledger.append("s", note("interrupted"))) is None
        helper.result(DEADLINE_S)
    assert leader.result(DEADLINE_S).sequence == 1
    assert ledger.append("s", note("next")).sequence == 2
    assert texts(ledger.read("s")) == ["leader", "next"]


@only_sync
@pytest.mark.parametrize("seed", [1, 2])
def test_a_thread_interrupted_at_any_moment_harms_no_other(
    open_ledger: Callable[..., Any], interrupter: Interrupter, seed: int
) -> None:
    ledger: Ledger = open_ledger(lanes=1)
    over = threading.Event()

    def neighbour(name: str) -> int:
        count = 0
        while not over.is_set():
            assert ledger.append(name, note(event_id=f"{count}")).sequence == count + 1
            count += 1
        return count

    def pester() -> None:
        chance = random.Random(seed)
        while interrupter.landed < INTERRUPTIONS and not over.is_set():
            # Not to synchronise: the moment is what is being drawn.
            over.wait(chance.uniform(0, 0.004))
            interrupter.interrupt()
        over.set()

    neighbours = [
        background(lambda name=name: neighbour(name)) for name in map(str, range(NEIGHBOURS))
    ]
    pestering = background(pester)
    number = 0
    while not over.is_set():
        events = notes("xyz"[: 1 + number % 3])
        if interrupter.call(lambda events=events: ledger.append("main", events)) is None:
            ledger.append("main", events)
        number += len(events)
    pestering.result(DEADLINE_S)
    counts = [append.result(DEADLINE_S) for append in neighbours]
    assert ledger.head("main") == number
    assert len(whole_feed(ledger)) == number + sum(counts)
    assert ledger.verify().ok


@only_async
def test_a_cancelled_append_leaves_its_neighbours_theirs(
    open_ledger: Callable[..., Any], url: str, loop: LoopThread
) -> None:
    ledger: AsyncLedger = open_ledger(lock_timeout_s=4 * DEADLINE_S)._target
    mine = note("mine")

    async def act() -> list[int]:
        neighbours: list[asyncio.Task[Any]] = []
        with appends_blocked(url):
            cancelled = asyncio.create_task(ledger.append("s", mine))
            neighbours += [asyncio.create_task(ledger.append("s", note())) for _ in range(3)]
            await asyncio.sleep(0)
            # In flight: the one round with all of them has been handed to the backend.
            while any(lane._waiting for lane in ledger._commits._lanes):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
        async with asyncio.timeout(DEADLINE_S):
            answers = await asyncio.gather(*neighbours)
            again = await ledger.append("s", mine)
            assert again.event == await ledger.get("s", mine.event_id)
            assert (await ledger.verify()).ok
            assert sequences(await ledger.read("s")) == [1, 2, 3, 4]
        return sorted({answer.sequence for answer in answers} | {again.sequence})

    assert loop.run(act()) == [1, 2, 3, 4]


@only_async
@pytest.mark.parametrize("seed", [1, 2])
def test_tasks_cancelled_at_any_moment_harm_no_other(
    open_ledger: Callable[..., Any], loop: LoopThread, seed: int
) -> None:
    ledger: AsyncLedger = open_ledger()._target
    chance = random.Random(seed)

    async def cancel_later(task: asyncio.Task[Any], steps: int) -> None:
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()

    async def act() -> None:
        cancelled = 0
        # How many are hit depends on the machine's speed; some must be, or nothing was tried.
        for number in itertools.count():
            if number >= 40 and cancelled > 20:
                break
            batches = [notes("xyz"[: chance.randint(1, 3)]) for _ in range(10)]
            tasks = [asyncio.create_task(ledger.append("s", events)) for events in batches]
            await asyncio.gather(
                *(
                    cancel_later(task, chance.randrange(60))
                    for task in tasks
                    if chance.random() < 0.5
                )
            )
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            for events, answer in zip(batches, answers, strict=True):
                if isinstance(answer, asyncio.CancelledError):
                    cancelled += 1
                    await ledger.append("s", events)
                else:
                    assert not isinstance(answer, BaseException), (number, answer)
        assert (await ledger.verify()).ok
        events = await ledger.read("s")
        assert sequences(events) == list(range(1, len(events) + 1))
        assert len({event.event_id for event in events}) == len(events)

    loop.run(act())
