"""Arguments of the public calls, checked once and turned into queries. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from .backends.base import SessionQuery
from .batch import Door, Place, alone, in_list
from .codec import check_text
from .errors import InvalidArgument
from .events import Append, NewEvent
from .limits import (
    FEED_LIMIT_MAX,
    SEQUENCE_MAX,
    SESSION_IDS_LIMIT_MAX,
    TYPE_BYTES_MAX,
    WAIT_SECONDS_MAX,
)
from .moments import is_aware, to_microseconds
from .refusals import shown, shown_time

B = TypeVar("B")
#: Sequences that are one thing to whoever hands them in.
_NO_LISTS = (str, bytes, bytearray)

#: A filter that is longer than any stored id finds nothing, which is no error; this bounds it.
FILTER_BYTES_MAX = 65_536


class SessionArguments(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of `read`, as they came."""

    session_id: str
    tenant: str = ""
    after: int = 0
    before: int | None = None
    run_id: str | None = None
    types: Iterable[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    newest_first: bool = False
    deleted: bool = False


def backend_of(given: B, call: str) -> B:
    """Return what a ledger is made of; a URL is refused, unseen, for it may hold a password."""
    if hasattr(given, "info"):
        return given
    got = "text" if isinstance(given, str) else shown(given)
    raise InvalidArgument("backend", f"expected a backend, got {got}; open a URL with {call}")


def session_query(door: Door, given: SessionArguments) -> SessionQuery:
    """Return the query of a `read`; the limit is set page by page."""
    tenant, session_id = door.session_key(given.tenant, given.session_id)
    return SessionQuery(
        bucket=door.bucket(tenant, session_id),
        tenant=tenant,
        session_id=session_id,
        limit=1,
        after=natural(given.after, "after"),
        before=None if given.before is None else natural(given.before, "before"),
        run_id=None
        if given.run_id is None
        else check_text(given.run_id, "run_id", FILTER_BYTES_MAX),
        types=event_types(given.types),
        since_us=microseconds(given.since, "since"),
        until_us=microseconds(given.until, "until"),
        newest_first=flag(given.newest_first, "newest_first"),
        deleted=flag(given.deleted, "deleted"),
    )


def one_append(
    session_id: str,
    events: object,
    tenant: str,
    expected: int | None,
    incarnation: int | None,
) -> tuple[Append, Place]:
    """Return the Append of an `append` call; `alone` beside it if it was given a single event."""
    single = isinstance(events, NewEvent)  # asked first: an abstract class costs ten times as much
    if not single and isinstance(events, Sequence) and not isinstance(events, _NO_LISTS):
        return Append(session_id, tuple(events), tenant, expected, incarnation), in_list
    return Append(session_id, (events,), tenant, expected, incarnation), alone


def many_appends(appends: Iterable[Append]) -> list[Append]:
    """Return the Appends of an `append_many` call, each with a tuple of events."""
    checked = []
    if not isinstance(appends, Iterable):
        raise InvalidArgument("appends", f"expected several Append, got {type(appends).__name__}")
    for append in appends:
        if not isinstance(append, Append):
            raise InvalidArgument("appends", f"expected Append, got {type(append).__name__}")
        one, _ = one_append(
            append.session_id, append.events, append.tenant, append.expected, append.incarnation
        )
        checked.append(one)
    if not checked:
        raise InvalidArgument("appends", "nothing to append")
    return checked


def session_places(door: Door, tenant: str, session_ids: Iterable[str]) -> dict[str, int]:
    """Return the buckets of a tenant's sessions; an append may have as many, too."""
    if isinstance(session_ids, str) or not isinstance(session_ids, Iterable):
        raise InvalidArgument("session_ids", f"expected several ids, got {shown(session_ids)}")
    places: dict[str, int] = {}
    most = max(SESSION_IDS_LIMIT_MAX, door.limits.batch_events_max)
    tenant = door.tenant_key(tenant)
    for given in session_ids:
        _, session_id = door.session_key(tenant, given)
        places[session_id] = door.bucket(tenant, session_id)
        if len(places) > most:
            raise InvalidArgument("session_ids", f"expected at most {most} at once")
    return places


def natural(value: object, name: str) -> int:
    """Return `value` if it is an int from 0 to 2^63 - 1, as far as the databases count."""
    if type(value) is not int or not 0 <= value <= SEQUENCE_MAX:
        raise InvalidArgument(name, f"expected an int from 0 to {SEQUENCE_MAX}, got {shown(value)}")
    return value


def flag(value: object, name: str) -> bool:
    """Return `value` if it is a bool; 1 and "yes" are none."""
    if type(value) is not bool:
        raise InvalidArgument(name, f"expected True or False, got {shown(value)}")
    return value


def check_callback(value: object, name: str) -> None:
    """Refuse what is neither None nor can be called: it would only fail after some of the work."""
    if value is not None and not callable(value):
        raise InvalidArgument(name, f"expected a function, got {shown(value)}")


def event_key(value: object) -> str:
    """Return the id of an event that a reader asks for."""
    return check_text(value, "event_id", FILTER_BYTES_MAX)


def list_limit(value: int | None) -> int | None:
    """Return the limit of a session read; None is no limit and 0 is nothing."""
    return None if value is None else natural(value, "limit")


def feed_limit(value: object) -> int:
    """Return the page size of a feed."""
    limit = natural(value, "limit")
    if not 1 <= limit <= FEED_LIMIT_MAX:
        raise InvalidArgument("limit", f"expected 1 to {FEED_LIMIT_MAX}, got {limit}")
    return limit


def session_ids_limit(value: object) -> int:
    """Return the page size of a session listing."""
    limit = natural(value, "limit")
    if limit > SESSION_IDS_LIMIT_MAX:
        raise InvalidArgument("limit", f"expected 0 to {SESSION_IDS_LIMIT_MAX}, got {limit}")
    return limit


def wait_seconds(value: object) -> float:
    """Return how long a read may wait."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not (0 <= value <= WAIT_SECONDS_MAX)
    ):
        raise InvalidArgument(
            "wait", f"expected 0 to {WAIT_SECONDS_MAX:g} seconds, got {shown(value)}"
        )
    return float(value)


def event_types(value: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return event types as a tuple; None is every type and an empty list is none."""
    if value is None:
        return None
    if isinstance(value, str):
        raise InvalidArgument("types", f"expected several types, got the text {shown(value)}")
    if not isinstance(value, Iterable):
        raise InvalidArgument("types", f"expected several types, got {shown(value)}")
    return tuple(check_text(name, "types", TYPE_BYTES_MAX) for name in value)


def microseconds(moment: object, name: str) -> int | None:
    """Return an aware datetime as microseconds since 1970."""
    if moment is None:
        return None
    if not isinstance(moment, datetime) or not is_aware(moment):
        raise InvalidArgument(
            name, f"expected a datetime with a time zone, got {shown_time(moment)}"
        )
    return to_microseconds(moment)
