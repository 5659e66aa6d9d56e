"""Pages: what lists hand out, and the tokens that lead to the next one."""

from __future__ import annotations

import msgspec

from .cursor import open_token, seal_token
from .errors import InvalidCursor
from .events import Event


class FeedPage(msgspec.Struct, frozen=True):
    """Some events of the whole log, the cursor behind them, and whether the log goes on now."""

    events: list[Event]
    cursor: str
    more: bool


class SessionIds(msgspec.Struct, frozen=True):
    """Some session ids of a tenant, and the cursor behind them; None at the end."""

    session_ids: list[str]
    cursor: str | None


def encode_place(place: tuple[int, str], ledger_id: str) -> str:
    """Return the token of a place in the order (bucket, session_id)."""
    bucket, session_id = place
    return seal_token(b"s" + bucket.to_bytes(2) + session_id.encode(), ledger_id)


def decode_place(token: str | None, ledger_id: str, buckets: int) -> tuple[int, str]:
    """Return the place in a token, the first one for None; raise InvalidCursor."""
    if token is None:
        return 0, ""
    body = open_token(token, ledger_id)
    bucket = int.from_bytes(body[1:3])
    if body[:1] != b"s" or bucket >= buckets:
        raise InvalidCursor("The cursor belongs to another kind of list.")
    try:
        return bucket, body[3:].decode()
    except UnicodeDecodeError as error:
        raise InvalidCursor("The cursor is damaged.") from error
