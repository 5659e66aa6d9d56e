"""Where a ledger's file is."""

from __future__ import annotations

import os
import sys

from ...errors import InvalidArgument


def path_of(location: str | os.PathLike[str]) -> str:
    """Return the absolute path of a file, which may not exist yet.

    Absolute, because connections are opened later too, and the process may change its directory.
    """
    path = os.fspath(location)
    if not path or "\0" in path:
        raise InvalidArgument("url", "it names no file; write sqlite:///file.db")
    if path == ":memory:":
        raise InvalidArgument("url", "a ledger in memory is written memory:")
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        encoding = sys.getfilesystemencoding()
        reason = f"files are named in {encoding} here, which cannot write {path!a}"
        raise InvalidArgument("url", reason) from error
    # Bytes in names that are no UTF-8, the working directory's too, are lone surrogates in Python.
    absolute = os.path.abspath(path)
    try:
        absolute.encode()
    except UnicodeEncodeError as error:
        reason = f"SQLite takes names in UTF-8 alone, which {absolute!a} is not"
        raise InvalidArgument("url", reason) from error
    return absolute
