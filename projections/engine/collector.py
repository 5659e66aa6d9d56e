"""The garbage collector, out of the way of what makes many objects and no garbage.

What a page is decoded and folded into are ten thousand dicts and lists that are all needed until
its end. They made the collector run fifteen times a page, through them and now and then through
all that the process has, which took a thirteenth of the time of folding.
"""

from __future__ import annotations

import gc
import os
import threading

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
            self._count += 1
            if self._count == 1:
                self._resume = gc.isenabled()
                gc.disable()

    def end(self) -> None:
        with self._lock:
            if self._count:  # else it was begun before a fork, which has ended it
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


class Uncollected:
    """For the length of a with statement, work on so many events without the collector.

    It is paused for the whole process, if they are many, and goes on as it was when the last thread
    is done. Who waits in between lets it go on meanwhile: what is never woken would never end.
    """

    __slots__ = ("_many", "_pausing")

    def __init__(self, events: int) -> None:
        self._many = events >= EVENTS_MIN
        self._pausing = False

    def __enter__(self) -> Uncollected:
        try:
            self.pause()
        except BaseException:
            self.resume()  # Ctrl-C between any two lines must not leave it off
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.resume()

    def pause(self) -> None:
        """Pause it, again if it was let go on."""
        if self._many and not self._pausing:
            self._pausing = True
            _pauses.begin()

    def resume(self) -> None:
        """Let it go on, unless others want it paused."""
        if self._pausing:
            self._pausing = False
            _pauses.end()
