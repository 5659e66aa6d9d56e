"""Child processes that are forked from a small server which has imported everything already.

They start in milliseconds, share no thread and no connection with the tests, and may be killed.
Their functions live in tests.support.workers, where a child finds them by name.
"""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from tests.support.builders import DEADLINE_S

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.support.workers"])
#: From a commit over the server, its notification and the reader's query to the reader, at most.
_SWITCHES = 10
_ECHOES = 25


class Child:
    """A running child and the pipe to it."""

    def __init__(self, target: Callable[..., None], *args: Any) -> None:
        self.pipe: Connection
        self.pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=target, args=(*args, theirs), daemon=True)
        self._process.start()
        # The child has its own copy; with this one open its death would go unnoticed.
        theirs.close()

    def ask(self, message: Any) -> Any:
        """Send a message and return the answer."""
        self.pipe.send(message)
        return self.answer()

    def answer(self) -> Any:
        """Return the next message or raise it; AssertionError if none comes in time."""
        assert self.pipe.poll(DEADLINE_S), "the child neither spoke nor ended in time"
        message = self.pipe.recv()
        if isinstance(message, Exception):
            raise message
        return message

    def said(self) -> Iterator[Any]:
        """Yield messages until the child has ended."""
        while True:
            try:
                yield self.answer()
            except (EOFError, ConnectionResetError):
                return

    def kill(self) -> None:
        """End the child with SIGKILL; what it had said can still be read."""
        self._process.kill()
        self._process.join()

    def close(self) -> None:
        """Kill what is left and forget it."""
        self.kill()
        self._process.close()
        self.pipe.close()


def switching_s(echo: Child) -> float:
    """Return what a machine as busy as this one takes for the switches between processes alone.

    That much of the time from a commit to another process is not ours: next to nothing where
    nobody else computes. `echo` runs tests.support.workers.echo.
    """

    def there_and_back_s() -> float:
        start = time.monotonic()
        echo.ask("echo")
        return time.monotonic() - start

    return _SWITCHES * statistics.median(there_and_back_s() for _ in range(_ECHOES)) / 2


@contextmanager
def child(target: Callable[..., None], *args: Any) -> Iterator[Child]:
    """Run target(*args, pipe) in a child process that does not outlive the block."""
    running = Child(target, *args)
    try:
        yield running
    finally:
        running.close()
