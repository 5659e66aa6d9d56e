"""Where and how to connect: what the URL says, completed by the options."""

from __future__ import annotations

import logging
import math
import re
from typing import Any

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import TupleRow

from ...errors import AccessDenied, BackendUnavailable, InvalidArgument, LedgerError
from ...refusals import shown
from ..base import OpenOptions
from .addresses import parameters_of
from .errors import sentences
from .silence import AsyncPatientConnection, PatientConnection

READ_ATTEMPTS_MAX = 3
_APPLICATION = "agent-session-ledger"
# libpq takes 1 for 2, and 0 for ever.
_CONNECT_TIMEOUT_S_MIN = 2
# A peer is dead after about connect_timeout_s and three of these.
_PROBE_INTERVAL_S = 2
_PROBES = 3
# libpq keeps the SQLSTATE of a refused connection to itself, so these are words. Where the server
# speaks another language the caller is told that trying again may help.
# What PostgreSQL says with SQLSTATE class 28 and 42501, in English.
_DENIAL = re.compile(
    "authentication failed|no pg_hba.conf entry|is not permitted to log in"
    '|permission denied for database|role ".*" does not exist'
)
# The same for 3D000.
_ABSENT = re.compile('database "(.*)" does not exist', re.DOTALL)
# What libpq, or the server, says of a parameter that it does not know, or of its value.
_MISTAKE = re.compile(
    'invalid (integer|"?[a-z_]+"?) value|invalid port number|invalid value for parameter'
    "|unrecognized configuration parameter|definition of service|could not parse network address"
    # The first before version 17; the others of values that do not go together.
    "|parameter must be an integer|weak sslmode|invalid SSL protocol version range"
)

# An outage is told to the caller, as an error. An application that configures logging hears the
# driver's warnings as well; for all others Python would print them to stderr.
logging.getLogger("psycopg").addHandler(logging.NullHandler())


class Target:
    """A server's address; `parameters` are libpq's, and hold the password."""

    def __init__(self, url: str, options: OpenOptions) -> None:
        given = parameters_of(url)
        timeout_s = max(_CONNECT_TIMEOUT_S_MIN, math.ceil(options.connect_timeout_s))
        self.parameters: dict[str, Any] = {
            "fallback_application_name": _APPLICATION,
            "connect_timeout": timeout_s,
            "keepalives_idle": timeout_s,
            "keepalives_interval": _PROBE_INTERVAL_S,
            "keepalives_count": _PROBES,
            "tcp_user_timeout": 1_000 * timeout_s,
            **given,
            # Texts cross the wire as they are hashed.
            "client_encoding": "UTF8",
        }

    @property
    def where(self) -> str:
        """The server and the database, without the password."""
        named = ", ".join(
            f"{name} {_printable(self.parameters[name])}"
            for name in ("host", "port", "dbname", "user")
            if self.parameters.get(name)
        )
        return f"PostgreSQL ({named or 'defaults'})"

    def connect(self) -> Connection[TupleRow]:
        """Open an autocommit connection of its own, beside the pools."""
        return PatientConnection.connect(**self.parameters, autocommit=True)

    async def connect_async(self) -> AsyncConnection[TupleRow]:
        """Open one for tasks."""
        return await AsyncPatientConnection.connect(**self.parameters, autocommit=True)

    def pool(self, options: OpenOptions) -> dict[str, Any]:
        """Return what the pools have in common."""
        return {
            "kwargs": {**self.parameters, "autocommit": True},
            "timeout": options.connect_timeout_s,
            # After this long the pool forgets its growing pauses and starts anew with the next call.
            "reconnect_timeout": options.connect_timeout_s,
            "num_workers": 1,
        }

    def unreachable(self, error: psycopg.Error) -> LedgerError:
        """Return the error that names the server, or what is wrong in the URL; never its password."""
        said = str(error)
        absent = _ABSENT.search(said)
        if absent is not None:
            reason = (
                f"the database {shown(absent[1])} does not exist: create it, or correct the URL"
            )
            return InvalidArgument("url", reason)
        if isinstance(error, psycopg.ProgrammingError) or _MISTAKE.search(said):
            return InvalidArgument("url", sentences(said).rstrip("."))
        kind = AccessDenied if _is_denied(error) else BackendUnavailable
        return kind(f"No connection to {self.where}: {sentences(said)}")


def _printable(value: object) -> str:
    text = str(value)
    return text if text.isprintable() else shown(text)


def _is_denied(error: psycopg.Error) -> bool:
    """Whether a server refused the role or its password, as far as can be told."""
    if error.pgconn is not None and error.pgconn.needs_password:
        return True
    return _DENIAL.search(str(error)) is not None


def lock_timeout(timeout_s: float) -> str:
    """Return a time as PostgreSQL's setting; at least 1 ms, for 0 would mean for ever."""
    return f"{max(1, round(timeout_s * 1_000))}ms"


def is_amid_pipeline(connection: Connection[Any] | AsyncConnection[Any]) -> bool:
    """Whether a pipeline was left before its end, by who was cancelled as he entered it.

    The driver goes on with it: statements are put in a queue that nobody sends, and have no rows. A
    list of twenty sessions was empty for all who got the connection behind.
    """
    return not connection.closed and connection.pgconn.pipeline_status != PipelineStatus.OFF


def check_transaction(connection: Any, kind: type[Connection[Any] | AsyncConnection[Any]]) -> None:
    """Raise InvalidArgument unless a statement on the connection becomes part of a transaction."""
    if not isinstance(connection, kind):
        raise InvalidArgument("connection", f"expected a psycopg.{kind.__name__}")
    if connection.closed:
        raise InvalidArgument("connection", "it is closed")
    if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
        raise InvalidArgument("connection", "it is in autocommit mode, outside a transaction")
