"""Arguments of the views' calls, checked once and by type first. Pure.

A stranger's object is never compared or spelled out: both may raise. A refusal says nothing about
what was stored, as that of an append does; a read stores nothing.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from ledger import InvalidArgument, InvalidEvent
from ledger.arguments import FILTER_BYTES_MAX, check_callback, microseconds, natural
from ledger.arguments import flag as flag  # the views' calls take it from here, with the others
from ledger.batch import Door
from ledger.codec import check_text
from ledger.limits import FEED_LIMIT_MAX
from ledger.refusals import shown

from ..builtin import BUILTIN
from ..engine.projection import Projection, check_free, checked

T = TypeVar("T")


def text(
    value: object, name: str, bytes_max: int = FILTER_BYTES_MAX, *, empty: bool = False
) -> str:
    """Return `value` if it is text that could be stored."""
    try:
        return check_text(value, name, bytes_max, empty=empty)
    except InvalidEvent as error:
        raise InvalidArgument(error.field, error.reason) from None


def tenant_key(door: Door, tenant: object) -> str:
    """Return a checked tenant."""
    try:
        return door.tenant_key(tenant)
    except InvalidEvent as error:
        raise InvalidArgument(error.field, error.reason) from None


def session_key(door: Door, tenant: object, session_id: object) -> tuple[str, str]:
    """Return a session's checked identity."""
    try:
        return door.session_key(tenant, session_id)
    except InvalidEvent as error:
        raise InvalidArgument(error.field, error.reason) from None


def count_limit(value: object, name: str = "limit") -> int | None:
    """Return the limit of a list; None is no limit and 0 is nothing."""
    return None if value is None else natural(value, name)


def batch_size(value: object) -> int:
    """Return how many events are folded in one transaction at most."""
    if type(value) is not int or not 1 <= value <= FEED_LIMIT_MAX:
        raise InvalidArgument(
            "batch_events_max", f"expected 1 to {FEED_LIMIT_MAX}, got {shown(value)}"
        )
    return value


def checked_projections(given: object) -> Sequence[Projection]:
    """Return the projections that views are opened with; the built-in ones for None."""
    found = several(BUILTIN if given is None else given, "projections", "Projection")
    if not found:
        raise InvalidArgument("projections", "there is none")
    definitions = [checked(instance(one, "projections", Projection)) for one in found]
    for one in definitions:
        check_free(one.name)
    return definitions


def no_view(argument: str, name: object, known: Iterable[str]) -> InvalidArgument:
    """Return the refusal of a name that none of some views has."""
    reason = f"these views have none named {shown(name)}; they have: {', '.join(sorted({*known}))}"
    if type(name) is str and any(one.name == name for one in BUILTIN):
        reason += "; it is a built-in one, and those come by projections=[*BUILTIN, …]"
    return InvalidArgument(argument, reason)


def version_number(value: object, name: str = "version") -> int:
    """Return the number of a projection's version."""
    return natural(value, name)


def one_of(value: object, name: str, choices: Collection[str]) -> str:
    """Return `value` if it is one of some words."""
    if type(value) is not str or value not in choices:
        raise InvalidArgument(name, f"expected one of {', '.join(choices)}, got {shown(value)}")
    return value


def several(value: object, name: str, what: str) -> Sequence[Any]:
    """Return `value` if it is a list or another sequence, but not a text."""
    if type(value) is tuple or type(value) is list:
        return value  # nearly always, so without asking an abstract class
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Sequence):
        raise InvalidArgument(name, f"expected several {what}, got {shown(value)}")
    return value


def mapping(value: object, name: str) -> Mapping[Any, Any]:
    """Return `value` if it maps names to texts."""
    if type(value) is not dict and not isinstance(value, Mapping):
        raise InvalidArgument(name, f"expected names with texts, got {shown(value)}")
    return value


def instance(value: object, name: str, type_: type[T]) -> T:
    """Return `value` if it is of a type, such as the last row of the page before."""
    if not isinstance(value, type_):
        raise InvalidArgument(name, f"expected {_named(type_.__name__)}, got {shown(value)}")
    return value


def callback(value: T, name: str) -> T:
    """Return `value` if it is None or can be called; refuse an async one, which nobody awaits."""
    check_callback(value, name)
    if is_async(value):
        raise InvalidArgument(name, "it is async; give a plain function")
    return value


def is_async(function: object) -> bool:
    """Whether what a function returns is to be awaited, or an object that is called like one."""
    called = type(function).__call__ if callable(function) else None
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


def answered(value: T, name: str) -> T:
    """Return what a function of the caller's returned; refuse an async one, which nobody awaits."""
    if inspect.iscoroutine(value):
        value.close()  # or Python warns that it was never awaited
        raise InvalidArgument(name, "it is async; give a plain function")
    return value


def moment(value: object, name: str) -> datetime | None:
    """Return an aware datetime that has a place in UTC, or None."""
    if microseconds(value, name) is None:
        return None
    found = instance(value, name, datetime)
    try:
        found.astimezone(UTC)
    except OverflowError:
        raise InvalidArgument(name, "before the year 1 or after the year 9999 in UTC") from None
    return found


def seconds(value: object, name: str) -> float:
    """Return a number of seconds, 0 or more."""
    if type(value) not in (int, float) or not 0 <= value < math.inf:  # type: ignore[operator]  # int and float have it
        raise InvalidArgument(name, f"expected seconds, 0 or more, got {shown(value)}")
    return value  # type: ignore[return-value]  # an int or a float, as was checked


def reader(ask: object) -> None:
    """Refuse what cannot be called as a reader is."""
    if not callable(ask):
        raise InvalidArgument("ask", f"expected a reader such as views.session, got {shown(ask)}")


def _named(noun: str) -> str:
    return f"{'an' if noun[0] in 'AEIOU' else 'a'} {noun}"
