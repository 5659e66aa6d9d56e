"""Folding a page of one bucket's events into one projection's rows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ledger.events import SESSION_DELETED, Event
from ledger.records import Record
from ledger.refusals import shown

from ..errors import ProjectionFailed
from .tables import Key, Row, Table
from .work import Undecoded, Work, check_key, failure_at


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
    #: How many of the rows, in front, were not loaded: hardly one of them is there.
    fresh: int = 0


Folded = tuple[Change, ProjectionFailed | None]


def fold(work: Work, before: int, loaded: Mapping[Key, Row]) -> Folded:
    """Fold a page into the rows loaded; also return why it stopped before the page's end.

    The change then ends at the event before, so that nothing is lost and nothing is skipped. Rows
    are made once, at the end; if anything fails, the page is folded again, carefully, making rows
    after every event, which tells the event that is to blame.
    """
    if not (work.touching or work.deletions):
        return Change(work.table, before, work.after), work.failure
    table, views = work.table, _views(work.table, loaded)
    cleared: tuple[Key, ...] = ()
    try:
        if _are_apart(work, views):
            made = _by_row(work, views)
        else:
            made, cleared = _in_order(work, views)
        fresh, again = _parted(made, loaded)
        rows = table.encode_all([*fresh, *again])
    except Exception:
        return _carefully(work, before, loaded)
    gone = _gone(made, loaded, cleared)
    return Change(table, before, work.after, rows, gone, cleared, len(fresh)), work.failure


def fold_event(table: Table, key: Key, row: Row | None, event: Event) -> tuple[Row | None] | None:
    """Return what one event makes of one row, as `fold` does and in half of the time.

    None in the row's place if there is none. None if that is for `fold` to say: the event deletes
    the session, gives other keys than that one, once, or cannot be folded.
    """
    projection = table.projection
    if event.type == SESSION_DELETED:
        return None
    if projection.types is not None and event.type not in projection.types:
        return (row,)
    try:
        given = tuple(projection.keys(event))
        if given != (key,):
            return None
        # As it was given: what is equal to a good key may be of another type.
        check_key(table, given[0], event)
        view = None if row is None else table.decode(row)
        new = projection.apply(view, event)
        if new is view:
            return (row,)
        _check(new, table, key)
        return (None if new is None else table.encode(new),)
    except Exception:
        return None


def _parted(made: Mapping[Key, Any], loaded: Mapping[Key, Row]) -> tuple[list[Any], list[Any]]:
    """Return what there is now of rows that were not loaded, and of those that were."""
    if not loaded:  # as in most pages: what they make begins in them
        return [new for new in made.values() if new is not None], []
    there = [(key in loaded, new) for key, new in made.items() if new is not None]
    return [new for known, new in there if not known], [new for known, new in there if known]


def _are_apart(work: Work, views: Mapping[Key, Any]) -> bool:
    """Whether what one row becomes has nothing to do with any other row, as it nearly always is."""
    return (
        not work.deletions
        and work.table.reloading is None
        and set(map(len, work.touching)) <= {1}
        and Undecoded not in map(type, views.values())
    )


def _by_row(work: Work, views: Mapping[Key, Any]) -> dict[Key, Any]:
    """Return what rows become, all events of one folded into it, and then into the next.

    To fold one event after the other, and look up and keep its row each time, takes a third longer.
    """
    made, table, apply_all = {}, work.table, work.table.projection.apply_all
    apply, type_, key_of = table.projection.apply, table.projection.view, table.key_of
    # Of the folds of its own views the engine knows that they leave a key as it is.
    is_strange = not table.is_exact
    for (key,), events in work.touching.items():
        known = view = views.get(key)
        if apply_all is not None:
            view = apply_all(view, events)
        else:
            for event in events:
                new = apply(view, event)
                if new is not view:
                    if type(new) is not type_ or (is_strange and key_of(new) != key):
                        _check(new, table, key)
                    view = new
        if view is not known:
            made[key] = view
    _check_all(made, table)
    return made


def _in_order(work: Work, views: dict[Key, Any]) -> tuple[dict[Key, Any], tuple[Key, ...]]:
    """Return what rows become, one event folded after the other, each into all its rows."""
    state = State(views, {}, {}, {})
    take = _taker(work.table, state, careful=False)
    for record, event, keys in work.in_order():
        if event is None:
            _clear(record, state)
        else:
            take(event, keys)
    return state.made, tuple(state.cleared)


def _carefully(work: Work, before: int, loaded: Mapping[Key, Row]) -> Folded:
    """Fold in the same order up to the first event whose rows cannot be made."""
    table = work.table
    state = State(_views(table, loaded), {}, {}, {})
    after, failure = work.after, work.failure
    take = _taker(table, state, careful=True)
    for record, event, keys in work.in_order():
        try:
            if event is None:
                _clear(record, state)
            else:
                take(event, keys)
        except Exception as error:
            after, failure = record.position - 1, failure_at(table, record, error)
            break
    cleared = tuple(state.cleared)
    rows = [row for row in state.made.values() if row is not None]
    return Change(table, before, after, rows, _gone(state.made, loaded, cleared), cleared), failure


def _gone(
    made: Mapping[Key, Any], loaded: Mapping[Key, Row], cleared: Collection[Key]
) -> list[Key]:
    return [
        key for key, new in made.items() if new is None and key in loaded and key[:2] not in cleared
    ]


def _check_all(made: Mapping[Key, Any], table: Table) -> None:
    """Raise if a row is none of the table, or not that of its key; in a third of the time."""
    there = {key: new for key, new in made.items() if new is not None}
    if {*map(type, there.values())} - {table.projection.view}:
        raise TypeError("not all that apply returned are rows of the table")
    if [*map(table.key_of, there.values())] != [*there]:
        raise ValueError("a view came back as that of another key")


def _check(new: Any, table: Table, key: Key) -> None:
    if new is not None:
        if type(new) is not table.projection.view:
            raise TypeError(f"apply returned {shown(new)} and no {table.projection.view.__name__}")
        if table.key_of(new) != key:
            raise ValueError(f"the view of {key} came back as that of {table.key_of(new)}")


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
    apply = table.projection.apply

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
            _check(new, table, key)
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
