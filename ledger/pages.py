"""Pages: what lists hand out, the tokens that lead to the next one, and their reading, as plans."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from .arguments import event_types, feed_limit, flag, session_ids_limit
from .batch import Door
from .cursor import Cursor, encode, open_token, place_of, seal_token
from .errors import InvalidCursor
from .events import Event
from .plans import Plan
from .reading import Storage, bucket_heads, feed_page
from .records import events_of_records
from .upcasts import Upcasts


class FeedPage(msgspec.Struct, frozen=True):
    """Some events of the whole log, the cursor behind them, and whether the log goes on now."""

    events: list[Event]
    cursor: str
    more: bool


class SessionIds(msgspec.Struct, frozen=True):
    """Some session ids of a tenant, and the cursor behind them; None at the end."""

    session_ids: list[str]
    cursor: str | None


def page_of_log(
    backend: Storage,
    door: Door,
    upcasts: Upcasts,
    cursor: str | None,
    limit: int,
    types: Iterable[str] | None,
    tenant: str | None,
) -> Plan[FeedPage]:
    """Read what the arguments of `feed` name."""
    ledger_id = backend.info.ledger_id
    place = place_of(cursor, ledger_id, backend.info.buckets)
    owner = None if tenant is None else door.tenant_key(tenant)
    page = yield from feed_page(backend, place, feed_limit(limit), event_types(types), owner)
    events = events_of_records(page.records, upcasts)
    return FeedPage(events, encode(page.cursor, ledger_id), page.more)


def end_of_log(backend: Storage) -> Plan[str]:
    """Read where every bucket ends now; all up to there is committed, and numbers are dense."""
    heads = yield from bucket_heads(backend)
    return encode(Cursor(tuple(heads)), backend.info.ledger_id)


def page_of_ids(
    backend: Storage, door: Door, tenant: str, cursor: str | None, limit: int, deleted: bool
) -> Plan[SessionIds]:
    """Read what the arguments of `list_session_ids` name."""
    ledger_id = backend.info.ledger_id
    tenant, count = door.tenant_key(tenant), session_ids_limit(limit)
    flag(deleted, "deleted")
    bucket, after = decode_place(cursor, ledger_id, backend.info.buckets)
    if not count:
        return SessionIds([], cursor)
    found: list[tuple[int, str]] = yield backend.session_ids(
        tenant, bucket, after, count, deleted=deleted
    )
    behind = encode_place(found[-1], ledger_id) if found and len(found) == count else None
    return SessionIds([session_id for _, session_id in found], behind)


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
        session_id = body[3:].decode()
    except UnicodeDecodeError as error:
        raise InvalidCursor("The cursor is damaged.") from error
    if "\0" in session_id:  # PostgreSQL could not be asked
        raise InvalidCursor("The cursor is damaged.")
    return bucket, session_id
