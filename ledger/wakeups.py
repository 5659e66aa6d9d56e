"""Wake-ups inside one process: hints that a bucket may have grown, for threads and tasks.

A waiter takes a token, looks at the log, and waits only if the token is still current; a signal
between the look and the wait is therefore never lost. Signals are hints: a spurious one costs a
read, a missing one costs a poll interval, neither costs an event.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator

Waker = Callable[[], None]


class Wakeups:
    """One generation counter per bucket, and the callbacks of those who wait for it to change."""

    def __init__(self, buckets: int) -> None:
        self._lock = threading.Lock()
        self._generations = [0] * buckets
        self._total = 0
        self._wakers: dict[int | None, set[Waker]] = {}

    def token(self, bucket: int | None) -> int:
        """Return the current generation of a bucket, or of all of them together."""
        return self._total if bucket is None else self._generations[bucket]

    def signal(self, buckets: Iterable[int] | None = None) -> None:
        """Wake those who wait for these buckets, or everybody; callable from any thread."""
        with self._lock:
            touched = range(len(self._generations)) if buckets is None else buckets
            wakers: set[Waker] = set(self._wakers.get(None, ()))
            for bucket in touched:
                self._generations[bucket] += 1
                wakers |= self._wakers.get(bucket, set())
            self._total += 1
        for waker in wakers:
            waker()

    def wait(self, bucket: int | None, token: int, timeout_s: float) -> bool:
        """Block until the generation differs from `token`; False when the time ran out."""
        woken = threading.Event()
        with self._registered(bucket, woken.set):
            if self.token(bucket) != token:
                return True
            return woken.wait(timeout_s)

    async def wait_async(self, bucket: int | None, token: int, timeout_s: float) -> bool:
        """Wait as `wait` does, without holding a thread."""
        import asyncio  # here, because it is a third of what `import ledger` would cost

        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        def wake() -> None:
            # The loop may be gone when a writer thread signals during shutdown.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(woken.set)

        with self._registered(bucket, wake):
            if self.token(bucket) != token:
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
    def _registered(self, bucket: int | None, waker: Waker) -> Iterator[None]:
        with self._lock:
            self._wakers.setdefault(bucket, set()).add(waker)
        try:
            yield
        finally:
            with self._lock:
                wakers = self._wakers[bucket]
                wakers.discard(waker)
                if not wakers:
                    del self._wakers[bucket]
