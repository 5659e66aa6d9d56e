"""Ledger URLs: `memory:`, `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://…`.

In a file's name `%` and two digits stand for a byte, and the bytes must be UTF-8. A literal `%`,
`?` or `#` is written `%25`, `%3F` or `%23`: a file has no options that a `?` could begin.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

import msgspec

from .errors import InvalidArgument

KINDS = "memory:, sqlite:///file.db or postgresql://user@host:port/database"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,31}")
_FILE = "sqlite:///"
_STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


class Address(msgspec.Struct, frozen=True):
    """Where a ledger lives: the kind of backend, and its file path or connection URL."""

    kind: str
    target: str


def parse(url: object) -> Address:
    """Return the address in a URL; raise InvalidArgument if there is none.

    The text of a bad URL is not repeated in the error: it may hold a password.
    """
    if not isinstance(url, str):
        raise InvalidArgument("url", f"expected text ({KINDS}), got {type(url).__name__}")
    if "\0" in url or any("\ud800" <= character <= "\udfff" for character in url):
        raise InvalidArgument("url", f"it holds a NUL or a lone surrogate; use {KINDS}")
    scheme, colon, rest = url.partition(":")
    if scheme == "memory" and colon:
        if rest:
            raise InvalidArgument("url", f"nothing follows memory:; use {KINDS}")
        return Address("memory", "")
    if scheme == "sqlite" and colon:
        return Address("sqlite", _file(url))
    if scheme in ("postgresql", "postgres") and rest.startswith("//"):
        _decoded(rest)
        return Address("postgresql", url)
    if colon and _SCHEME.fullmatch(scheme):
        raise InvalidArgument("url", f"unknown kind {scheme!r}; use {KINDS}")
    raise InvalidArgument("url", f"it names no kind; use {KINDS}")


def _file(url: str) -> str:
    written = url.removeprefix(_FILE)
    if written == url or not written:
        raise InvalidArgument("url", "a file needs three slashes and a name: sqlite:///file.db")
    if written.lstrip("/").startswith("sqlite:"):
        raise InvalidArgument("url", "it begins with sqlite: twice; write sqlite:///file.db")
    if "?" in written or "#" in written:
        raise InvalidArgument(
            "url", "a file takes no ? or #; in its name they are %3F and %23 (sqlite:///file.db)"
        )
    return _decoded(written)


def _decoded(text: str) -> str:
    if _STRAY_PERCENT.search(text):
        raise InvalidArgument("url", "a % stands without two digits; a literal one is %25")
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise InvalidArgument("url", "its % sequences are no UTF-8") from None
    if "\0" in decoded:
        raise InvalidArgument("url", "%00 is part of no name")
    return decoded
