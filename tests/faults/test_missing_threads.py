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
        if thread.name.startswith(("ledger-notifier", "ledger-watcher", "ledger-append")):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    return monkeypatch


def test_an_append_is_stored_and_acknowledged_or_neither(
    open_ledger: Open, few_threads: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger()
    acknowledged = []
    for _ in range(2):
        with suppress(RuntimeError):  # tasks append to a file in a thread
            acknowledged.append(ledger.append("s", NewEvent({}, "note")).sequence)
    few_threads.undo()
    acknowledged.append(ledger.append("s", NewEvent({}, "note")).sequence)
    assert [event.sequence for event in ledger.read("s")] == acknowledged


@pytest.mark.usefixtures("few_threads")
def test_a_ledger_that_could_not_append_closes(open_ledger: Open) -> None:
    ledger = open_ledger()
    with suppress(RuntimeError):
        ledger.append("s", NewEvent({}, "note"))
    ledger.close()


def test_waiting_tells_and_can_be_tried_again(
    open_ledger: Open, loop: object, few_threads: pytest.MonkeyPatch
) -> None:
    ledger, other = open_ledger(), open_ledger()
    if loop is None or ledger.backend.where.startswith("sqlite:"):  # else it waits in a task
        with pytest.raises(RuntimeError, match="new thread"):
            ledger.read("s", wait=DEADLINE_S)
    few_threads.undo()
    found = background(lambda: ledger.read("s", wait=DEADLINE_S))
    other.append("s", NewEvent({}, "note"))
    assert [event.sequence for event in found.result(DEADLINE_S)] == [1]


@pytest.mark.usefixtures("few_threads")
def test_a_ledger_that_could_not_wait_closes(open_ledger: Open) -> None:
    ledger = open_ledger()
    with suppress(RuntimeError):  # it may wait without one
        ledger.read("s", wait=0.01)
    ledger.close()
