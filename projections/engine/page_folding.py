"""A page, folded into several tables, as a plan: part by part, each into one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from ledger.plans import Plan
from ledger.records import Record
from ledger.upcasts import Upcasts

from ..backends.base import AsyncViewBackend, ViewBackend
from .asked import Asked
from .folding import Fold, Folded
from .tables import Key, Row, Table
from .work import Work, decode_page, work_of

#: Decoded, folded and forgotten before the next: of so many events most is still in a cache of 2 MB
#: when the last view comes to them, which misses a fifth less than with 2,000 at once.
PART_EVENTS = 256


def fold_page(
    views: ViewBackend | AsyncViewBackend,
    upcasts: Upcasts,
    bucket: int,
    start: int,
    records: Sequence[Record],
    skips: Mapping[Table, frozenset[int]],
    asked: Asked | None,
) -> Plan[list[Folded]]:
    """Return what a page behind position `start` makes of tables that stand there.

    `skips` are those tables, with the positions that each leaves out. Before each part, what rows
    it touches are loaded where no part before it did.
    """
    folds = {table: Fold(table) for table in skips}
    begun: set[Key] = set()
    for begin in range(0, len(records), PART_EVENTS):
        page = decode_page(records[begin : begin + PART_EVENTS], skips, upcasts)
        begun |= page.begun
        going = [table for table, one in folds.items() if one.failure is None]
        works = [work_of(table, page, skips[table]) for table in going]
        ready = {} if asked is None or begin else asked.loaded(works)
        missing = [
            (one.table, keys)
            for one in works
            if one.table not in ready and (keys := folds[one.table].missing(one, begun))
        ]
        rows: list[dict[Key, Row]] = (yield views.load(bucket, missing)) if missing else []
        loaded = ready | {table: found for (table, _), found in zip(missing, rows, strict=True)}
        for work in works:
            folds[work.table].fold(work, loaded.get(work.table, {}))

    def whole(table: Table) -> Work:
        return work_of(table, decode_page(records, [table], upcasts), skips[table])

    return [one.folded(start, partial(whole, table)) for table, one in folds.items()]
