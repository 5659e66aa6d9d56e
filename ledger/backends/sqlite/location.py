"""Where a ledger's file is: a path, or a URL in the usual SQLite spelling."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

from ...errors import InvalidArgument

_SCHEME = "sqlite:"


def path_of(location: str | os.PathLike[str]) -> str:
    """Return the absolute path in `sqlite:///relative`, `sqlite:////absolute`, or a plain path.

    Absolute, because connections are opened later too, and the process may change its directory.
    """
    text = os.fspath(location)
    path = _path_in_url(text) if text.startswith(_SCHEME) else text
    if not path or "\0" in path:
        raise InvalidArgument("url", "it names no file; write sqlite:///file.db")
    if path == ":memory:":
        raise InvalidArgument("url", "a ledger in memory is written memory:")
    return os.path.abspath(path)


def _path_in_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc or not url.startswith("sqlite:///"):
        raise InvalidArgument("url", "write sqlite:///relative/path or sqlite:////absolute/path")
    if parts.query or parts.fragment:
        raise InvalidArgument("url", "it takes no ? or #; as parts of a name write %3F and %23")
    return unquote(parts.path[1:])
