"""Closing a file, whatever became of the threads that it takes."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ledger import AsyncLedger, Ledger, NewEvent
from tests.support.builders import DEADLINE_S, background, eventually

TRIES = 30


def names(path: Path) -> list[str]:
    return [one.name for one in path.parent.iterdir()]


async def used(path: Path) -> AsyncLedger:
    """Return an open ledger, whose event loop has one thread and none of it started yet."""
    ledger = await AsyncLedger.open(f"sqlite:///{path}")
    await ledger.append("s", NewEvent({}, "note"))
    assert await ledger.read("nothing", wait=0.01) == []
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1, "asyncio"))
    return ledger


async def closed_behind_others(path: Path) -> None:
    ledger = await used(path)
    free = threading.Event()
    busy = asyncio.get_running_loop().run_in_executor(None, free.wait, DEADLINE_S)
    closing = asyncio.ensure_future(ledger.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    free.set()
    await busy


async def closed_without_threads(path: Path) -> None:
    ledger = await used(path)

    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        await ledger.close()
    await asyncio.to_thread(int)  # behind what the loop has queued all the same


@pytest.mark.parametrize("close", [closed_behind_others, closed_without_threads])
def test_a_file_is_closed_whatever_becomes_of_the_call(
    path: Path, close: Callable[[Path], Coroutine[Any, Any, None]]
) -> None:
    asyncio.run(close(path))
    assert names(path) == ["ledger.db"]
    assert not [one.name for one in threading.enumerate() if one.name == "ledger-watcher"]


def test_a_file_is_closed_whose_watcher_was_interrupted_as_it_started(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger.open(f"sqlite:///{path}")
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ledger.read("s", wait=DEADLINE_S)
    assert ledger.read("s", wait=0.01) == []  # starts another one
    background(ledger.close).result(DEADLINE_S)
    eventually(lambda: names(path) == ["ledger.db"])


def test_a_file_can_be_opened_while_another_thread_closes_it(path: Path) -> None:
    url, wal = f"sqlite:///{path}", path.with_name(f"{path.name}-wal")
    for sequence in range(1, TRIES + 1):
        ledger = Ledger.open(url)
        assert ledger.append("s", NewEvent({}, "note")).sequence == sequence
        closing = background(ledger.close)
        while wal.exists() and not closing.done():
            pass  # it goes amid the closing, at a moment that is over at once
        Ledger.open(url).close()
        closing.result(DEADLINE_S)
