"""How much of a row an index can hold, on every backend as on the one that can hold least. Pure.

The views that every ledger has index tenant, session and up to two other ids together: 2,560 bytes of
ids fit, the longest tenant, session and one other id, or two of half the length. A run's own id counts
twice, for its span has it in its name. Longer ones stop the view at their event.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from .projection import Index

#: PostgreSQL refuses a longer row of an index, and with it the whole page.
INDEX_ROW_BYTES_MAX = 2_704
#: Texts of a row that have fewer characters together, of four bytes each, fit into every index.
CHARS_SHORT = 600
#: In front of the row, and of a text; the other fields take no more than that.
_ROW_BYTES = 16
_FIELD_BYTES = 8
#: PostgreSQL's jsonb is up to so many times as long as its text: `[1,1,1]` is.
_JSON_FACTOR = 8


class _Place(NamedTuple):
    name: str
    number: int
    factor: int


class IndexSizes:
    """What the rows of a table take in its indexes."""

    def __init__(
        self,
        names: Sequence[str],
        texts: Collection[str],
        documents: Collection[str],
        indexes: Collection[Index],
    ) -> None:
        factors = {**dict.fromkeys(texts, 1), **dict.fromkeys(documents, _JSON_FACTOR)}
        self._indexes = [
            (
                index,
                [
                    _Place(name, names.index(name), factors[name])
                    for name in index.fields
                    if name in factors
                ],
            )
            for index in indexes
        ]
        self._texts = sorted({one.number for _, places in self._indexes for one in places})
        self._places = {name: number for number, name in enumerate(names)}
        #: Whether to look at every row, for its texts do not tell how long it is.
        self.of_documents = any(name in documents for index in indexes for name in index.fields)

    def are_short(self, columns: Sequence[Sequence[Any]]) -> bool:
        """Whether no row of these columns is too long, by the longest text of each in an index."""
        if self.of_documents:
            return False
        longest = [max(map(len, filter(None, columns[one])), default=0) for one in self._texts]
        return sum(longest) <= CHARS_SHORT

    def check(self, row: Sequence[Any]) -> None:
        """Refuse a row that is too long for an index; names the field that is longest there."""
        for index, places in self._indexes:
            if not self._is_in(index, row):
                continue
            fixed = _ROW_BYTES + _FIELD_BYTES * len(index.fields)
            sizes = {
                one.name: one.factor * len(row[one.number].encode())
                for one in places
                if row[one.number] is not None
            }
            if fixed + sum(sizes.values()) > INDEX_ROW_BYTES_MAX:
                longest = max(sizes, key=sizes.__getitem__)
                raise ValueError(
                    f"field {longest}: {sizes[longest]} bytes are too long for the index of"
                    f" {', '.join(index.fields)}, whose rows have {INDEX_ROW_BYTES_MAX} at most"
                )

    def _is_in(self, index: Index, row: Sequence[Any]) -> bool:
        if index.present is not None:
            return row[self._places[index.present]] is not None
        return index.positive is None or (row[self._places[index.positive]] or 0) > 0
