"""Rows of view tables that change by compare-and-set instead of by a fold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from ..backends.base import ViewBackend
from ..engine.folding import Change
from ..engine.projection import Projection, check_free
from ..engine.tables import Key, Table
from .api import OperationalError

#: The ledger's only one.
BUCKET = 0
#: Each failed attempt means that another one succeeded, so reaching this takes a stampede.
ATTEMPTS_MAX = 1_000
_NAME_CHARACTERS_MAX = 30

#: Per table, what becomes of its rows: the view, or None for no row.
Changed = Mapping[Table, Mapping[Key, Any]]


class Edit(msgspec.Struct, frozen=True):
    """A change of one row: `apply` gets its view, or None, and returns the new one, or None."""

    table: Table
    key: Key
    apply: Callable[[Any], Any]


def view_table(
    name: str,
    view: type[Any],
    key: Key,
    *,
    version: int = 1,
    indexes: tuple[tuple[str, ...], ...] = (),
) -> Table:
    """Return a table whose columns are the fields of a frozen struct, for a tracking recorder.

    Key fields are str. Raises InvalidArgument for names that no table can have.
    """
    table = Table(
        Projection(
            name=name,
            version=version,
            view=view,
            key=key,
            keys=lambda event: (),
            apply=lambda row, event: row,
            indexes=indexes,
        )
    )
    check_free(name)
    return table


def table_name(*parts: str) -> str:
    """Return a name for a table from names of any kind; different ones stay different."""
    given = "_".join(part for part in parts if part)
    name = re.sub(r"[^a-z0-9_]", "_", given.lower())[:_NAME_CHARACTERS_MAX]
    if name == given:
        return name
    return f"{name}_{sha256(given.encode()).hexdigest()[:8]}"


def change_rows(
    views: ViewBackend,
    wanted: Mapping[Table, Sequence[Key]],
    decide: Callable[[Mapping[Table, Mapping[Key, Any]]], Changed | None],
) -> None:
    """Load rows, let `decide` say what becomes of them, and store that in one transaction.

    If another transaction came in between, all of it is done again; None from `decide` ends it
    with nothing stored. The checkpoints of the tables count their transactions.
    """
    asked = list(wanted.items())
    for _ in range(ATTEMPTS_MAX):
        places = views.checkpoints(BUCKET)
        loaded = {
            table: {key: table.decode(row) for key, row in rows.items()}
            for (table, _), rows in zip(asked, views.load(BUCKET, asked), strict=True)
        }
        changed = decide(loaded)
        if changed is None:
            return
        changes = [
            _change(table, loaded[table], rows, places[table.identity].position)
            for table, rows in changed.items()
        ]
        if views.store(BUCKET, changes):
            return
    raise OperationalError(f"{ATTEMPTS_MAX} attempts found the rows changed by others.")


def _change(table: Table, before: Mapping[Key, Any], after: Mapping[Key, Any], at: int) -> Change:
    for key, view in after.items():
        if view is not None and table.key_of(view) != key:
            raise ValueError(f"The row of {key} came back as that of {table.key_of(view)}.")
    return Change(
        table,
        at,
        at + 1,
        rows=[table.encode(view) for view in after.values() if view is not None],
        gone=[key for key, view in after.items() if view is None and key in before],
    )
