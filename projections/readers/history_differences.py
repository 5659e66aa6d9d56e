"""What changed in views between two moments of a session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from ledger import InvalidArgument
from ledger.plans import Plan

from ..engine.tables import Key, Table
from .arguments import flag
from .history import check_of_sessions
from .history_places import Moment, check_moment

if TYPE_CHECKING:
    from .reading import Reader


class Difference(msgspec.Struct, frozen=True):
    """A field of a view that had another value before; where there is no row, all are None.

    `key` is the row's key behind tenant and session, () for a view with one row per session.
    """

    key: tuple[str, ...]
    field: str
    before: Any
    after: Any


def difference(
    reader: Reader, name: str, key: Key, before: Moment, after: Moment, *, deleted: bool
) -> Plan[list[Difference]]:
    """Return the fields that changed between two moments, of one view or of all of a session."""
    table = reader.table(name)
    check_of_sessions(table)
    key = reader.key(name, key, sessions=True)
    flag(deleted, "deleted")
    moments = {"before": before, "after": after}
    for side, moment in moments.items():
        check_moment(moment, side)
    sides: list[list[Any]] = []
    for side, moment in moments.items():
        try:
            sides.append((yield from _views(reader, table, key, moment, deleted=deleted)))
        except InvalidArgument as error:
            # Where the session has not come yet, which the log has to be asked for.
            raise InvalidArgument(side, error.reason) from error
    return differences(table, *sides)


def _views(
    reader: Reader, table: Table, key: Key, moment: Moment, *, deleted: bool
) -> Plan[list[Any]]:
    name = table.projection.name
    if len(key) == 2 < len(table.key):
        return (yield from reader.rows_as_of(name, (key[0], key[1]), moment, deleted=deleted))
    view = yield from reader.row(name, key, "eventual", moment, deleted=deleted)
    return [] if view is None else [view]


def differences(table: Table, before: Iterable[Any], after: Iterable[Any]) -> list[Difference]:
    """Return the fields that differ, row by row in the order of their keys."""
    old = {table.key_of(view): view for view in before}
    new = {table.key_of(view): view for view in after}
    fields = [name for name in table.names if name not in table.key]
    return [
        Difference(key[2:], field, *values)
        for key in sorted(old.keys() | new.keys())
        for field, values in _pairs(fields, old.get(key), new.get(key))
        if values[0] != values[1]
    ]


def _pairs(fields: list[str], old: Any, new: Any) -> Iterable[tuple[str, tuple[Any, Any]]]:
    for field in fields:
        yield field, (getattr(old, field, None), getattr(new, field, None))
