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
    """The threads that want the collector paused; the last of them lets it go on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: set[int] = set()
        self._resume = False

    # Ctrl-C may come between any two lines. A thread is known before it pauses and until it goes
    # on, so that what was interrupted is ended by the thread's next pause, if not before.
    def begin(self, thread: int) -> None:
        with self._lock:
            if not self._threads:
                self._resume = gc.isenabled()
            self._threads.add(thread)
            if self._resume:
                gc.disable()

    def end(self, thread: int) -> None:
        with self._lock:
            if self._resume and self._threads == {thread}:
                gc.enable()
            self._threads.discard(thread)

    def end_in_child(self) -> None:
        # Of what was forked meanwhile, none of the threads that would go on is there.
        resume = self._resume and bool(self._threads)
        self.__init__()  # type: ignore[misc]  # the lock may be held by a thread that is gone
        if resume:
            gc.enable()


_pauses = _Pauses()
os.register_at_fork(after_in_child=_pauses.end_in_child)


class Uncollected:
    """For the length of a with statement, work on so many events without the collector.

    It is paused for the whole process, if they are many, and goes on as it was when the last thread
    is done. Who waits in between lets it go on meanwhile: what is never woken would never end.
    """

    __slots__ = ("_many", "_thread")

    def __init__(self, events: int) -> None:
        self._many = events >= EVENTS_MIN
        self._thread: int | None = None

    def __enter__(self) -> Uncollected:
        try:
            self.pause()
        except BaseException:
            self.resume()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.resume()

    def __del__(self) -> None:
        self.resume()  # for one whose __exit__ was interrupted as it began

    def pause(self) -> None:
        """Pause it, again if it was let go on."""
        if self._many:
            self._thread = threading.get_ident()
            _pauses.begin(self._thread)

    def resume(self) -> None:
        """Let it go on, unless others want it paused."""
        if self._thread is not None:
            _pauses.end(self._thread)
            self._thread = None
