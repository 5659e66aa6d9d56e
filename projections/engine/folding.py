"""Folding a page of one bucket's events into one projection's rows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, final

import msgspec

from ledger.events import SESSION_DELETED, Event
from ledger.records import Record, event_of_record, events_of_records
from ledger.refusals import shown
from ledger.upcasts import Upcasts

from ..errors import ProjectionFailed
from .column_values import text_value
from .stops import said
from .tables import Key, Row, Table

#: PostgreSQL refuses index rows over 2,704 bytes, and with them the whole page; the longest
#: tenant, session and other id fit.
KEY_BYTES_MAX = 2_600
#: A key of so many characters is never too long: none takes more than four bytes.
KEY_CHARS_SHORT = KEY_BYTES_MAX // 4


class Change(msgspec.Struct, frozen=True):
    """What a page does to the rows of one bucket of a table, and the checkpoint's move.

    Applied in this order: all rows of the `cleared` (tenant, session_id) go, then the rows with
    the keys `gone`, then `rows` are inserted or replaced.
    """

    table: Table
    before: int
    after: int
    rows: Sequence[Row] = ()
    gone: Sequence[Key] = ()
    cleared: Sequence[Key] = ()


@final
class Undecoded(msgspec.Struct, frozen=True):
    """In an event's place: why it cannot be decoded."""

    error: Exception


class Page(msgspec.Struct, frozen=True):
    """Consecutive records of one bucket; `events` has None where nobody wants the type."""

    records: Sequence[Record | Event]
    events: Sequence[Event | Undecoded | None]
    #: Where in the page each type of event is found.
    places: Mapping[str, Sequence[int]]
    #: The (tenant, session_id) of sessions whose first event is in the page.
    begun: frozenset[Key]

    def places_of(self, types: frozenset[str] | None) -> Sequence[int]:
        """Return where events of these types and deletions are, in order; None is everywhere."""
        if types is None:
            return range(len(self.records))
        found = [self.places[type] for type in self.places if type in types]
        if SESSION_DELETED in self.places and SESSION_DELETED not in types:
            found.append(self.places[SESSION_DELETED])
        return sorted(chain.from_iterable(found))


# gc=False: there are several of them for each event, and none of them is part of a cycle.
class Step(msgspec.Struct, frozen=True, gc=False):
    """One event that a projection wants and the rows it touches; no event for a deletion."""

    record: Record | Event
    event: Event | None
    keys: tuple[Key, ...]


class Work(msgspec.Struct, frozen=True):
    """What a projection has to do for a page, up to the event at which it failed, if it did."""

    table: Table
    steps: Sequence[Step]
    keys: Sequence[Key]
    after: int
    failure: ProjectionFailed | None = None


def decode_page(records: Sequence[Record], tables: Iterable[Table], upcasts: Upcasts) -> Page:
    """Decode the records that any of the tables wants, each once."""
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
    return Page(records, events, places, begun)


def page_of(events: Sequence[Event]) -> Page:
    """Return events that are decoded already as a page, of sessions that began before it."""
    return Page(events, events, _places(events), frozenset())


def _places(records: Sequence[Record | Event]) -> Mapping[str, Sequence[int]]:
    places: dict[str, list[int]] = {}
    for place, record in enumerate(records):
        places.setdefault(record.type, []).append(place)
    return places


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

    The positions in `skips` are left out; what deletes a session never is.
    """
    projection = table.projection
    steps: list[Step] = []
    # Keys as they were given and checked, in order, which makes two runs over the same page ask
    # for the same rows. To find them here takes a third of the time of checking them, and one
    # tuple for all events of a row leaves less for the garbage collector.
    known: dict[tuple[Key, ...], tuple[Key, ...]] = {}
    keys_of, of_sessions = projection.keys, table.of_sessions
    records, events = page.records, page.events
    deletes = SESSION_DELETED in page.places
    # Run for every event of every view: what an event nearly always is comes first.
    for place in page.places_of(projection.types):
        event = events[place]
        if deletes and records[place].type == SESSION_DELETED:
            if of_sessions:
                steps.append(Step(records[place], None, ()))
            continue
        if event is None or (skips and records[place].position in skips):
            continue
        try:
            # Not isinstance, which asks the class of a struct's class: eight times as long.
            if type(event) is Undecoded:
                raise event.error
            given = tuple(keys_of(event))
            try:
                keys = known.get(given)
            except TypeError:  # not all of it is text, which the check says better
                keys = None
            if keys is None or (
                of_sessions
                and keys
                and (keys[0][1] != event.session_id or keys[0][0] != event.tenant)
            ):
                keys = _checked(table, given, records[place])
                known[keys] = keys
        except Exception as error:
            failure = _failure(table, records[place], error)
            return Work(table, steps, _each_once(known), failure.position - 1, failure)
        if keys:
            steps.append(Step(records[place], event, keys))
    return Work(table, steps, _each_once(known), records[-1].position)


def _checked(table: Table, given: tuple[Key, ...], record: Record | Event) -> tuple[Key, ...]:
    """Return the keys that an event gave, each once, or refuse them."""
    for key in given:
        _check_key(table, key, record)
    return given if len(given) == 1 else tuple(dict.fromkeys(given))


def _each_once(known: Iterable[tuple[Key, ...]]) -> tuple[Key, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(known)))


def fold(
    work: Work, before: int, loaded: Mapping[Key, Row], *, careful: bool = False
) -> tuple[Change, ProjectionFailed | None]:
    """Fold a page into the rows loaded; also return why it stopped before the page's end.

    The change then ends at the event before, so that nothing is lost and nothing is skipped. Rows
    are made once, at the end; if anything fails, the page is folded again, `careful` to make rows
    after every event, which tells the event that is to blame.
    """
    table = work.table
    state = State(_views(table, loaded), {}, {}, {})
    after, failure = work.after, work.failure
    take = _taker(table, state, careful=careful)
    views, made = state.views, state.made
    apply, type_, key_of = table.projection.apply, table.projection.view, table.key_of
    is_plain = (
        not careful and table.reloading is None and Undecoded not in map(type, views.values())
    )
    for step in work.steps:
        event, keys = step.event, step.keys
        try:
            if event is None:
                _clear(step.record, state)
                continue
            if is_plain and len(keys) == 1:
                # What `take` does in the usual case: called for each, it takes half as long again.
                [key] = keys
                view = views.get(key)
                new = apply(view, event)
                if new is view:
                    continue
                if type(new) is type_ and key_of(new) == key:
                    made[key] = views[key] = new
                    continue
            take(event, keys)
        except Exception as error:
            if not careful:
                return fold(work, before, loaded, careful=True)
            after, failure = step.record.position - 1, _failure(table, step.record, error)
            break
    rows = [new for new in made.values() if new is not None]
    if not careful:
        try:
            rows = [table.encode(new) for new in rows]
        except Exception:
            return fold(work, before, loaded, careful=True)
    gone = [
        key
        for key, new in made.items()
        if new is None and key in loaded and key[:2] not in state.cleared
    ]
    return Change(table, before, after, rows, gone, tuple(state.cleared)), failure


class State(NamedTuple):
    """The rows of a page while it is folded."""

    #: As the fold finds them; for those in `before`, once they are what a reload gives.
    views: dict[Key, Any]
    #: What the fold made them of, since they were last as a reload gives them.
    before: dict[Key, Any]
    #: As the fold made them, or the rows of that if it is careful; None for no row.
    made: dict[Key, Any]
    cleared: dict[Key, None]


def _views(table: Table, loaded: Mapping[Key, Row]) -> dict[Key, Any]:
    views: dict[Key, Any] = {}
    for key, row in loaded.items():
        try:
            views[key] = table.decode(row)
        except Exception as error:
            # The first event that wants the row is the one at which the fold stops.
            views[key] = Undecoded(error)
    return views


def _taker(
    table: Table, state: State, *, careful: bool
) -> Callable[[Event, tuple[Key, ...]], None]:
    """Return what folds one event into all its rows, or into none of them.

    Called for every row that an event touches, so nothing is looked up there that stays the same.
    """
    views, before, made, reloading = state.views, state.before, state.made, table.reloading
    apply, type_, key_of = table.projection.apply, table.projection.view, table.key_of

    def take(event: Event, keys: tuple[Key, ...]) -> None:
        folded = []
        for key in keys:
            view = views.get(key)
            if reloading is not None and key in before:
                # As a reload gives it, so that no fold sees where pages end.
                view = views[key] = reloading.reloaded(view, before.pop(key))
            elif type(view) is Undecoded:
                raise view.error
            new = apply(view, event)
            if new is view:
                continue
            if new is not None:
                if type(new) is not type_:
                    raise TypeError(f"apply returned {shown(new)} and no {type_.__name__}")
                if key_of(new) != key:
                    raise ValueError(f"the view of {key} came back as that of {key_of(new)}")
            row = table.encode(new) if careful and new is not None else new
            folded.append((key, view, new, row))
        for key, view, new, row in folded:
            made[key] = row
            if new is None:
                del views[key]
            else:
                views[key] = new
                if reloading is not None:
                    before[key] = view

    return take


def _clear(record: Record | Event, state: State) -> None:
    """Take a deleted session's rows out; the engine also removes those that were not loaded."""
    session = (record.tenant, record.session_id)
    for key in [key for key in state.views if key[:2] == session]:
        del state.views[key]
        state.before.pop(key, None)
        if key in state.made:
            state.made[key] = None
    state.cleared[session] = None


def _check_key(table: Table, key: Key, record: Record | Event) -> None:
    if not isinstance(key, tuple):
        raise TypeError(f"keys gave {shown(key)}, and a key is a tuple of str")
    if len(key) != len(table.key):
        raise ValueError(f"{key!r} is no key of {', '.join(table.key)}")
    chars = 0
    for part in key:
        chars += len(text_value(part))
    if chars > KEY_CHARS_SHORT:
        _check_size(key)
    if table.of_sessions and (key[0] != record.tenant or key[1] != record.session_id):
        # Another session may live in another bucket, whose rows this checkpoint does not cover.
        raise ValueError(f"{key!r} belongs to another session than its event")


def _check_size(key: Key) -> None:
    size = sum(len(part.encode()) for part in key)
    if size > KEY_BYTES_MAX:
        raise ValueError(f"a key of {size} bytes is longer than {KEY_BYTES_MAX}")


def _failure(table: Table, record: Record | Event, error: Exception) -> ProjectionFailed:
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
