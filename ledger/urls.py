"""Ledger URLs: `memory:`, `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://…`."""

from __future__ import annotations

from urllib.parse import unquote

import msgspec

from .errors import InvalidArgument

KINDS = "memory:, sqlite:///file.db or postgresql://user@host:port/database"


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
    scheme, colon, rest = url.partition(":")
    if scheme == "memory" and colon and not rest:
        return Address("memory", "")
    if scheme == "sqlite" and rest.startswith("///") and len(rest) > len("///"):
        return Address("sqlite", unquote(rest.removeprefix("///")))
    if scheme == "sqlite":
        raise InvalidArgument("url", "a file needs three slashes: sqlite:///file.db")
    if scheme in ("postgresql", "postgres") and rest.startswith("//"):
        return Address("postgresql", url)
    raise InvalidArgument("url", f"unknown kind {scheme[:32]!r}; use {KINDS}")
