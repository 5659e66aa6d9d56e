"""The queries behind lists over all sessions of a tenant, and their arguments, checked. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ledger import InvalidArgument

from ..backends.row_queries import RowQuery
from ..engine.tables import Row, Table
from .arguments import count_limit, mapping, moment, several, text
from .search_rows import scope_words
from .search_words import marked

TENANT_LIMIT_MAX = 10_000
#: How many members may be asked for at once.
MEMBERS_MAX = 64
#: How many statuses may be asked for at once.
STATUSES_MAX = 64

#: One status or several, of which a row has one; of none no row has one.
Statuses = str | Sequence[str]


def tenant_query(
    table: Table,
    tenant: str,
    *,
    order: tuple[str, ...] = (),
    limit: int | None = None,
    newest_first: bool = False,
    after: Row | None = None,
    absent: tuple[str, ...] = (),
    at_least: tuple[tuple[str, Any], ...] = (),
    below: tuple[tuple[str, Any], ...] = (),
    words: tuple[str, ...] = (),
    **filters: Any,
) -> RowQuery:
    """Return the query for rows of a tenant, those in which the `absent` fields are None."""
    equal, one_of = text_filters(filters)
    return RowQuery(
        table=table,
        bucket=None,
        equal=(("tenant", tenant), *equal, *((field, None) for field in absent), *table.present),
        one_of=one_of,
        at_least=at_least,
        below=below,
        words=words,
        order=order,
        descending=newest_first,
        after=after,
        limit=limit,
    )


def tenant_limit(limit: int | None) -> int | None:
    """Return the limit of a list over all sessions of a tenant; None is no limit."""
    if (count_limit(limit) or 0) > TENANT_LIMIT_MAX:
        raise InvalidArgument("limit", f"expected at most {TENANT_LIMIT_MAX}, got {limit}")
    return limit


def page_limit(limit: object) -> int:
    """Return the limit of a page, which always has one."""
    if limit is None or (checked := tenant_limit(limit)) is None:  # type: ignore[arg-type] # that is what is checked
        raise InvalidArgument("limit", "a page has one")
    return checked


def moment_bound(
    field: str, argument: str, bound: datetime | None
) -> tuple[tuple[str, datetime], ...]:
    """Return the condition on a field that an argument sets, none if it is None."""
    checked = moment(bound, argument)
    return () if checked is None else ((field, checked),)


def text_filters(
    filters: Mapping[str, Any],
) -> tuple[list[tuple[str, str]], tuple[tuple[str, tuple[str, ...]], ...]]:
    """Return what columns equal, and the column that has one of several values, if one has.

    Filters that are None are no condition.
    """
    equal = []
    one_of: tuple[tuple[str, tuple[str, ...]], ...] = ()
    for name, value in filters.items():
        if name == "status" and type(value) is not str and value is not None:
            wanted = statuses(value)
            if len(wanted) == 1:
                equal.append((name, wanted[0]))
            else:
                one_of = ((name, wanted),)
        elif value is not None:
            equal.append(text_filter(name, value))
    return equal, one_of


def statuses(asked: Statuses | None) -> tuple[str, ...]:
    """Return the statuses that are asked for, each once and in one order."""
    if asked is None:
        return ()
    listed = [asked] if type(asked) is str else several(asked, "status", "texts")
    if len(listed) > STATUSES_MAX:
        raise InvalidArgument("status", f"expected at most {STATUSES_MAX}, got {len(listed)}")
    return tuple(sorted({text_filter("status", one)[1] for one in listed}))


def text_filter(name: str, value: Any) -> tuple[str, Any]:
    """Return a name and its value, which must be text."""
    if type(value) is not str:
        raise InvalidArgument(name, f"expected text, got {type(value).__name__}")
    # PostgreSQL can take neither; nothing that is stored holds them.
    if "\0" in value or (not value.isascii() and not _is_unicode(value)):
        raise InvalidArgument(name, "NUL or a lone surrogate in text")
    return name, value


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def members(
    tenant: str, lists: Mapping[str, Sequence[str]], objects: Mapping[str, Mapping[str, str]]
) -> tuple[str, ...]:
    """Return the words of rows that have all of some members; none if none are asked for."""
    asked = list(_asked(lists, objects))
    if len(asked) > MEMBERS_MAX:
        names = " and ".join((*lists, *objects))
        raise InvalidArgument(
            asked[-1][0], f"expected at most {MEMBERS_MAX} {names} together, got {len(asked)}"
        )
    found = [marked(*one) for one in asked]
    return (*scope_words(tenant, None), *dict.fromkeys(found)) if found else ()


def _asked(
    lists: Mapping[str, Sequence[str]], objects: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[str, ...]]:
    for name, values in lists.items():
        for value in several(values, name, "texts"):
            yield name, text(value, name, empty=True)
    for name, pairs in objects.items():
        for key, value in mapping(pairs, name).items():
            yield name, text(key, name, empty=True), text(value, name, empty=True)
