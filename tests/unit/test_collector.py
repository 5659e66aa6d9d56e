"""Pausing the garbage collector leaves it as it was, whatever happens meanwhile."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator

import pytest

from projections.engine.collector import EVENTS_MIN, Uncollected


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    """The collector runs before each test and after it."""
    gc.enable()
    yield
    gc.enable()


def test_it_is_paused_for_many_events_and_goes_on() -> None:
    with Uncollected(EVENTS_MIN):
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_is_not_paused_for_a_few() -> None:
    with Uncollected(EVENTS_MIN - 1):
        assert gc.isenabled()


def test_it_goes_on_after_an_error() -> None:
    with pytest.raises(KeyboardInterrupt), Uncollected(EVENTS_MIN):
        raise KeyboardInterrupt
    assert gc.isenabled()


def test_it_goes_on_if_pausing_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    disable = gc.disable

    def interrupted() -> None:
        disable()
        raise KeyboardInterrupt

    monkeypatch.setattr(gc, "disable", interrupted)
    with pytest.raises(KeyboardInterrupt), Uncollected(EVENTS_MIN):
        pass
    assert gc.isenabled()


def test_it_goes_on_when_what_was_never_left_is_gone() -> None:
    left = Uncollected(EVENTS_MIN).__enter__()
    assert not gc.isenabled()
    del left
    assert gc.isenabled()


def test_it_goes_on_after_the_next_pause_where_one_was_never_left() -> None:
    kept = Uncollected(EVENTS_MIN).__enter__()
    with Uncollected(EVENTS_MIN):
        assert not gc.isenabled()
    assert gc.isenabled()
    kept.resume()
    assert gc.isenabled()


def test_it_stays_off_where_it_was_off() -> None:
    gc.disable()
    with Uncollected(EVENTS_MIN):
        pass
    assert not gc.isenabled()


def test_it_goes_on_when_the_last_thread_is_done() -> None:
    inside, leave = threading.Event(), threading.Event()

    def fold() -> None:
        with Uncollected(EVENTS_MIN):
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=fold)
    with Uncollected(EVENTS_MIN):
        thread.start()
        assert inside.wait(30)
    assert not gc.isenabled()
    leave.set()
    thread.join(30)
    assert gc.isenabled()


def test_it_goes_on_while_something_is_waited_for() -> None:
    with Uncollected(EVENTS_MIN) as collector:
        collector.resume()
        assert gc.isenabled()
        collector.pause()
        assert not gc.isenabled()
        collector.resume()
        collector.resume()
    assert gc.isenabled()


def test_it_goes_on_in_a_child_forked_meanwhile() -> None:
    with Uncollected(EVENTS_MIN) as collector:
        child = os.fork()
        if not child:
            on = [gc.isenabled()]
            collector.resume()
            with Uncollected(EVENTS_MIN):
                on.append(not gc.isenabled())
            os._exit(0 if all((*on, gc.isenabled())) else 1)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert gc.isenabled()
