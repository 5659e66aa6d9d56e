"""Sessions that their ids say are an owner's, beside those of which a fact said so. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ledger import InvalidArgument

from ..backends.row_queries import RowQuery
from ..engine.tables import BUCKET
from ..folds.sessions import Session
from .listing_queries import text_filter

_LAST = "\U0010ffff"
# UTF-8 has none of them, so that no text lies between these two characters.
_BEFORE_SURROGATES, _BEHIND_SURROGATES = "\ud7ff", "\ue000"


def check_prefix(prefix: object, owner_id: object) -> None:
    """Refuse what no id begins with, and a beginning that is nobody's."""
    if prefix is None:
        return
    if not text_filter("owner_prefix", prefix)[1]:
        raise InvalidArgument("owner_prefix", "must not be empty")
    if owner_id is None:
        raise InvalidArgument("owner_prefix", "expected an `owner_id` whose sessions they are")


def by_prefix(query: RowQuery, prefix: str, owner_id: str, buckets: int) -> RowQuery:
    """Return a query as it is asked of sessions whose ids begin so, and are not said to be the owner's.

    All buckets are named, for the key has the bucket in front: of the million sessions of a tenant
    none is read but those whose ids begin so.
    """
    behind = _behind(prefix)
    named = (BUCKET, tuple(range(buckets)))
    return msgspec.structs.replace(
        query,
        one_of=(named, *query.one_of),
        unlike=(("owner_id", owner_id),),
        at_least=(*query.at_least, ("session_id", prefix)),
        below=query.below if behind is None else (*query.below, ("session_id", behind)),
    )


def each_once(*found: Iterable[Session]) -> list[Session]:
    """Return sessions that were read one after another, each as it was read last."""
    return list({row.session_id: row for rows in found for row in rows}.values())


def _behind(prefix: str) -> str | None:
    """Return the first text that is behind all that begin so; None if there is none behind them."""
    rest = prefix.rstrip(_LAST)
    if not rest:
        return None
    last = rest[-1]
    return rest[:-1] + (_BEHIND_SURROGATES if last == _BEFORE_SURROGATES else chr(ord(last) + 1))
