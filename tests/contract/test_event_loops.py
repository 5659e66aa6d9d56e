"""An async ledger is one event loop's; what another one is told, and when it is free for the next."""

import asyncio

import pytest

from ledger import AsyncLedger, OtherEventLoop
from tests.support.blocking import LoopThread
from tests.support.builders import DEADLINE_S, note, only_async


@only_async
def test_an_append_from_another_loop_is_refused_instead_of_waiting_for_ever(
    url: str, loop: LoopThread
) -> None:
    async def appended(ledger: AsyncLedger) -> int:
        async with asyncio.timeout(DEADLINE_S):
            return (await ledger.append("s", note())).sequence

    ledger = loop.run(AsyncLedger.open(url))
    assert loop.run(appended(ledger)) == 1
    other = LoopThread()
    try:
        with pytest.raises(OtherEventLoop, match="Open a ledger in each"):
            other.run(appended(ledger))
        if url.startswith("postgresql:"):
            with pytest.raises(OtherEventLoop, match="connections are another event loop's"):
                other.run(ledger.read("s"))
            with pytest.raises(OtherEventLoop, match="connections are another event loop's"):
                other.run(ledger.close())
    finally:
        other.stop()
    assert loop.run(appended(ledger)) == 2
    loop.run(ledger.close())


@only_async
@pytest.mark.usefixtures("loop")
def test_closing_again_does_nothing_in_another_loop_either(url: str) -> None:
    async def closed() -> AsyncLedger:
        ledger = await AsyncLedger.open(url)
        await ledger.append("s", note())
        assert await ledger.read("nothing", wait=0.01) == []
        await ledger.close()
        return ledger

    ledger = asyncio.run(closed())
    asyncio.run(ledger.close())
