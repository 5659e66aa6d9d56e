"""Wake-ups inside one process: hints that the log may have grown, for threads and tasks.

A waiter takes a token, looks at the log, and waits only if the token is still current; a signal
between the look and the wait is therefore never lost. Signals are hints: a spurious one costs a
read, a missing one costs a poll interval, neither costs an event.

Who waits for a session is woken for that session alone, where it is known which one grew. By the
bucket alone each append to a file, which has one, woke all who waited for any of its sessions:
beside 500 of them it took 36 ms.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator

from .records import SessionPlace

Waker = Callable[[], None]
#: What may grow: a session, a bucket, or the log.
Where = SessionPlace | int | None

#: Sessions share counters: who waits for one of two that do is woken for both.
_COUNTERS = 1_024


class Wakeups:
    """Counters of what grew, and the callbacks of those who wait for one of them to change."""

    def __init__(self, buckets: int) -> None:
        self._lock = threading.Lock()
        self._total = 0
        self._buckets = [0] * buckets
        #: Of the signals for a bucket those that name none of its sessions, and of the others.
        self._unnamed = [0] * buckets
        self._sessions = [0] * _COUNTERS
        self._wakers: dict[Where, set[Waker]] = {}

    def token(self, where: Where) -> int:
        """Return how often a session, a bucket or all of them may have grown so far."""
        if where is None:
            return self._total
        if isinstance(where, int):
            return self._buckets[where]
        return self._unnamed[where[0]] + self._sessions[hash(where) % _COUNTERS]

    def signal(self, grown: Iterable[SessionPlace | int] | None = None) -> None:
        """Wake those who wait for these sessions and whole buckets, or everybody; from any thread."""
        with self._lock:
            wakers: set[Waker] = set(self._wakers.get(None, ()))
            whole: set[int] = set()
            for where in range(len(self._buckets)) if grown is None else grown:
                if isinstance(where, int):
                    bucket = where
                    self._unnamed[bucket] += 1
                    whole.add(bucket)
                else:
                    bucket = where[0]
                    self._sessions[hash(where) % _COUNTERS] += 1
                    wakers |= self._wakers.get(where, set())
                self._buckets[bucket] += 1
                wakers |= self._wakers.get(bucket, set())
            if whole:
                for waited_for, waiting in self._wakers.items():
                    if isinstance(waited_for, tuple) and waited_for[0] in whole:
                        wakers |= waiting
            self._total += 1
        for waker in wakers:
            waker()

    def wait(self, where: Where, token: int, timeout_s: float) -> bool:
        """Block until the token of `where` differs from `token`; False when the time ran out."""
        woken = threading.Event()
        with self._registered(where, woken.set):
            if self.token(where) != token:
                return True
            return woken.wait(timeout_s)

    async def wait_async(self, where: Where, token: int, timeout_s: float) -> bool:
        """Wait as `wait` does, without holding a thread."""
        import asyncio  # here, because it is a third of what `import ledger` would cost

        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        def wake() -> None:
            # The loop may be gone when a writer thread signals during shutdown.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(woken.set)

        with self._registered(where, wake):
            if self.token(where) != token:
                return True
            try:
                # Not wait_for: until Python 3.12 it loses a cancellation that comes with the wake-up,
                # and a follower that was told to end went on.
                async with asyncio.timeout(timeout_s):
                    await woken.wait()
            except TimeoutError:
                return False
            return True

    @contextlib.contextmanager
    def _registered(self, where: Where, waker: Waker) -> Iterator[None]:
        with self._lock:
            self._wakers.setdefault(where, set()).add(waker)
        try:
            yield
        finally:
            with self._lock:
                wakers = self._wakers[where]
                wakers.discard(waker)
                if not wakers:
                    del self._wakers[where]
