"""What a page of one bucket's events has for a projection to do. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, final

import msgspec

from ledger.events import SESSION_DELETED, Event
from ledger.moments import remember
from ledger.records import Record, event_of_record, events_of_records
from ledger.refusals import said, shown
from ledger.upcasts import Upcasts

from ..errors import ProjectionFailed
from .column_values import text_value
from .tables import Key, Table

#: PostgreSQL refuses index rows over 2,704 bytes, and with them the whole page; the longest
#: tenant, session and one other id fit. What else a row has in indexes counts too, see index_sizes.
KEY_BYTES_MAX = 2_600
#: A key of so many characters is never too long: none takes more than four bytes.
KEY_CHARS_SHORT = KEY_BYTES_MAX // 4
_TEXT = frozenset([str])


@final
class Undecoded(msgspec.Struct, frozen=True):
    """In the place of an event or of a row: why it cannot be decoded."""

    error: Exception


class Page(msgspec.Struct, frozen=True):
    """Consecutive records of one bucket; `events` has None where nobody wants the type."""

    records: Sequence[Record | Event]
    events: Sequence[Event | Undecoded | None]
    #: Where in the page each type of event is found.
    places: Mapping[str, Sequence[int]]
    #: The (tenant, session_id) of sessions whose first event is in the page.
    begun: frozenset[Key]
    #: Whether all events of a type can be decoded, or none is wanted, and no session is deleted.
    is_plain: bool
    #: Whether texts in payloads may be of types of somebody's own, as what an upcaster makes may be.
    is_upcast: bool

    def has_any(self, types: frozenset[str] | None) -> bool:
        """Whether there is an event of these types or a deletion; None is every type."""
        return types is None or not types.isdisjoint(self.places) or SESSION_DELETED in self.places

    def plain_events(self, types: frozenset[str] | None) -> Sequence[Event]:
        """Return the events of wanted types, in order, of a page that is plain."""
        events: Sequence[Any] = self.events
        if types is None or self.places.keys() <= types:
            return events
        return [events[place] for place in self.places_of(types)]

    def places_of(self, types: frozenset[str] | None) -> Sequence[int]:
        """Return where events of these types and deletions are, in order; None is everywhere."""
        if types is None:
            return range(len(self.records))
        found = [self.places[type] for type in self.places if type in types]
        if SESSION_DELETED in self.places and SESSION_DELETED not in types:
            found.append(self.places[SESSION_DELETED])
        return sorted(chain.from_iterable(found))


class Work(msgspec.Struct, frozen=True):
    """What a page has for a projection to do, up to the event at which it failed, if it did."""

    table: Table
    #: By the keys of the rows that each of them touches: events in order.
    touching: Mapping[tuple[Key, ...], Sequence[Event]]
    #: What deletes sessions, with whatever rows they have.
    deletions: Sequence[Record | Event]
    #: Of all rows that are touched, each once.
    keys: Sequence[Key]
    after: int
    failure: ProjectionFailed | None = None

    def in_order(self) -> Sequence[tuple[Record | Event, Event | None, tuple[Key, ...]]]:
        """Return each event with the keys of its rows; for a deletion no event, and no keys."""
        found: list[tuple[Record | Event, Event | None, tuple[Key, ...]]] = [
            (event, event, keys) for keys, events in self.touching.items() for event in events
        ]
        found += [(record, None, ()) for record in self.deletions]
        return sorted(found, key=lambda one: one[0].position)

    def of_row(
        self, key: Key, events: Sequence[Event], deletions: Sequence[Record | Event] = ()
    ) -> Work:
        """Return what there is to do for one row alone, of whose events these are all."""
        touching: dict[tuple[Key, ...], Sequence[Event]] = {(key,): events} if events else {}
        return msgspec.structs.replace(self, touching=touching, deletions=deletions, keys=(key,))


def decode_page(records: Sequence[Record], tables: Iterable[Table], upcasts: Upcasts) -> Page:
    """Decode the records that any of the tables wants, each once."""
    remember([record.occurred_us for record in records])
    places = _places(records)
    every = [table.projection.types for table in tables]
    wanted = places.keys() if None in every else frozenset[str]().union(*filter(None, every))
    events: Sequence[Event | Undecoded | None]
    if places.keys() <= wanted:
        events = _decoded(records, upcasts)
    else:
        decoded = iter(_decoded([one for one in records if one.type in wanted], upcasts))
        events = [next(decoded) if record.type in wanted else None for record in records]
    begun = frozenset([(one.tenant, one.session_id) for one in records if one.sequence == 1])
    is_plain = SESSION_DELETED not in places and Undecoded not in set(map(type, events))
    return Page(records, events, places, begun, is_plain, any(map(upcasts.has, places)))


def page_of(events: Sequence[Event]) -> Page:
    """Return events that are decoded already as a page, of sessions that began before it.

    Nobody knows here whether they were upcast, so their ids are looked at as if they were.
    """
    places = _places(events)
    return Page(events, events, places, frozenset(), SESSION_DELETED not in places, True)


def _places(records: Sequence[Record | Event]) -> Mapping[str, Sequence[int]]:
    places = defaultdict[str, list[int]](list)
    for place, record in enumerate(records):
        places[record.type].append(place)
    return dict(places)


def _decoded(records: Sequence[Record], upcasts: Upcasts) -> Sequence[Event | Undecoded]:
    try:
        return events_of_records(records, upcasts)
    except Exception:
        # An upcaster's mistake stops whoever wants its event, and nobody else.
        return [_decoded_alone(record, upcasts) for record in records]


def _decoded_alone(record: Record, upcasts: Upcasts) -> Event | Undecoded:
    try:
        return event_of_record(record, upcasts)
    except Exception as error:
        return Undecoded(error)


def stored_keys(work: Work, page: Page) -> Sequence[Key]:
    """Return the keys of a page's work under which there may be a row.

    What begins in the page has none yet: a session's rows are made by its own events alone.
    """
    if not page.begun or not work.table.of_sessions:
        return work.keys
    return [key for key in work.keys if key[:2] not in page.begun]


def work_of(table: Table, page: Page, skips: Collection[int] = ()) -> Work:
    """Return the rows that a page touches, in the order of its events.

    By keys as they were given and checked, in order, which makes two runs over the same page ask
    for the same rows. The positions in `skips` are left out; what deletes a session never is.
    """
    first, last = page.records[0].position, page.records[-1].position
    # One event is for few of the views; to put together nothing for all others took a tenth of its
    # way into them.
    if not page.has_any(table.projection.types):
        return Work(table, {}, (), (), last)
    if page.is_plain and not any(first <= one <= last for one in skips):
        # Which event is to blame is found by looking at each.
        with suppress(Exception):
            return _plain_work(table, page)
    return _careful_work(table, page, skips)


def _plain_work(table: Table, page: Page) -> Work:
    """Return the same where every event gives good keys, as nearly all do; raise if one does not.

    Keys are checked all at once, in a third of the time.
    """
    touching: dict[tuple[Key, ...], list[Event]] = {}
    keys_of = table.projection.keys
    # Of its own views the engine knows that their keys are of the event's session, and of such
    # text as is in the event.
    is_strange = page.is_upcast or not table.has_exact_keys
    # Run for every event of every view.
    for event in page.plain_events(table.projection.types):
        given = keys_of(event)
        keys = given if type(given) is tuple else tuple(given)
        if is_strange:
            _check_strange(table, keys, event)
        known = touching.get(keys)
        if known is None:
            if not keys:
                continue
            known = touching[keys] = []
        known.append(event)
    _check_keys(table, touching)
    keys = tuple(dict.fromkeys(chain.from_iterable(touching)))
    return Work(table, touching, (), keys, page.records[-1].position)


def _check_strange(table: Table, keys: tuple[Key, ...], event: Event) -> None:
    """Raise if a key is of another session, or is only equal to one that a row can have."""
    if {*map(type, chain.from_iterable(keys))} - _TEXT or {*map(type, keys)} - {tuple}:
        raise TypeError(shown(keys))
    if table.of_sessions and {key[:2] for key in keys} - {(event.tenant, event.session_id)}:
        raise ValueError(shown(keys))


def _careful_work(table: Table, page: Page, skips: Collection[int]) -> Work:
    projection = table.projection
    touching: dict[tuple[Key, ...], list[Event]] = {}
    deletions: list[Record | Event] = []
    keys_of, of_sessions = projection.keys, table.of_sessions
    records, events = page.records, page.events
    deletes = SESSION_DELETED in page.places
    after, failure = records[-1].position, None
    for place in page.places_of(projection.types):
        event = events[place]
        if deletes and records[place].type == SESSION_DELETED:
            if of_sessions:
                deletions.append(records[place])
            continue
        if event is None or (skips and records[place].position in skips):
            continue
        try:
            if type(event) is Undecoded:
                raise event.error
            keys = _checked(table, tuple(keys_of(event)), event)
        except Exception as error:
            failure = failure_at(table, records[place], error)
            after = failure.position - 1
            break
        if keys:
            touching.setdefault(keys, []).append(event)
    keys = tuple(dict.fromkeys(chain.from_iterable(touching)))
    return Work(table, touching, deletions, keys, after, failure)


def _check_keys(table: Table, touching: Iterable[tuple[Key, ...]]) -> None:
    """Raise an error if a key is not good, or if it may be none, or if an event gave it twice."""
    keys = [*chain.from_iterable(touching)]
    if {*map(type, keys)} - {tuple} or {*map(len, keys)} - {len(table.key)}:
        raise TypeError("not all keys are tuples of this table's length")
    parts = [*chain.from_iterable(keys)]
    if {*map(type, parts)} - _TEXT:
        raise TypeError("not all of the keys is text")
    text_value("".join(parts))
    longest = max(map(len, parts), default=0) * len(table.key)
    if longest > KEY_CHARS_SHORT < max(len("".join(key)) for key in keys):
        raise ValueError("a key may be too long")
    if any(len(given) != len({*given}) for given in touching if len(given) > 1):
        raise ValueError("a key was given twice")


def _checked(table: Table, given: tuple[Key, ...], record: Record | Event) -> tuple[Key, ...]:
    """Return the keys that an event gave, each once, or refuse them."""
    for key in given:
        check_key(table, key, record)
    return given if len(given) == 1 else tuple(dict.fromkeys(given))


def check_key(table: Table, key: Key, record: Record | Event) -> None:
    """Refuse a key that an event gave and that no row of the table can have."""
    if not isinstance(key, tuple):
        raise TypeError(f"keys gave {shown(key)}, and a key is a tuple of str")
    if len(key) != len(table.key):
        raise ValueError(f"{key!r} is no key of {', '.join(table.key)}")
    if not {*map(type, key)} <= _TEXT:
        raise TypeError(f"{key!r} is no tuple of str")
    if len(text_value("".join(key))) > KEY_CHARS_SHORT:
        _check_size(key)
    if table.of_sessions and (key[0] != record.tenant or key[1] != record.session_id):
        # Another session may live in another bucket, whose rows this checkpoint does not cover.
        raise ValueError(f"{key!r} belongs to another session than its event")


def _check_size(key: Key) -> None:
    size = sum(len(part.encode()) for part in key)
    if size > KEY_BYTES_MAX:
        raise ValueError(f"a key of {size} bytes is longer than {KEY_BYTES_MAX}")


def failure_at(table: Table, record: Record | Event, error: Exception) -> ProjectionFailed:
    """Return what stops a projection at an event."""
    projection = table.projection
    failure = ProjectionFailed(
        projection.name,
        projection.version,
        record.bucket,
        record.position,
        record.event_id,
        said(error),
    )
    failure.__cause__ = error
    return failure
