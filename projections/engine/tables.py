"""Tables derived from view structs: one column per field. Pure, no SQL.

A row is a tuple of plain values in column order, the same for every backend: text, int, float,
bool, aware datetime in UTC, and JSON as its text. What a database lacks, its backend converts.
"""

from __future__ import annotations

import enum
import functools
import re
import types
from collections.abc import Callable, Iterable
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from ledger import InvalidArgument

from ..readers.search_rows import RowWords
from .column_values import (
    boolean_value,
    integer_value,
    json_value,
    moment_value,
    real_value,
    text_value,
)
from .fold_digest import fold_digest
from .index_sizes import IndexSizes
from .made_by import MadeBy
from .projection import Index, Projection, checked
from .reloading import Reloading, is_exact
from .row_encoding import Field, RowEncoder
from .rows import Row as Row
from .spelled_values import Spelling, SpellingEncoder, spelling_of
from .upcast_digest import UpcastDigests

Key = tuple[str, ...]
#: A projection's name and version.
Identity = tuple[str, int]

#: The column in front of every key; no field may be called so.
BUCKET = "bucket"
#: The columns behind those of a table whose rows are found by words; see search_rows.
SEARCH_WORDS = "search_words"
SEARCH_ID = "search_id"
#: By which what is found by its text is ordered.
CREATED_AT = "created_at"
ANOMALY_COUNT = "anomaly_count"
#: What is not there is missing since then: such a row keeps nothing but its anomalies.
MISSING_SINCE = "missing_since"
#: What the databases call the columns that every table has.
_TAKEN = frozenset(["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid", "oid", "rowid", "_rowid_"])
#: PostgreSQL cuts names after 63 bytes, and two cut names may be the same; an index's name is the
#: table's with a number behind it.
NAME_BYTES_MAX = 58
#: Structs whose columns are remembered: a few sets of views.
_COLUMNS_KEPT_MAX = 128

_NAME = re.compile(r"[a-z_][a-z0-9_]*")


class Kind(enum.Enum):
    """What a column holds; each backend has one SQL type for each."""

    TEXT = enum.auto()
    INTEGER = enum.auto()
    REAL = enum.auto()
    BOOLEAN = enum.auto()
    MOMENT = enum.auto()
    JSON = enum.auto()


class Column(msgspec.Struct, frozen=True):
    """A field as a column; `type` is the field's own, without None.

    `spelling` is how its values become those of the column, None if they need not.
    """

    name: str
    kind: Kind
    optional: bool
    type: Any
    spelling: Spelling | None = None


class Table:
    """The table of one version of one projection, and the way from views to its rows and back."""

    def __init__(self, projection: Projection, upcasters: UpcastDigests | None = None) -> None:
        """Take a definition, and the upcasters of who keeps the table by folding events.

        Raises InvalidArgument if no table can be made of it.
        """
        self.projection = projection = checked(projection)
        self._upcasters = upcasters
        self.identity: Identity = (projection.name, projection.version)
        self.name = table_name(self.identity)
        self.columns = _columns(projection.view)  # type: ignore[arg-type]  # a class is hashable
        self.names = tuple(column.name for column in self.columns)
        #: The condition on the rows of what is there.
        self.present: tuple[tuple[str, None], ...] = (
            ((MISSING_SINCE, None),) if MISSING_SINCE in self.names else ()
        )
        self.key = projection.key
        declared = [one if isinstance(one, Index) else Index(one) for one in projection.indexes]
        self.indexes = {
            f"{self.name}_i{number}": _led(index) for number, index in enumerate(declared, start=1)
        }
        if ANOMALY_COUNT in self.names and "tenant" in self.key:
            # Every view that keeps anomalies is asked which of its rows have some.
            marked = Index(self.key, positive=ANOMALY_COUNT)
            self.indexes[f"{self.name}_i0"] = marked
        order = ("tenant", CREATED_AT, *(name for name in self.key if name != "tenant"))
        if projection.searchable and order not in (one.fields[: len(order)] for one in declared):
            # Words that most rows have are looked for among the newest, see found_rows.
            self.indexes[f"{self.name}_s"] = Index(order)
        if any(index.present and index.positive for index in declared):
            raise InvalidArgument("projection", "an index has either `present` or `positive`")
        for name in {*self.key, *(name for index in declared for name in _named(index))}:
            if name not in self.names:
                raise InvalidArgument("projection", f"{projection.view.__name__} lacks {name!r}")
        for column in self.columns:
            if column.name in self.key and (
                column.kind is not Kind.TEXT or column.optional or column.spelling
            ):
                raise InvalidArgument("projection", f"key field {column.name!r} is not plain str")
        self.key_of = _key_reader(self.key)
        self._key_places = tuple(self.names.index(name) for name in self.key)
        self.words = self._row_words()
        #: Whether its fold is one of the views that every ledger has.
        self.is_exact = is_exact(projection.apply)
        # Names and values become keyword arguments by way of this, in 3.1 µs of 4.1 for a session.
        self._values = msgspec.defstruct("Values", [(name, Any) for name in self.names], gc=False)
        encoder = self._encoder()
        #: Return the row of a view, or of each; raise ValueError if a field's value breaks its type.
        self.encode, self.encode_all = encoder.encode, encoder.encode_all
        self._readers = [
            (number, read)
            for number, column in enumerate(self.columns)
            if (read := _reader(column)) is not None
        ]
        #: Whether its keys are such a view's, too: each belongs to its event's session.
        self.has_exact_keys = self.is_exact and is_exact(projection.keys)
        self.reloading = None if self.is_exact else self.rereading()

    @functools.cached_property
    def fold_digest(self) -> str:
        """What changes with the fold's source; "" if there is none to read."""
        return fold_digest(self.projection)

    @property
    def made_by(self) -> MadeBy:
        """What makes its rows, now: upcasters may have been registered since the last look."""
        if self._upcasters is None:
            return MadeBy(self.fold_digest)
        return MadeBy(self.fold_digest, self._upcasters.lasting(self.projection.types))

    def rereading(self) -> Reloading | None:
        """Return what rereads the fields that may come back as others; None if there are none."""
        rereads: dict[int, Callable[[Any], Any]] = {
            number: functools.partial(_reread, self.columns[number], read)
            for number, read in self._readers
        } | {
            number: _REREAD[column.kind]
            for number, column in enumerate(self.columns)
            if column.kind in _REREAD
        }
        fields = [(self.names[number], rereads[number]) for number in sorted(rereads)]
        return Reloading(fields) if fields else None

    @functools.cached_property
    def of_sessions(self) -> bool:
        """Whether rows belong to one session each, and go when it is deleted."""
        return self.key[:2] == ("tenant", "session_id")

    def _encoder(self) -> RowEncoder | SpellingEncoder:
        encoder = RowEncoder(
            [Field(column.name, _WRITERS[column.kind], column.optional) for column in self.columns],
            IndexSizes(
                self.names,
                [column.name for column in self.columns if column.kind is Kind.TEXT],
                [column.name for column in self.columns if column.kind is Kind.JSON],
                self.indexes.values(),
            ),
            is_exact=self.is_exact,
        )
        spelled = [
            (number, column.name, column.spelling)
            for number, column in enumerate(self.columns)
            if column.spelling is not None
        ]
        return SpellingEncoder(encoder, self._values, spelled) if spelled else encoder

    def _row_words(self) -> RowWords | None:
        searchable, members = self.projection.searchable, self.projection.members
        if not searchable and not members:
            return None
        kinds = {column.name: column.kind for column in self.columns}
        needed = {
            column.name: column.kind
            for column in self.columns
            if not column.optional and column.spelling is None
        }
        allowed = {
            **dict.fromkeys(searchable, (Kind.TEXT, Kind.JSON)),
            **dict.fromkeys(members, (Kind.JSON,)),
        }
        for name, those in allowed.items():
            if kinds.get(name) not in those:
                raise InvalidArgument("projection", f"{name!r} is no field that words are in")
        if needed.get("tenant") is not Kind.TEXT:
            raise InvalidArgument("projection", "'tenant' bounds what is found by words")
        if searchable and needed.get(CREATED_AT) is not Kind.MOMENT:
            raise InvalidArgument("projection", f"{CREATED_AT!r} orders what is searchable")
        fields = {name: kind is Kind.JSON for name, kind in kinds.items()}
        return RowWords(self.names, fields, searchable, members)

    def column(self, name: str) -> Column:
        """Return a column by its name."""
        return self.columns[self.names.index(name)]

    def key_of_row(self, row: Row) -> Key:
        """Return the key in a row."""
        return tuple(row[place] for place in self._key_places)

    def decode(self, row: Row) -> Any:
        """Return the view in a row."""
        values = list(row)
        for number, read in self._readers:
            if values[number] is not None:
                values[number] = read(values[number])
        return self.projection.view(**msgspec.structs.asdict(self._values(*values)))


def table_name(identity: Identity) -> str:
    """Return the name of the table of a projection's version."""
    name, version = identity
    return _name(f"view_{name}_v{version}")


def key_line(names: Iterable[str]) -> str:
    """Return a table's key as one line of what it looks like, beside the lines of its columns."""
    return f"key ({', '.join(names)})"


# Resolving the hints of 19 views takes 15 ms, and a program opens them as often as its ledger.
@functools.lru_cache(maxsize=_COLUMNS_KEPT_MAX)
def _columns(view: type) -> tuple[Column, ...]:
    try:
        hints = get_type_hints(view, include_extras=True)
    except (NameError, TypeError) as error:
        raise InvalidArgument("view", f"{view.__name__}: {error}") from error
    columns = []
    for field in msgspec.structs.fields(view):
        if field.name in (BUCKET, SEARCH_WORDS, SEARCH_ID):
            raise InvalidArgument("projection", f"the field name {field.name!r} is the engine's")
        if field.name in _TAKEN:
            raise InvalidArgument("view", f"the field name {field.name!r} is the database's")
        inner, optional = _without_none(hints[field.name])
        kind = _kind(inner)
        spelling = spelling_of(inner) if kind is Kind.JSON else None
        if spelling is not None:
            kind = _kind(spelling.plain)
        columns.append(Column(_name(field.name), kind, optional, inner, spelling))
    return tuple(columns)


def _led(index: Index) -> Index:
    """Lead an index of what one session has by its bucket, as the key is.

    PostgreSQL takes bucket and session for independent, expects few rows of both together, and
    would rather sort a long session's rows out of the key than look into an index without bucket.
    """
    if index.fields[:2] != ("tenant", "session_id"):
        return index
    return msgspec.structs.replace(index, fields=(BUCKET, *index.fields))


def _named(index: Index) -> tuple[str, ...]:
    return (*index.fields, *filter(None, (index.present, index.positive)))


def _without_none(hint: Any) -> tuple[Any, bool]:
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if hint is Any:
        return hint, True
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    inner = tuple(part for part in get_args(hint) if part is not types.NoneType)
    optional = len(inner) < len(get_args(hint))
    return Union[inner], optional  # noqa: UP007 - built from a list


def _kind(hint: Any) -> Kind:
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) is Literal and all(type(value) is str for value in get_args(hint)):
        return Kind.TEXT
    return _KINDS.get(hint, Kind.JSON) if isinstance(hint, type) else Kind.JSON


def _key_reader(key: Key) -> Callable[[Any], Key]:
    if not key:
        raise InvalidArgument("projection", "its key is empty")
    reader: Callable[[Any], Any] = attrgetter(*key)
    # attrgetter of one name returns the value alone
    return reader if len(key) > 1 else lambda view: (reader(view),)


def _name(name: str) -> str:
    if not _NAME.fullmatch(name) or len(name) > NAME_BYTES_MAX:
        raise InvalidArgument("projection", f"{name!r} is no name for a table or column")
    return name


def _reader(column: Column) -> Callable[[Any], Any] | None:
    """Return what makes a field's value of its column's; None if they are the same."""
    if column.kind is not Kind.JSON:
        return None if column.spelling is None else column.spelling.read
    try:
        return msgspec.json.Decoder(column.type).decode
    except TypeError as error:
        # Such as a union of structs that nothing in their JSON tells apart.
        raise InvalidArgument("view", f"the field {column.name!r}: {error}") from error


def _reread(column: Column, read: Callable[[Any], Any], value: Any) -> Any:
    if column.spelling is not None:
        value = column.spelling.spell(value)
    return read(_WRITERS[column.kind](value))


_KINDS = {
    str: Kind.TEXT,
    int: Kind.INTEGER,
    float: Kind.REAL,
    bool: Kind.BOOLEAN,
    datetime: Kind.MOMENT,
}
_WRITERS: dict[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: text_value,
    Kind.INTEGER: integer_value,
    Kind.REAL: real_value,
    Kind.BOOLEAN: boolean_value,
    Kind.MOMENT: moment_value,
    Kind.JSON: json_value,
}
# What these give is what is read again.
_REREAD: dict[Kind, Callable[[Any], Any]] = {Kind.REAL: real_value, Kind.MOMENT: moment_value}
