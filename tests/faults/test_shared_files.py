"""One SQLite file, several processes with several threads each."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger import AppendTimeout, RetryableError
from tests.support.builders import DEADLINE_S, background, note, on_sqlite, only_sync, texts
from tests.support.claims import Claims
from tests.support.processes import child
from tests.support.workers import hold_write_lock, write

THREADS = 4
WRITES = 100

pytestmark = on_sqlite


@only_sync
def test_two_processes_with_threads_never_meet_a_locked_database(
    open_ledger: Callable[..., Any], url: str
) -> None:
    ledger, claims = open_ledger(), Claims()
    with (
        child(write, url, "one", 1, THREADS, WRITES) as one,
        child(write, url, "two", 1, THREADS, WRITES) as two,
    ):
        for answer in [*one.said(), *two.said()]:
            claims.add(answer)
    events = claims.check(ledger)
    assert len({event.data["batch"] for event in events}) == 2 * THREADS * WRITES


def test_a_lock_held_for_too_long_is_a_timeout_and_the_retry_works(
    open_ledger: Callable[..., Any], url: str
) -> None:
    ledger = open_ledger(lock_timeout_s=0.2)
    late = note("late")
    with child(hold_write_lock, url.removeprefix("sqlite:///")) as holder:
        assert holder.answer() == "held"
        with pytest.raises(AppendTimeout) as caught:
            ledger.append("s", late)
        assert isinstance(caught.value, RetryableError)
        assert ledger.read("s") == []
        assert holder.ask("release") == "released"
    assert ledger.append("s", late).stored
    assert texts(ledger.read("s")) == ["late"]


def test_an_append_waits_for_a_lock_that_is_released_in_time(
    open_ledger: Callable[..., Any], url: str
) -> None:
    ledger = open_ledger()
    with child(hold_write_lock, url.removeprefix("sqlite:///")) as holder:
        assert holder.answer() == "held"
        waiting = background(lambda: ledger.append("s", note("patient")))
        assert not waiting.done()
        assert holder.ask("release") == "released"
        assert waiting.result(DEADLINE_S).sequence == 1
