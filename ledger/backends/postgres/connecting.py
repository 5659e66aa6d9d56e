"""Where and how to connect: what the URL says, completed by the options."""

from __future__ import annotations

import math
from typing import Any

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from ...errors import BackendUnavailable, InvalidArgument
from ..base import OpenOptions

READ_ATTEMPTS_MAX = 3
_APPLICATION = "agent-session-ledger"
# libpq takes 1 for 2, and 0 for ever.
_CONNECT_TIMEOUT_S_MIN = 2


class Target:
    """A server's address; `parameters` are libpq's, and hold the password."""

    def __init__(self, url: str, options: OpenOptions) -> None:
        try:
            given = conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            # Its text quotes the part it stumbled over, which may be the password.
            raise InvalidArgument("url", "not a PostgreSQL URL or connection string") from None
        timeout_s = max(_CONNECT_TIMEOUT_S_MIN, math.ceil(options.connect_timeout_s))
        self.parameters: dict[str, Any] = {
            "fallback_application_name": _APPLICATION,
            "connect_timeout": timeout_s,
            **given,
            # Texts cross the wire as they are hashed.
            "client_encoding": "UTF8",
        }

    def connect(self) -> Connection[TupleRow]:
        """Open an autocommit connection of its own, beside the pools."""
        return Connection.connect(**self.parameters, autocommit=True)

    async def connect_async(self) -> AsyncConnection[TupleRow]:
        """Open one for tasks."""
        return await AsyncConnection.connect(**self.parameters, autocommit=True)

    def pool(self, options: OpenOptions) -> dict[str, Any]:
        """Return what the pools have in common."""
        return {
            "kwargs": {**self.parameters, "autocommit": True},
            "timeout": options.connect_timeout_s,
            # After this long the pool forgets its growing pauses and starts anew with the next call.
            "reconnect_timeout": options.connect_timeout_s,
            "num_workers": 1,
        }

    def unreachable(self, error: psycopg.OperationalError) -> BackendUnavailable:
        """Return the error that names the server, and never its password."""
        where = ", ".join(
            f"{name} {self.parameters[name]}"
            for name in ("host", "port", "dbname", "user")
            if self.parameters.get(name)
        )
        why = " ".join(str(error).split()).rstrip(".")
        return BackendUnavailable(f"No connection to PostgreSQL ({where or 'defaults'}): {why}.")


def lock_timeout(options: OpenOptions) -> str:
    """Return the option as PostgreSQL's setting; at least 1 ms, for 0 would mean for ever."""
    return f"{max(1, round(options.lock_timeout_s * 1_000))}ms"


def check_transaction(connection: Any, kind: type[Connection[Any] | AsyncConnection[Any]]) -> None:
    """Raise InvalidArgument unless a statement on the connection becomes part of a transaction."""
    if not isinstance(connection, kind):
        raise InvalidArgument("connection", f"expected a psycopg.{kind.__name__}")
    if connection.closed:
        raise InvalidArgument("connection", "it is closed")
    if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
        raise InvalidArgument("connection", "it is in autocommit mode, outside a transaction")
