"""A process that gets no more threads, as where a container allows few."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from ledger import NewEvent
from tests.support.builders import DEADLINE_S, background

Open = Callable[..., Any]


@pytest.fixture
def few_threads(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No thread of a ledger's starts until this is undone."""
    start = threading.Thread.start

    def refused(thread: threading.Thread) -> None:
        if thread.name in ("ledger-notifier", "ledger-watcher"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    return monkeypatch


@pytest.mark.usefixtures("few_threads")
def test_what_is_stored_is_acknowledged_and_the_ledger_closes(open_ledger: Open) -> None:
    ledger = open_ledger()
    assert [ledger.append("s", NewEvent({}, "note")).sequence for _ in range(2)] == [1, 2]
    ledger.close()


def test_waiting_tells_and_can_be_tried_again(
    open_ledger: Open, loop: object, few_threads: pytest.MonkeyPatch
) -> None:
    ledger, other = open_ledger(), open_ledger()
    ledger.append("s", NewEvent({}, "note"))
    if loop is None or ledger.backend.where.startswith("sqlite:"):  # else it waits in a task
        with pytest.raises(RuntimeError, match="new thread"):
            ledger.read("s", after=1, wait=DEADLINE_S)
    few_threads.undo()
    found = background(lambda: ledger.read("s", after=1, wait=DEADLINE_S))
    other.append("s", NewEvent({}, "note"))
    assert [event.sequence for event in found.result(DEADLINE_S)] == [2]


@pytest.mark.usefixtures("few_threads")
def test_a_ledger_that_could_not_wait_closes(open_ledger: Open) -> None:
    ledger = open_ledger()
    with suppress(RuntimeError):  # it may wait without one
        ledger.read("s", wait=0.01)
    ledger.close()
