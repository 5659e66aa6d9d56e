"""Statements that an operator or a server's time-out cancels while they wait for a lock."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.support.blocking import Blocking
from tests.support.builders import (
    DEADLINE_S,
    background,
    eventually,
    note,
    on_postgres,
    texts,
)

#: So that at least one hits a statement: a try waits for a quarter of a second, then the next does.
CANCELLED = 8
CANCEL = """
    SELECT pg_cancel_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""

pytestmark = on_postgres


@pytest.mark.parametrize("callers", [1, 3])
def test_appends_go_on_waiting_for_a_lock_when_a_statement_is_cancelled(
    open_ledger: Callable[..., Any], outbox: Any, url: str, callers: int
) -> None:
    ledger = open_ledger(lock_timeout_s=10 * DEADLINE_S)
    connection = outbox._target if isinstance(outbox, Blocking) else outbox
    ledger.append("s", note("from the outbox"), connection=connection)
    waiting = [background(lambda: ledger.append("s", note("behind"))) for _ in range(callers)]
    with psycopg.connect(url, autocommit=True) as admin:
        for _ in range(CANCELLED):
            eventually(lambda: admin.execute(CANCEL).fetchall())
    assert not any(append.done() for append in waiting)
    outbox.commit()
    assert sorted(append.result(DEADLINE_S).sequence for append in waiting) == [
        *range(2, callers + 2)
    ]
    assert texts(ledger.read("s")) == ["from the outbox", *["behind"] * callers]
