"""The SQL of one table, composed from templates: the only place where it is generated.

What is filled in are identifiers, of fields that the struct has and `tables` has checked; values
are parameters without exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

import msgspec

from ...engine.row_documents import document_reader
from ...engine.rows import columns_of
from ...engine.shapes import Shapes
from ...engine.tables import SEARCH_WORDS, Kind, Row, Table
from ..row_queries import RowQuery
from ..session_rows import FIRST_SEQUENCE
from ..totals import Totals, TotalsQuery
from .moment_texts import moment_texts
from .selects import bound, parameters_of, select
from .tables import SQL, listed, quoted, search_name

#: What a statement stores at most: apsw looks it up anew for each time, by all its characters.
_STORED_ROWS_MAX = 64
#: Those of nearly all tables are then short enough for apsw to keep them compiled.
_PARAMETERS_MAX = 4_000
#: A column is up to three arguments of a function, and SQLite takes 1,000.
DOCUMENT_COLUMNS_MAX = 200
_DOCUMENT_PARTS = {Kind.JSON: "document_json", Kind.BOOLEAN: "document_flag"}
#: Sums are taken of the upper and of the lower 32 bits: that of the whole may have more than 64.
_PART = 2**32
#: No field has such a name.
_LASTING = "lasting us"
#: A statement, and what it binds each time.
Stored = tuple[str, Sequence[Sequence[Any]]]


class TableStatements:
    """The statements on one table, and its rows as SQLite holds them."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._composed = Shapes[tuple[Any, ...], str]()
        places = list(enumerate(table.columns))
        self._moments = [place for place, column in places if column.kind is Kind.MOMENT]
        self._booleans = [place for place, column in places if column.kind is Kind.BOOLEAN]
        self._names = {
            "table": quoted(table.name),
            "key": listed(table.key),
            "columns": listed(table.names),
            "search": quoted(search_name(table.name)),
        }
        searched = table.words is not None
        self._written = (*table.names, SEARCH_WORDS) if searched else table.names
        most = _PARAMETERS_MAX // len(self._written)
        self._inserted_max = max(1, min(_STORED_ROWS_MAX, most))
        # To undo one that fails, SQLite copies what it changes, and FTS5 writes down what it has
        # gathered, which takes as long as ten rows: many gain nothing but where there are words.
        self._upserted_max = self._inserted_max if searched else 1
        self._storing: dict[tuple[str, int], str] = {}

    # Each is composed when it is first asked for: all of them for all views take longer than what
    # who opens them for a read or two is there for.
    @cached_property
    def load(self) -> str:
        """The statement that reads rows by their keys."""
        return SQL["load"].format(
            table=self._names["table"],
            columns=listed(self.table.names, "v."),
            matches=" AND ".join(
                f"v.{quoted(name)} = wanted.value ->> {place}"
                for place, name in enumerate(self.table.key)
            ),
        )

    def _store(self, how: str, rows: int) -> str:
        found = self._storing.get((how, rows))
        if found is None:
            found = self._storing[how, rows] = self._compose_store(how, rows)
        return found

    def _compose_store(self, how: str, rows: int) -> str:
        table, written = self.table, self._written
        others = [name for name in table.names if name not in table.key] or list(table.key)
        parameters = f"({','.join('?' * (len(written) + 1))})"
        return SQL[how].format(
            rows=",".join([parameters] * rows),
            assignments=", ".join(
                f"{quoted(name)} = excluded.{quoted(name)}"
                for name in (*others, *written[len(table.names) :])
            ),
            **(self._names | {"columns": listed(written)}),
        )

    @cached_property
    def delete(self) -> str:
        """The statement that deletes a row."""
        conditions = " AND ".join(f"{quoted(name)} = ?" for name in self.table.key)
        return SQL["delete"].format(table=self._names["table"], conditions=conditions)

    @cached_property
    def clear(self) -> str:
        """The statement that deletes all rows of a session."""
        return SQL["clear"].format(**self._names)

    @cached_property
    def last_search_id(self) -> str:
        """The statement that reads the number of the last row that may be found by words."""
        return SQL["last_search_id"].format(**self._names)

    @cached_property
    def index_words(self) -> str:
        """The statement that indexes the words of the rows behind that one."""
        return SQL["index_words"].format(**self._names)

    @cached_property
    def read_document(self) -> Callable[[str], Any] | None:
        """Makes a view of a row that is one JSON object; None where rows are read as columns."""
        wide = len(self.table.columns) > DOCUMENT_COLUMNS_MAX
        return None if wide else document_reader(self.table)

    @cached_property
    def create_documents(self) -> str:
        """The statement that lets a connection read documents without spelling them out.

        SQLite's driver looks a statement up by all its characters: to find the 2,250 of reading a
        session takes as long as reading it.
        """
        return SQL["create_documents"].format(documents=self.documents, of=self._documents[1])

    @property
    def documents(self) -> str:
        """The name of what has documents on such a connection, with all that rows are ordered by."""
        return self._documents[0]

    @cached_property
    def current_document(self) -> str:
        """The statement for `current` under a whole key, on such a connection."""
        return SQL["current_document"].format(
            documents=self.documents,
            is_current=SQL["is_current"],
            conditions=" AND ".join(f"v.{quoted(name)} = ?" for name in self.table.key),
        )

    @cached_property
    def _documents(self) -> tuple[str, str]:
        present = [f"v.{quoted(name)} IS NULL" for name, _ in self.table.present]
        ordered = [name for name in self.table.names if name in (*self.table.key, FIRST_SEQUENCE)]
        of = SQL["documents"].format(
            table=self._names["table"],
            columns=listed(tuple(ordered)),
            document=_document(self.table),
            present=" AND ".join(present) or "1",
        )
        # A table that was made anew from another struct has the name of the one before.
        return quoted(f"documents_{sha256(of.encode()).hexdigest()[:16]}"), of

    @cached_property
    def _wanted(self) -> dict[str, str]:
        columns = listed(self.table.names, "v.")
        views = columns if self.read_document is None else _document(self.table)
        return {"rows": columns, "views": views, "count": "count(*)"}

    def select(self, query: RowQuery) -> tuple[str, list[Any]]:
        """Return the statement of a reader's query and its parameters."""
        return self._statement("rows", query), parameters_of(query)

    def read(self, query: RowQuery) -> tuple[str, list[Any]]:
        """Return the statement of what `views` makes views of, and its parameters."""
        return self._statement("views", query), parameters_of(query)

    def current(self, query: RowQuery) -> tuple[str, list[Any]]:
        """Return the same for a query without words that finds nothing where it is behind."""
        return self._statement("current", query), [
            *self.is_current(query)[1],
            *parameters_of(query),
        ]

    def is_current(self, query: RowQuery) -> tuple[str, list[Any]]:
        """Return the statement of whether nothing is left to be folded, and its parameters."""
        if query.bucket is None:
            return SQL["is_current_everywhere"], [*self.table.identity]
        return SQL["is_current"], [query.bucket, *self.table.identity]

    def count(self, query: RowQuery) -> tuple[str, list[Any]]:
        """Return the statement that counts what a reader's query asks for, and its parameters."""
        query = msgspec.structs.replace(query, after=None, order=(), limit=None)
        return self._statement("count", query), parameters_of(query)

    def totals(self, wanted: TotalsQuery) -> tuple[str, list[Any]]:
        """Return the statement that adds up a reader's rows, and its parameters."""
        started, ended, last = (f"v.{quoted(name)}" for name in wanted.lasting)
        moments = (started, f"coalesce({ended}, {last})")
        start, end = (SQL["microseconds"].format(moment=moment) for moment in moments)
        statement = SQL["totals"].format(
            by=f"v.{quoted(wanted.by)}",
            moment=f"v.{quoted(wanted.before[0])}",
            start=start,
            end=end,
            sums="".join(
                SQL["sum_of"].format(value=f"v.{quoted(name)}") for name in (_LASTING, *wanted.sums)
            ),
            rows=self._statement("rows", wanted.rows),
        )
        return statement, [bound(wanted.before[1]), *parameters_of(wanted.rows)]

    def _statement(self, what: str, query: RowQuery) -> str:
        """Compose a statement once for each shape: that takes as long as the query itself."""
        shape = (what, *query.shape)
        found = self._composed.get(shape)
        if found is None:
            found = self._composed[shape] = self._select(what, query)
        return found

    def _select(self, what: str, query: RowQuery) -> str:
        is_current = self.is_current(query)[0] if what == "current" else None
        columns = self._wanted["views" if what == "current" else what]
        return select(columns, query, is_current)

    def inserts(self, bucket: int, rows: Sequence[Row]) -> Iterator[Stored]:
        """Yield statements that insert rows, each with its parameters, often several."""
        return self._stored("insert", self._inserted_max, bucket, rows)

    def upserts(self, bucket: int, rows: Sequence[Row]) -> Iterator[Stored]:
        """Yield statements that insert or replace rows, each with its parameters, often several."""
        return self._stored("upsert", self._upserted_max, bucket, rows)

    def _stored(self, how: str, most: int, bucket: int, rows: Sequence[Row]) -> Iterator[Stored]:
        if not rows:
            return  # they have no columns
        columns = self._columns(rows)
        first, left, count = 0, len(rows), most if len(rows) > 1 else 1
        while left:
            if times := left // count:
                starts = range(first, first + times * count, count)
                yield (
                    self._store(how, count),
                    [_bound_rows(bucket, columns, n, count) for n in starts],
                )
                first += times * count
                left -= times * count
            # Then of half as many, so that what is left over takes a few.
            count //= 2

    def _columns(self, rows: Sequence[Row]) -> Sequence[Sequence[Any]]:
        """Return what is written of rows, behind the bucket."""
        columns = columns_of(rows)
        for place in self._moments:
            columns[place] = moment_texts(columns[place])
        if self.table.words is not None:
            of = self.table.words.of
            columns.append([" ".join(of(row)) or None for row in rows])
        return columns

    def views(self, found: Sequence[Row]) -> list[Any]:
        """Return the views in what SQLite returned for `read` or `current`."""
        read = self.read_document
        if read is None:
            return [self.table.decode(self.row(values)) for values in found]
        return [read(document) for (document,) in found]

    def row(self, values: Row) -> Row:
        """Return a row from what SQLite returned."""
        if not self._moments and not self._booleans:
            return values
        row = list(values)
        for place in self._moments:
            if row[place] is not None:
                row[place] = datetime.fromisoformat(row[place])
        for place in self._booleans:
            if row[place] is not None:
                row[place] = bool(row[place])
        return tuple(row)


def _bound_rows(
    bucket: int, columns: Sequence[Sequence[Any]], start: int, count: int
) -> Sequence[Any]:
    """Return the parameters of the rows of one statement, one row behind the other."""
    width = len(columns) + 1
    bound: list[Any] = [bucket] * (count * width)
    for place, column in enumerate(columns, start=1):
        bound[place::width] = column[start : start + count]
    return bound


def totals_of_row(row: Row) -> Totals:
    """Return the totals in a row of what `totals` asks for; each sum is in two parts."""
    by, is_before, count, *parts = row
    lasting_us, *sums = (
        high * _PART + low for high, low in zip(parts[::2], parts[1::2], strict=True)
    )
    return Totals(by, bool(is_before), count, lasting_us, sums)


def _document(table: Table) -> str:
    """Return the expression of a row of table v as one JSON object; a key's columns are plain."""
    ready, plain, whole = [], [], []
    for column in table.columns:
        names = {"name": column.name, "column": f"v.{quoted(column.name)}"}
        if column.kind is Kind.INTEGER and not column.optional:
            whole.append(names)
        elif column.kind in _DOCUMENT_PARTS:
            ready.append(SQL[_DOCUMENT_PARTS[column.kind]].format(**names))
        else:
            plain.append(SQL["document_plain"].format(**names))
    if whole:
        each = "".join(SQL["document_integer"].format(**names) for names in whole)
        columns = ",".join(names["column"] for names in whole)
        ready.append(SQL["document_integers"].format(each=each, columns=columns))
    return SQL["document"].format(ready="".join(ready), plain=",".join(plain))
