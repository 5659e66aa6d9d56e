"""What a PostgreSQL URL must look like, so that no part of a password is taken for something else.

libpq splits at characters that belong encoded into a password, and its errors, like ours, then
name the rest as a host, a port or a database.
"""

from __future__ import annotations

import re
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ...errors import InvalidArgument

_MALFORMED = "not a PostgreSQL URL or connection string"
_PARAMETER = re.compile(r'invalid URI query parameter: "[A-Za-z_]+"')
_ENCODE = "a password's own %, @, /, : and ? must be written as %25, %40, %2F, %3A and %3F"


def parameters_of(url: str) -> dict[str, Any]:
    """Return a URL's parameters as libpq understands them; raise InvalidArgument, quoting nothing."""
    try:
        given = conninfo_to_dict(url)
    except (psycopg.ProgrammingError, UnicodeError) as error:
        # Their texts quote the part they stumbled over, which may be the password.
        raise InvalidArgument("url", _parameter(url, error) or f"{_MALFORMED}; {_ENCODE}") from None
    authority, path, _ = _parts(url)
    # A host that begins with one is an abstract socket.
    hosts = str(given.get("host") or "").split(",")
    if authority.count("@") > 1 or "@" in path or any("@" in host[1:] for host in hosts):
        raise InvalidArgument("url", f"an @ stands where none may be; {_ENCODE}")
    ports = str(given.get("port") or "").split(",")
    if not all(port == "" or (port.isascii() and port.isdigit()) for port in ports):
        raise InvalidArgument("url", f"the port is not a number; {_ENCODE}")
    return given


def _parts(url: str) -> tuple[str, str, str]:
    """Return what stands behind `://`: up to the path, up to the `?`, and the parameters."""
    place, _, query = url.partition("://")[2].partition("?")
    authority, _, path = place.partition("/")
    return authority, path, query


def _parameter(url: str, error: Exception) -> str | None:
    """Return what libpq says of a parameter that it does not know, if that is no part of a password.

    It may be where an @ follows, or where nothing but a password stands as the port.
    """
    said = _PARAMETER.match(str(error))
    authority, path, query = _parts(url)
    port = authority.rpartition(":")[2]
    ended = "@" in authority or ":" not in authority or port.isdecimal()
    return said[0] if said and ended and "@" not in path + query else None
