"""What a view is: a frozen struct, its key, and a pure fold."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import msgspec

from ledger.errors import InvalidArgument
from ledger.events import Event
from ledger.refusals import shown

#: An integer of PostgreSQL.
VERSION_MAX = 2**31 - 1
#: Whose table the engine keeps beside those of views, see row_snapshots.
SNAPSHOTS_NAME = "row_snapshots"
#: Behind it the name of the handler whose claims are in the table, see handling.places.
CLAIMS_PREFIX = "claims_of_"


class Index(msgspec.Struct, frozen=True):
    """An index of some of the rows: those whose `present` field is not None, or `positive` above 0.

    An index of all rows is written as the tuple of its fields. Lists are read in either direction,
    all fields alike, so there is no direction to declare. Fields behind those that are filtered
    and ordered by make an index that counts are read from alone. A row of some 2,600 bytes of text
    in one index is too long: that stops the view at its event.

    Indexes are made with a version's table, so one that is declared later needs the next version:
    `accept` ends the warning that the projection was changed, and makes none.
    """

    fields: tuple[str, ...]
    present: str | None = None
    positive: str | None = None


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """A view's definition; its table follows from the fields of `view`.

    `keys` names every row an event may touch, () for none; `apply` then gets each row, or None
    where there is none yet, and returns what becomes of it, None for no row. It uses nothing but
    its arguments, and changes none of them. It always gets a row as the table gives it back: a
    tuple in a field of any type as a list, 1 in a list of floats as 1.0. An event that touches
    several rows must not create one: `apply` is not told which key it is called for. `apply_all`,
    if there is one, does for several events of a row, in order, what `apply` does for each, only
    quicker. The engine may call it where all fields are text, integers or booleans, which need not
    be read again in between; where it fails `apply` tells at which event. `types` are the event
    types it looks at, None for all; it never sees `session.deleted`, after which the engine has
    removed the session's rows.

    `searchable` are the fields in whose text `Views.search` finds words; of JSON, all text within.
    `members` are lists of text, or objects with values of text, by whose members rows are found.
    Both need a field `tenant`, what is searchable also one `created_at`, by which it is ordered.

    A field's column is text, integer, real, boolean or a moment, as the field is. Of an enumeration
    it has the values, of `Literal` what it names, if all are text or all integers. `UUID`, `date`
    and `time` are text as in ISO 8601 and RFC 9562; so are `timedelta` (`PT5S`), `Decimal` (`1.10`)
    and `bytes` (in base64), which SQL has to cast to compare. All other types are JSON.
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
    apply_all: Callable[[Any, Sequence[Event]], Any] | None = None


def payload(event: Event) -> dict[str, Any]:
    """Return an event's payload; empty if it was erased or is not JSON."""
    return event.data if isinstance(event.data, dict) else {}


def check_free(name: str) -> None:
    """Refuse a name that the engine's own tables have, or may have some day."""
    if name == SNAPSHOTS_NAME:
        raise InvalidArgument("name", f"{name!r} is the engine's own table; take another name")
    if name.startswith(CLAIMS_PREFIX):
        raise InvalidArgument(
            "name", f"{name!r} is kept for the claims of a handler; take another name"
        )


def checked(projection: Projection) -> Projection:
    """Return a projection whose lists are tuples and whose types are a set, or refuse it."""
    # A stranger's values, whatever the fields are declared as.
    name: object = projection.name
    version: object = projection.version
    view: object = projection.view
    if type(name) is not str or not name:
        raise InvalidArgument("name", f"expected a name for a table, got {shown(name)}")
    if type(version) is not int or not 1 <= version <= VERSION_MAX:
        raise _refused("version", projection, f"expected 1 to {VERSION_MAX}, got {shown(version)}")
    if not (isinstance(view, type) and issubclass(view, msgspec.Struct)):
        raise _refused("view", projection, "expected a msgspec.Struct, and that is none")
    if not view.__struct_config__.frozen:
        raise _refused("view", projection, f"{view.__name__} can be changed: add frozen=True")
    functions: dict[str, object] = {"keys": projection.keys, "apply": projection.apply}
    if projection.apply_all is not None:
        functions["apply_all"] = projection.apply_all
    for argument, function in functions.items():
        if not callable(function) or inspect.iscoroutinefunction(function):
            raise _refused(argument, projection, f"expected a function, got {shown(function)}")
    key = _names("key", projection, projection.key)
    if not key or len(set(key)) < len(key):
        raise _refused("key", projection, "expected the names of fields, each once")
    return msgspec.structs.replace(
        projection,
        key=key,
        indexes=tuple(_index(projection, one) for one in _several(projection)),
        searchable=_names("searchable", projection, projection.searchable),
        members=_names("members", projection, projection.members),
        types=None if projection.types is None else _types(projection),
    )


def _types(projection: Projection) -> frozenset[str]:
    types: object = projection.types
    # A text is a collection, too, of letters that no event is called by.
    if isinstance(types, str | bytes | bytearray) or not isinstance(types, Collection):
        raise _refused("types", projection, f"expected a set of names, got {shown(types)}")
    for one in types:
        if type(one) is not str:
            raise _refused("types", projection, f"expected the names of types, got {shown(one)}")
    return frozenset(types)


def _several(projection: Projection) -> Sequence[object]:
    indexes: object = projection.indexes
    if isinstance(indexes, str | bytes | bytearray) or not isinstance(indexes, Sequence):
        raise _refused("indexes", projection, f"expected several indexes, got {shown(indexes)}")
    return indexes


def _index(projection: Projection, given: object) -> tuple[str, ...] | Index:
    fields = _names("indexes", projection, given.fields if isinstance(given, Index) else given)
    if not fields:
        raise _refused("indexes", projection, "an index has fields")
    return msgspec.structs.replace(given, fields=fields) if isinstance(given, Index) else fields


def _names(argument: str, projection: Projection, given: object) -> tuple[str, ...]:
    if isinstance(given, str | bytes | bytearray) or not isinstance(given, Sequence):
        raise _refused(argument, projection, f"expected names of fields, got {shown(given)}")
    for one in given:
        if type(one) is not str:
            raise _refused(argument, projection, f"expected names of fields, got {shown(one)}")
    return tuple(given)


def _refused(argument: str, projection: Projection, reason: str) -> InvalidArgument:
    return InvalidArgument(argument, f"{reason}, in projection {shown(projection.name)}")
