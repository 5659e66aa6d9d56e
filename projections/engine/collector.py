"""The garbage collector, out of the way of what makes many objects and no garbage.

What a page is decoded and folded into are ten thousand dicts and lists that are all needed until
its end. They made the collector run fifteen times a page, through them and now and then through
all that the process has, which took a thirteenth of the time of folding.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Fewer are folded before the collector would have run twice.
EVENTS_MIN = 256


class _Pauses:
    """How many threads want the collector paused; the last of them lets it go on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._resume = False

    def begin(self) -> None:
        with self._lock:
            if self._count == 0:
                self._resume = gc.isenabled()
                gc.disable()
            self._count += 1

    def end(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0 and self._resume:
                gc.enable()

    def end_in_child(self) -> None:
        # Of a process that was forked meanwhile, none of the threads that would end theirs is there.
        resume = self._count > 0 and self._resume
        self.__init__()  # type: ignore[misc]  # the lock may be held by a thread that is not there
        if resume:
            gc.enable()


_pauses = _Pauses()
os.register_at_fork(after_in_child=_pauses.end_in_child)


@contextmanager
def uncollected(events: int) -> Iterator[None]:
    """Do the work on so many events without the collector, if they are many; it waits for nothing.

    It is paused for the whole process, and goes on as it was when the last thread is done.
    """
    if events < EVENTS_MIN:
        yield
        return
    _pauses.begin()
    try:
        yield
    finally:
        _pauses.end()
