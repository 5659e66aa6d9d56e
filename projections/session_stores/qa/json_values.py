"""What JSON can say of any value that a step of an agent was given or returned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

import msgspec

from ledger import InvalidArgument
from ledger.limits import NESTING_DEPTH_MAX
from ledger.refusals import shown

_PLAIN = (str, bool, int, float, type(None))
# What an enumeration's member or a library's number is by its class.
_PLAIN_OF: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
)


def json_value(value: Any, depth: int = 0) -> Any:
    """Return what JSON can say of a value: of an object its type, and its id if it has one.

    The members of a set come in one order, so that whoever repeats a step says the same.
    """
    if depth > NESTING_DEPTH_MAX:
        raise InvalidArgument("step", f"nested deeper than {NESTING_DEPTH_MAX}, or in itself")
    if type(value) in _PLAIN:
        return value
    for kind, plain in _PLAIN_OF:
        if issubclass(type(value), kind):
            return plain(value)
    if _is(value, (UUID,)):
        return str(value)
    if _is(value, (date, time, datetime)):
        return value.isoformat()
    if _is(value, (Mapping,)):
        return _object(value, depth)
    if _is(value, (list, tuple, set, frozenset)):
        said_all = [json_value(one, depth + 1) for one in value]
        return sorted(said_all, key=_order) if _is(value, (set, frozenset)) else said_all
    return _described(value)


def _object(given: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    try:
        pairs = list(given.items())
    except Exception:  # what is behind it is closed, say; see _id_of
        return _described(given)
    said: dict[str, Any] = {}
    for name, value in pairs:
        key = _key(name)
        if key in said:
            raise InvalidArgument("step", f"several names beside each other read {shown(key)}")
        said[key] = json_value(value, depth + 1)
    return said


def _key(name: object) -> str:
    try:
        key = str(name)
    except Exception:  # see _id_of
        key = type(name).__name__
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument("step", f"lone surrogate in the name {shown(key)}") from error
    return key


def _described(value: object) -> dict[str, str]:
    said = {"type": type(value).__name__}
    own_id = _id_of(value)
    return said if own_id is None else said | {"id": own_id}


def _id_of(value: object) -> str | None:
    try:
        own_id = getattr(value, "id", None)
        return None if own_id is None else str(own_id)
    except Exception:
        # A row that was detached from its database refuses to say anything, by whatever error its
        # library has. That the step happened is to be told all the same.
        return None


def _is(value: object, kinds: tuple[type, ...]) -> bool:
    try:
        return isinstance(value, kinds)
    except Exception:  # a proxy asks what it stands for, which may be gone; see _id_of
        return False


def _order(said: Any) -> bytes:
    try:
        return msgspec.json.encode(said)
    except UnicodeEncodeError:  # half a character, which the ledger refuses by its field
        return ascii(said).encode()
