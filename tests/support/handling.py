"""What the tests of the handlers are written with: handlers that keep their calls, and a clock."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import msgspec

from ledger import AsyncLedger, Event, Ledger
from projections import AsyncHandlers, Handler, Handlers, HandlerSuperseded
from tests.support.blocking import Blocking


class Calls:
    """A handler's function, which keeps its calls and fails at the sequences in `failing`."""

    def __init__(self, *failing: int, error: type[BaseException] = ZeroDivisionError) -> None:
        self.failing = {*failing}
        self.error = error
        self.events: list[Event] = []
        self.keys: list[str] = []

    def __call__(self, event: Event, key: str) -> None:
        if event.sequence in self.failing:
            raise self.error("poison")
        self.events.append(event)
        self.keys.append(key)

    @property
    def sequences(self) -> list[int]:
        return [event.sequence for event in self.events]


class Clock:
    """A clock that stands still until somebody moves it; it breaks after some looks, if told to."""

    def __init__(self, error: type[BaseException] | None = None) -> None:
        self.now = 1_000.0
        self.looks_left: int | None = None
        self.error = error or Crashed

    def __call__(self) -> float:
        if self.looks_left is not None:
            self.looks_left -= 1
            if self.looks_left < 0:
                raise self.error
        return self.now


class Crashed(Exception):
    """Stands for the end of a process: nothing is cleaned up behind it."""


def handler(handle: Callable[[Event, str], Any], name: str = "notify", **options: Any) -> Handler:
    """Return a handler of the whole log, in its first version unless said otherwise."""
    given: dict[str, Any] = {"version": 1, "start": "beginning"} | options
    return Handler(name=name, handle=handle, **given)


def handlers_of(ledger: Any, *handlers: Handler, **options: Any) -> Any:
    """Return a runner for a ledger of either style; functions become async ones where needed."""
    if isinstance(ledger, Blocking):
        tasks = [msgspec.structs.replace(one, handle=as_task(one.handle)) for one in handlers]
        return Blocking(AsyncHandlers(ledger._target, tasks, **options), ledger._loop)
    return Handlers(ledger, handlers, **options)


def as_task(handle: Callable[[Event, str], Any]) -> Callable[[Event, str], Awaitable[None]]:
    """Return a plain function as an async one."""

    async def call(event: Event, key: str) -> None:
        handle(event, key)

    return call


#: What a child that is killed may call again, at most, and how long its claim outlives it.
KILLED_PACE: dict[str, Any] = {"repeats_max": 5, "checkpoint_s": 0.1, "claim_s": 0.6}
_EFFECT_S = 0.002


def handle_until_killed(url: str, path: str, version: int, pipe: Connection) -> None:
    """Write version, key and face of each call to a file; says when the ledger is open."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(event: Event, key: str) -> None:
        time.sleep(_EFFECT_S)  # what an effect outside takes, so that many are killed within one
        os.write(file, f"{version} {key} thread\n".encode())

    with Ledger.open(url) as opened:
        runner = Handlers(opened, [handler(write, version=version)], **KILLED_PACE)
        pipe.send("open")
        with suppress(HandlerSuperseded):  # told to old versions, which then have done their work
            runner.watch()


def handle_in_tasks_until_killed(url: str, path: str, version: int, pipe: Connection) -> None:
    """Do as handle_until_killed in a task."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def write(event: Event, key: str) -> None:
        await asyncio.sleep(_EFFECT_S)
        os.write(file, f"{version} {key} task\n".encode())

    async def work() -> None:
        async with await AsyncLedger.open(url) as opened:
            runner = AsyncHandlers(opened, [handler(write, version=version)], **KILLED_PACE)
            pipe.send("open")
            with suppress(HandlerSuperseded):
                await runner.watch()

    asyncio.run(work())
