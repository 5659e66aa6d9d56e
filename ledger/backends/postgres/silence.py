"""Connections that give up on a server that says nothing any more.

TCP notices a dead peer, not a living proxy with a dead server behind it; psycopg waits for an
answer for ever.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.rows import TupleRow

T = TypeVar("T")
# Until a connection is told otherwise: what comes before that is a setting or two.
_PATIENCE_S = 10.0


class Silence(psycopg.OperationalError):
    """The server has not answered for too long; what it has done is not known."""


class PatientConnection(Connection[TupleRow]):
    """A connection that breaks with Silence once nothing arrived for `patience_s`."""

    patience_s: float = _PATIENCE_S
    #: when the pool made it, by the monotonic clock
    opened: float = 0.0

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        """Wait as psycopg does, though not for ever."""
        try:
            return super().wait(_patiently(gen, self.patience_s), *args, **kwargs)
        except Silence:
            self.pgconn.finish()
            raise


class AsyncPatientConnection(AsyncConnection[TupleRow]):
    """The same for tasks."""

    patience_s: float = _PATIENCE_S
    #: when the pool made it, by the monotonic clock
    opened: float = 0.0

    async def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        """Wait as psycopg does, though not for ever."""
        try:
            return await super().wait(_patiently(gen, self.patience_s), *args, **kwargs)
        except Silence:
            self.pgconn.finish()
            raise


def _patiently(gen: Generator[Any, Any, T], patience_s: float) -> Generator[Any, Any, T]:
    """Pass on what psycopg's waiting and its generators tell each other.

    The waiting sends "nothing is ready" several times a second.
    """
    try:
        wanted = next(gen)
        until = time.monotonic() + patience_s
        while True:
            ready = yield wanted
            if ready:
                until = time.monotonic() + patience_s
            elif time.monotonic() > until:
                raise Silence(f"no answer for {patience_s:g} s")
            wanted = gen.send(ready)
    except StopIteration as end:
        value: T = end.value
        return value
