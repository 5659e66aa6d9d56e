"""What a view is: a frozen struct, its key, and a pure fold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from ledger.events import Event


class Index(msgspec.Struct, frozen=True):
    """An index of some of the rows: those whose `present` field is not None, or `positive` above 0.

    An index of all rows is written as the tuple of its fields. Lists are read in either direction,
    all fields alike, so there is no direction to declare. Fields behind those that are filtered
    and ordered by make an index that counts are read from alone.
    """

    fields: tuple[str, ...]
    present: str | None = None
    positive: str | None = None


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """A view's definition; its table follows from the fields of `view`.

    `keys` names every row an event may touch, () for none; `apply` then gets each row, or None
    where there is none yet, and returns what becomes of it, None for no row. It uses nothing but
    its arguments. An event that touches several rows must not create one: `apply` is not told
    which key it is called for. `types` are the event types it looks at, None for all; it never
    sees `session.deleted`, after which the engine has removed the session's rows.

    `searchable` are the fields in whose text `Views.search` finds words; of JSON, all text within.
    `members` are lists of text, or objects with values of text, by whose members rows are found.
    Both need a field `tenant`, what is searchable also one `created_at`, by which it is ordered.
    """

    name: str
    version: int
    view: type[Any]
    key: tuple[str, ...]
    keys: Callable[[Event], Iterable[tuple[str, ...]]]
    apply: Callable[[Any, Event], Any]
    indexes: tuple[tuple[str, ...] | Index, ...] = ()
    searchable: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    types: frozenset[str] | None = None


def payload(event: Event) -> dict[str, Any]:
    """Return an event's payload; empty if it was erased or is not JSON."""
    return event.data if isinstance(event.data, dict) else {}
