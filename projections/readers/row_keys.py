"""Keys of rows that a caller has put together, checked. Pure."""

from __future__ import annotations

from ledger import InvalidArgument
from ledger.batch import Door

from ..engine.tables import Key, Table
from .arguments import session_key, several
from .listing_queries import text_filter


def whole_key(door: Door, table: Table, key: object, *, buckets: int, sessions: bool) -> Key:
    """Return a whole key of a table, or with `sessions` also the two parts of a session."""
    parts = several(key, "key", f"texts, as in ({', '.join(table.key)})")
    if len(parts) != len(table.key) and not (sessions and len(parts) == 2):
        raise InvalidArgument("key", f"expected ({', '.join(table.key)}), got {len(parts)} parts")
    check_whole(table, buckets, "projection")
    try:
        for field, value in zip(table.key, parts, strict=False):
            text_filter(field, value)
        if table.of_sessions:
            session_key(door, parts[0], parts[1])
    except InvalidArgument as error:
        raise InvalidArgument("key", f"{error.argument}: {error.reason}") from None
    return tuple(parts)


def is_whole(table: Table, buckets: int) -> bool:
    """Whether a table has whole rows: of what is in several sessions, each bucket folds its own."""
    return table.of_sessions or buckets == 1


def check_whole(table: Table, buckets: int, argument: str) -> None:
    """Refuse to read a table of parts as if they were rows."""
    if not is_whole(table, buckets):
        name = table.projection.name
        reason = f"each bucket has a part of the rows of {name}: read its table"
        raise InvalidArgument(argument, reason)


def check_has_sessions(table: Table) -> None:
    """Refuse to look for the rows of a session in a table that does not name sessions."""
    if not {"tenant", "session_id"} <= set(table.names):
        raise InvalidArgument(
            "projection", f"{table.projection.name} has no rows of a single session"
        )
