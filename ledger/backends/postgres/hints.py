"""What processes tell each other after a commit: which buckets may have grown.

A hint is sent by NOTIFY in a transaction of its own, after the append's: inside it, the lock that
orders notifying commits would cost most of the append's throughput. Hints may be lost, late or
too many; `POLL_S` bounds what a lost one costs.
"""

from __future__ import annotations

from collections.abc import Iterable

import psycopg
from psycopg.pq.abc import PGconn

from ...wakeups import Wakeups

#: A waiter looks at the log at least this often, whatever became of the hints.
POLL_S = 1.0
#: The first hint after a pause goes out at once, later ones this far apart.
HINT_INTERVAL_S = 0.015
#: After a failure, the time to the next attempt: doubled each time between these bounds.
BACKOFF_MIN_S = 0.1
BACKOFF_MAX_S = 2.0


def payload_of(buckets: Iterable[int]) -> str:
    """Return a notification's text: at most 4,010 bytes for BUCKETS_MAX, 8,000 are allowed."""
    return ",".join(map(str, sorted(buckets)))


def buckets_of(payload: str, buckets: int) -> list[int] | None:
    """Return what a notification names; None, which is everything, if that makes no sense."""
    try:
        named = [int(number) for number in payload.split(",")]
    except ValueError:
        return None
    return named if all(0 <= bucket < buckets for bucket in named) else None


def pass_on(pgconn: PGconn, wakeups: Wakeups, buckets: int, own_pid: int | None) -> None:
    """Signal what has arrived on a listening connection, without waiting for more.

    Hints of `own_pid` are left out: their buckets were signalled when the append returned. Raises
    psycopg.OperationalError when the connection is broken.
    """
    pgconn.consume_input()
    while (hint := pgconn.notifies()) is not None:
        if hint.be_pid != own_pid:
            wakeups.signal(buckets_of(hint.extra.decode(), buckets))


def next_backoff(seconds: float) -> float:
    """Return the pause after one more failure."""
    return min(2 * seconds, BACKOFF_MAX_S)


#: What a hint's connection may meet: errors of the server, and of the socket below.
FAILURES = (psycopg.Error, OSError)
