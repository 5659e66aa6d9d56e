"""Folding a page of one bucket's events into one projection's rows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ledger.events import Event
from ledger.records import Record
from ledger.refusals import shown

from ..errors import ProjectionFailed
from .reloading import is_exact
from .tables import Key, Row, Table
from .work import Undecoded, Work, failure_at


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

    The change then ends at the event before, so that nothing is lost and nothing is skipped.
    """
    one = Fold(work.table)
    one.fold(work, loaded)
    return one.folded(before, lambda: work)


class Fold:
    """Folds a page into rows of one table, part after part; rows are made once, at the end.

    Each row by itself, all events of a part into one and then into the next: one event after the
    other, each row looked up and kept again, takes a third longer. Where rows are not apart, or if
    anything fails, that is how the page is folded again, as a whole.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.failure: ProjectionFailed | None = None
        self._after = 0
        self._loaded: dict[Key, Row] = {}
        self._views: dict[Key, Any] = {}
        self._made: dict[Key, Any] = {}
        self._are_apart = table.reloading is None
        self._is_careful = False

    def missing(self, work: Work, begun: Collection[Key]) -> list[Key]:
        """Return the keys of a part under which there may be a row that is to be loaded.

        What begins in the page has none yet: a session's rows are made by its own events alone.
        """
        known = self._views
        if not begun or not self.table.of_sessions:
            return [key for key in work.keys if key not in known]
        return [key for key in work.keys if key[:2] not in begun and key not in known]

    def fold(self, work: Work, loaded: Mapping[Key, Row]) -> None:
        """Fold the next part, with the rows that were missing."""
        self._after, self.failure = work.after, work.failure
        self._loaded |= loaded
        views = self._views
        views |= _views(self.table, loaded)
        # Rows have nearly always nothing to do with each other.
        self._are_apart = (
            self._are_apart
            and not work.deletions
            and set(map(len, work.touching)) <= {1}
            and Undecoded not in map(type, map(views.get, loaded))
        )
        if self._are_apart:
            try:
                self._fold(work)
            except Exception:
                self._are_apart, self._is_careful = False, True
        else:
            views |= dict.fromkeys([key for key in work.keys if key not in views])

    def folded(self, before: int, whole: Callable[[], Work]) -> Folded:
        """Return what becomes of the rows; `whole` returns the work of the whole page."""
        if self._are_apart:
            loaded, made = self._loaded, self._made.items()
            fresh = [new for key, new in made if new is not None and key not in loaded]
            again = [new for key, new in made if new is not None and key in loaded]
            try:
                rows = self.table.encode_all([*fresh, *again])
            except Exception:
                self._is_careful = True
            else:
                gone = [key for key, new in made if new is None and key in loaded]
                change = Change(self.table, before, self._after, rows, gone, fresh=len(fresh))
                return change, self.failure
        return _in_order(whole(), before, self._loaded, careful=self._is_careful)

    def _fold(self, work: Work) -> None:
        views, made, table = self._views, self._made, self.table
        apply, type_, key_of = table.projection.apply, table.projection.view, table.key_of
        # Of the folds that are made here it is known that they leave a key as it is.
        is_strange = not is_exact(apply)
        for (key,), events in work.touching.items():
            known = view = views.get(key)
            for event in events:
                new = apply(view, event)
                if new is not view:
                    if type(new) is not type_ or (is_strange and key_of(new) != key):
                        _check(new, table, key)
                    view = new
            views[key] = view
            if view is not known:
                _check(view, table, key)
                made[key] = view


def _check(new: Any, table: Table, key: Key) -> None:
    if new is not None:
        if type(new) is not table.projection.view:
            raise TypeError(f"apply returned {shown(new)} and no {table.projection.view.__name__}")
        if table.key_of(new) != key:
            raise ValueError(f"the view of {key} came back as that of {table.key_of(new)}")


def _in_order(
    work: Work, before: int, loaded: Mapping[Key, Row], *, careful: bool = False
) -> Folded:
    """Fold one event after the other, each into all its rows.

    If anything fails, that is done again, `careful` to make rows after every event, which tells the
    event that is to blame.
    """
    table = work.table
    state = State(_views(table, loaded), {}, {}, {})
    after, failure = work.after, work.failure
    take = _taker(table, state, careful=careful)
    for record, event, keys in work.in_order():
        try:
            if event is None:
                _clear(record, state)
            else:
                take(event, keys)
        except Exception as error:
            if not careful:
                return _in_order(work, before, loaded, careful=True)
            after, failure = record.position - 1, failure_at(table, record, error)
            break
    rows = [new for new in state.made.values() if new is not None]
    if not careful:
        try:
            rows = table.encode_all(rows)
        except Exception:
            return _in_order(work, before, loaded, careful=True)
    gone = [
        key
        for key, new in state.made.items()
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
