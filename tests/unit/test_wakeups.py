"""Wake-ups inside a process: whoever looked at the log before a signal does not wait for another."""

import asyncio
from typing import Any

import pytest

from ledger.wakeups import Wakeups

SESSION = (1, "", "s")
GROWN: list[Any] = [None, [1], [SESSION], [(0, "", "r"), SESSION]]


@pytest.mark.parametrize("grown", GROWN, ids=repr)
@pytest.mark.parametrize("where", [None, 1, SESSION], ids=repr)
def test_a_signal_between_the_look_and_the_wait_is_not_lost(where: Any, grown: Any) -> None:
    wakeups = Wakeups(2)
    token = wakeups.token(where)
    wakeups.signal(grown)
    assert wakeups.wait(where, token, 0) is True
    assert asyncio.run(wakeups.wait_async(where, token, 0)) is True


@pytest.mark.parametrize("where", [None, 1, SESSION], ids=repr)
def test_who_looked_behind_the_last_signal_is_told_that_none_came(where: Any) -> None:
    wakeups = Wakeups(2)
    wakeups.signal()
    token = wakeups.token(where)
    if where is not None:
        wakeups.signal([0])
    assert wakeups.wait(where, token, 0) is False
    assert asyncio.run(wakeups.wait_async(where, token, 0)) is False
