"""A SQLite file that another process keeps locked: how long an append waits, whoever queued first."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from ledger import AppendTimeout
from tests.support.builders import DEADLINE_S, at_best, background, note, on_sqlite, sequences

TIMEOUT_S = 0.8
#: The slices of a lock's wait that may be ahead of a caller's last one, and the machine.
SLACK_S = 1.5

pytestmark = on_sqlite


def test_a_caller_waits_for_its_own_time_whoever_waited_before_it(
    open_ledger: Callable[..., Any], tmp_path: Path
) -> None:
    ledger = open_ledger(lock_timeout_s=TIMEOUT_S)
    holder = apsw.Connection(str(tmp_path / "ledger.db"))
    holder.execute("BEGIN IMMEDIATE")

    def late(delay_s: float) -> float:
        threading.Event().wait(delay_s)
        started = time.monotonic()
        with pytest.raises(AppendTimeout) as caught:
            ledger.append("s", note())
        assert (caught.value.bucket, caught.value.waited_s) == (0, TIMEOUT_S)
        return time.monotonic() - started

    def longest() -> float:
        callers = [background(lambda d=d: late(d)) for d in (0, 0.1, 0.3, 0.5, 0.7, 0.75)]
        return max(caller.result(DEADLINE_S) for caller in callers)

    assert at_best(longest, TIMEOUT_S + SLACK_S) <= TIMEOUT_S + SLACK_S
    holder.execute("ROLLBACK")
    holder.close()
    assert ledger.append("s", note()).sequence == 1


def test_appends_go_on_when_the_file_is_free_again(
    open_ledger: Callable[..., Any], tmp_path: Path
) -> None:
    ledger = open_ledger()
    holder = apsw.Connection(str(tmp_path / "ledger.db"))
    holder.execute("BEGIN IMMEDIATE")
    appends = [background(lambda: ledger.append("s", note())) for _ in range(8)]
    time.sleep(0.6)  # more than one slice of a lock's wait
    assert not any(append.done() for append in appends)
    holder.execute("ROLLBACK")
    holder.close()
    assert sorted(sequences(append.result(DEADLINE_S) for append in appends)) == list(range(1, 9))
