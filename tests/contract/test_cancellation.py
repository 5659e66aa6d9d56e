"""Tasks that are cancelled end, whatever they wait for, and take nothing with them."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ledger import AsyncLedger, LedgerError
from tests.support.blocking import LoopThread
from tests.support.builders import DEADLINE_S, FOREVER_S, note, only_async

TRIES = 12


async def read_on(ledger: AsyncLedger, session: str) -> None:
    """Wait for one event after the other."""
    after = 0
    while True:
        for event in await ledger.read(session, after=after, wait=FOREVER_S):
            after = event.sequence


async def follow(ledger: AsyncLedger, session: str) -> None:
    """Follow a session."""
    async for _ in ledger.follow(session):
        pass


@only_async
@pytest.mark.parametrize("wait", [read_on, follow])
def test_who_is_cancelled_as_it_is_woken_ends(
    url: str, loop: LoopThread, wait: Callable[[AsyncLedger, str], Awaitable[None]]
) -> None:
    async def scenario() -> None:
        async with await AsyncLedger.open(url) as ledger:
            for turns in range(TRIES):
                session = f"s{turns}"
                waiting = asyncio.ensure_future(wait(ledger, session))
                await ledger.append(session, note("seen"))
                await asyncio.sleep(0.01)
                await ledger.append(session, note("last"))
                for _ in range(turns % 3):
                    await asyncio.sleep(0)
                waiting.cancel()
                _, left = await asyncio.wait([waiting], timeout=DEADLINE_S)
                assert left == set(), f"it goes on, in try {turns}"
                assert waiting.cancelled()

    loop.run(scenario())


@only_async
def test_deadlines_of_many_leave_the_ledger_as_it_was(url: str, loop: LoopThread) -> None:
    async def scenario() -> None:
        async with await AsyncLedger.open(url, pool_size=2, lanes=1) as ledger:
            stored = 0

            async def client(number: int) -> None:
                nonlocal stored
                for turn in range(10):
                    try:
                        async with asyncio.timeout(((number + turn) % 7) / 1_000):
                            await ledger.append("s", note())
                            await ledger.read("s", limit=1)
                    except TimeoutError:
                        continue
                    stored += 1

            await asyncio.gather(*map(client, range(20)))
            calls = [ledger.read("s", limit=1) for _ in range(20)]
            async with asyncio.timeout(DEADLINE_S):
                answers = await asyncio.gather(*calls, return_exceptions=True)
            assert not [one for one in answers if isinstance(one, LedgerError)]
            assert await ledger.head("s") >= stored
            assert (await ledger.verify()).ok

    loop.run(scenario())
