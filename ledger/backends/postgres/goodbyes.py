"""How threads and tasks that talk to a server are ended, whether or not it still answers."""

from __future__ import annotations

import asyncio
import os
import socket
import warnings
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.pq.abc import PGconn

#: What is not done by then is hung up on.
GOODBYE_S = 1.0


def hang_up(pgconn: PGconn) -> None:
    """End a conversation from outside: whoever waits for the answer finds the line dead."""
    # Not finish(): the descriptor is watched by somebody, and must stay open until he looks.
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(pgconn.socket)) as line:
        line.shutdown(socket.SHUT_RDWR)


def cancel_from_anywhere(task: asyncio.Task[Any]) -> None:
    """Cancel a task, unless its loop is gone, and with it the task."""
    with suppress(RuntimeError):
        task.get_loop().call_soon_threadsafe(task.cancel)


def warn_of_unclosed(ledger_id: str, source: object) -> None:
    """Tell, as files do, that somebody dropped a ledger without closing it."""
    warnings.warn(
        f"unclosed ledger {ledger_id}: call close() or use `with`", ResourceWarning, 3, source
    )
