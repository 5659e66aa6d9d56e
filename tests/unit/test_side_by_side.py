"""Plans that share their work, in threads and in tasks: whatever ends one ends all."""

import asyncio
import signal
import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import pytest

from ledger.plans import Plan
from projections.backends.side_by_side import in_tasks, in_threads
from tests.support.builders import DEADLINE_S

Step = Callable[[], Any]
_caller: ContextVar[str] = ContextVar("caller", default="nobody")


class Shared:
    """Plans of one step each; a step may wait until the others are told to stop."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self._later = asyncio.Event()
        self.ended: list[str] = []

    def plan(self, name: str, *steps: Step) -> Plan[None]:
        for step in steps:
            yield step()
        self.ended.append(name)

    def stop(self) -> None:
        self.stopped.set()
        self._later.set()

    def until_stopped(self) -> None:
        assert self.stopped.wait(DEADLINE_S)

    async def later_until_stopped(self) -> None:
        await asyncio.wait_for(self._later.wait(), DEADLINE_S)


def raising(error: BaseException) -> Step:
    def step() -> None:
        raise error

    return step


async def in_loop(plans: Sequence[Plan[None]], stop: Callable[[], None]) -> None:
    before = asyncio.all_tasks()
    try:
        await in_tasks(plans, stop)
    finally:
        assert asyncio.all_tasks() == before


def test_what_one_raises_stops_the_others_and_is_raised_when_they_have_ended() -> None:
    for place in (0, 1):
        for error in (ValueError("mine"), SystemExit(3)):
            shared, threads = Shared(), threading.active_count()
            plans = [shared.plan("other", shared.until_stopped), shared.plan("", raising(error))]
            with pytest.raises(type(error)) as raised:
                in_threads(plans[::-1] if place else plans, shared.stop)
            assert (raised.value, shared.ended) == (error, ["other"])
            assert threading.active_count() == threads

        shared, failure = Shared(), ValueError("mine")
        plans = [
            shared.plan("other", shared.later_until_stopped),
            shared.plan("", raising(failure)),
        ]
        with pytest.raises(ValueError, match="mine"):
            asyncio.run(in_loop(plans[::-1] if place else plans, shared.stop))
        assert shared.ended == ["other"]


def test_an_interrupt_of_the_caller_waits_for_the_others_to_end() -> None:
    shared, threads = Shared(), threading.active_count()
    main = threading.main_thread().ident
    assert main is not None
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)

    def interrupt() -> None:
        signal.pthread_kill(main, signal.SIGUSR1)
        shared.until_stopped()

    try:
        with pytest.raises(KeyboardInterrupt):
            in_threads([shared.plan("first"), shared.plan("other", interrupt)], shared.stop)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert "other" in shared.ended
    assert threading.active_count() == threads


def test_a_cancelled_caller_cancels_its_tasks_and_waits_for_them() -> None:
    shared = Shared()

    begun, all_begun = list[str](), asyncio.Event()

    async def never() -> None:
        begun.append("begun")
        if len(begun) == 2:
            all_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            shared.ended.append("cancelled")

    async def cancel() -> None:
        plans = [shared.plan("a", never), shared.plan("b", never)]
        caller = asyncio.create_task(in_tasks(plans, shared.stop))
        await asyncio.wait_for(all_begun.wait(), DEADLINE_S)
        caller.cancel()
        await asyncio.wait([caller])
        assert caller.cancelled()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(cancel())
    assert shared.ended == ["cancelled", "cancelled"]


def test_each_thread_is_in_the_callers_context_and_the_first_does_without_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shared, found = Shared(), list[str]()
    token = _caller.set("me")
    try:
        plans = [shared.plan(one, lambda: found.append(_caller.get())) for one in "ab"]
        in_threads(plans, shared.stop)
    finally:
        _caller.reset(token)
    assert (found, sorted(shared.ended)) == (["me", "me"], ["a", "b"])

    monkeypatch.setattr(
        threading.Thread, "start", lambda thread: raising(RuntimeError("no more threads"))()
    )
    in_threads([shared.plan("alone"), shared.plan("never")], shared.stop)
    assert shared.ended[2:] == ["alone"]
    assert not shared.stopped.is_set()
