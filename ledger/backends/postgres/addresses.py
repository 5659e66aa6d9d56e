"""What a PostgreSQL URL must look like, so that no part of a password is taken for something else.

libpq splits at characters that belong encoded into a password, and its errors, like ours, then
name the rest as a host, a port or a database.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ...errors import InvalidArgument

_MALFORMED = "not a PostgreSQL URL or connection string"
_ENCODE = "a password's own %, @, /, : and ? must be written as %25, %40, %2F, %3A and %3F"


def parameters_of(url: str) -> dict[str, Any]:
    """Return a URL's parameters as libpq understands them; raise InvalidArgument, quoting nothing."""
    try:
        given = conninfo_to_dict(url)
    except (psycopg.ProgrammingError, UnicodeError):
        # Their texts quote the part they stumbled over, which may be the password.
        raise InvalidArgument("url", f"{_MALFORMED}; {_ENCODE}") from None
    _, _, address = url.partition("://")
    authority, _, path = address.partition("?")[0].partition("/")
    # A host that begins with one is an abstract socket.
    hosts = str(given.get("host") or "").split(",")
    if authority.count("@") > 1 or "@" in path or any("@" in host[1:] for host in hosts):
        raise InvalidArgument("url", f"an @ stands where none may be; {_ENCODE}")
    ports = str(given.get("port") or "").split(",")
    if not all(port == "" or (port.isascii() and port.isdigit()) for port in ports):
        raise InvalidArgument("url", f"the port is not a number; {_ENCODE}")
    return given
