"""What becomes of a table does not tell how its pages were cut, nor how each was folded."""

import functools
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from ledger import Ledger, NewEvent
from ledger.backends.base import FeedQuery
from ledger.catalogue import FACTS, SessionDeleted, SessionForked
from ledger.events import Event
from ledger.plans import run
from projections import Projection, ProjectionFailed
from projections.backends.memory import MemoryViews
from projections.builtin import BUILTIN
from projections.engine.folding import Folded, _carefully, fold, fold_event
from projections.engine.projector import Projector
from projections.engine.tables import Key, Row, Table
from projections.engine.work import KEY_BYTES_MAX, Work, _careful_work, decode_page, work_of
from projections.folds.messages import MESSAGES
from tests.properties.profile import examples
from tests.support.folds import facts

FACTS_SAID = [one for one in FACTS if one not in (SessionDeleted, SessionForked)]
#: Letters name the rows of `Count` that an event touches; None deletes the session.
COUNTED = st.sampled_from(["x", "x", "y", "y", "xy", "xx", "-x", "-y"])
BREAKING = st.sampled_from(["x", "y", "!", *"?%#.~"])
# In a tuple, or each kind of fact would be as likely as all that is counted.
FACT = st.tuples(facts(FACTS_SAID))
SESSIONS = st.sampled_from("ab")
said_before = st.tuples(SESSIONS, st.none() | COUNTED | FACT)
said = st.tuples(SESSIONS, st.none() | COUNTED | BREAKING | FACT | FACT)


class Text(str):
    """Equal to a text that a key may have, and of another type."""


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """A row of plain values, so that each row may be folded by itself."""

    tenant: str
    session_id: str
    name: str
    count: int
    last: int


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """Return a row for each letter; of five signs each breaks a rule of its own."""
    name = event.data["name"]
    if name == "?":
        raise ValueError("no keys")
    if name == "%":
        return ((event.tenant, "other", name),)
    if name == "#":
        return ((event.tenant, event.session_id, 1),)  # type: ignore[return-value]  # the rule
    if name == "~":
        return ((event.tenant, event.session_id, Text("x")),)
    if name == ".":
        return ((event.tenant, event.session_id),)
    return tuple((event.tenant, event.session_id, letter) for letter in name.strip("-"))


def apply_all(view: Count | None, events: Sequence[Event]) -> Count | None:
    """Count several more."""
    return functools.reduce(apply, events, view)


def apply(view: Count | None, event: Event) -> Count | None:
    """Count one more; "-" takes the row away and "!" breaks the fold."""
    name = event.data["name"]
    if name == "!":
        raise ValueError("no row")
    if name.startswith("-") or (view is None and len(name) > 1):
        return None
    if view is None:
        view = Count(tenant=event.tenant, session_id=event.session_id, name=name, count=0, last=0)
    return msgspec.structs.replace(view, count=view.count + 1, last=event.position)


COUNTS = Projection(
    name="counts",
    version=1,
    view=Count,
    key=("tenant", "session_id", "name"),
    keys=keys,
    apply=apply,
    types=frozenset({"thing.counted"}),
)
COUNTS_AT_ONCE = msgspec.structs.replace(
    COUNTS, name="counts_at_once", keys=lambda event: [*keys(event)], apply_all=apply_all
)


def found(work: Work) -> Any:
    """Return all that a page has to do, without where a failure was raised."""
    place = None if work.failure is None else (work.failure.position, work.failure.reason)
    return ([*work.touching.items()], [*work.deletions], [*work.keys], work.after, place)


def told(work: Work, folded: Folded) -> Any:
    """Return all that a fold came to, without the order of its rows."""
    change, failure = folded
    place = None if failure is None else (failure.position, failure.reason)
    fresh = {change.table.key_of_row(row) for row in change.rows[: change.fresh]}
    assert fresh <= {*work.keys}
    return (sorted(change.rows, key=repr), {*change.gone}, {*change.cleared}, change.after, place)


@examples(150)
@given(
    before=st.lists(said_before, max_size=12),
    history=st.lists(said, min_size=1, max_size=30),
    size=st.integers(1, 15),
)
@example(before=[], history=[("b", "x"), ("b", "~")], size=1)
def test_how_a_page_is_folded_is_not_seen(before: list[Any], history: list[Any], size: int) -> None:
    ledger = Ledger.open("memory:")
    tables = [Table(projection) for projection in (*BUILTIN, COUNTS, COUNTS_AT_ONCE)]

    def append(session_id: str, fact: Any) -> None:
        if fact is None:
            ledger.delete(session_id)
        elif isinstance(fact, str):
            ledger.append(session_id, NewEvent({"name": fact}, "thing.counted"))
        else:
            ledger.append(session_id, NewEvent(*fact))

    def projector(batch: int) -> tuple[Projector, MemoryViews]:
        views = MemoryViews(ledger.backend)  # type: ignore[arg-type]  # it is a memory ledger
        views.prepare(tables)
        return Projector(ledger.backend, views, tables, ledger.upcasts, batch), views

    kept = [projector(batch) for batch in (2_000, size, 1)]

    def catch_up() -> None:
        for engine, _ in kept:
            with suppress(ProjectionFailed):
                run(engine.catch_up(None))

    for session_id, fact in before:
        append(session_id, fact)
    catch_up()
    [start] = ledger.backend.positions()
    for session_id, fact in history:
        append(session_id, fact)
    [end] = ledger.backend.positions()
    if end == start:
        return  # there was nothing to delete

    # As one page, by row and event by event.
    _, views = kept[0]
    records = ledger.backend.feed(FeedQuery(ranges=((0, start, end),), limit=end - start))
    page = decode_page(records, tables, ledger.upcasts)
    for table in tables:
        work = work_of(table, page)
        assert found(work) == found(_careful_work(table, page, ()))
        [loaded] = views.load(0, [(table, work.keys)])
        assert told(work, fold(work, start, loaded)) == told(work, _carefully(work, start, loaded))

    # And in pages of any size.
    catch_up()
    states = [
        (
            {name: sorted(rows[0].items()) for name, rows in views._state.rows.items()},
            {table.name: views.checkpoints(0)[table.identity].position for table in tables},
        )
        for _, views in kept
    ]
    assert states[0] == states[1] == states[2]


def by_page(work: Work, key: Key, row: Row | None) -> tuple[Row | None] | None:
    """Return what a page makes of one row; None if it stops before it."""
    alone = work.of_row(key, work.touching.get((key,), ()), work.deletions)
    change, failure = fold(alone, 0, {} if row is None else {key: row})
    if failure is not None or work.failure is not None:
        return None
    if change.gone or change.cleared:
        return (None,)
    return (change.rows[0] if change.rows else row,)


@examples(60)
@given(history=st.lists(said, min_size=1, max_size=20))
def test_one_event_makes_of_a_row_what_a_page_does(history: list[Any]) -> None:
    ledger = Ledger.open("memory:")
    tables = [Table(projection) for projection in (*BUILTIN, COUNTS, COUNTS_AT_ONCE)]
    rows: dict[tuple[Table, Key], Row | None] = {}
    for session_id, fact in history:
        if fact is None:
            if not ledger.delete(session_id):
                continue
        elif isinstance(fact, str):
            ledger.append(session_id, NewEvent({"name": fact}, "thing.counted"))
        else:
            ledger.append(session_id, NewEvent(*fact))
        [end] = ledger.backend.positions()
        records = ledger.backend.feed(FeedQuery(ranges=((0, end - 1, end),), limit=1))
        page = decode_page(records, tables, ledger.upcasts)
        [event] = page.events
        assert isinstance(event, Event)
        for table in tables:
            work = work_of(table, page)
            known = [key for one, key in rows if one is table and key[1] == session_id]
            for key in {*work.keys, *known}:
                row = rows.get((table, key))
                expected = by_page(work, key, row)
                made = fold_event(table, key, row, event)
                if expected is not None and [*work.touching] == [(key,)]:
                    # A key that was given twice is for `fold` to look at.
                    assert made is not None or len([*table.projection.keys(event)]) > 1
                assert made is None or made == expected
                if expected is not None:
                    [rows[table, key]] = expected


def test_a_key_that_no_row_can_have_is_left_to_what_refuses_it() -> None:
    ledger = Ledger.open("memory:")
    by_name = msgspec.structs.replace(
        COUNTS, keys=lambda event: ((event.tenant, event.session_id, event.data["name"]),)
    )
    for bytes_max, made in ((KEY_BYTES_MAX, (None,)), (KEY_BYTES_MAX + 1, None)):
        key = ("", "a", "x" * (bytes_max - 1))
        appended = ledger.append("a", NewEvent({"name": key[2]}, "thing.counted"))
        assert fold_event(Table(by_name), key, None, appended.event) == made


def test_an_id_that_an_upcaster_made_of_another_type_is_refused_wherever_it_stands() -> None:
    def upcast(data: dict[str, Any]) -> dict[str, Any]:
        return data | {"message_id": Text("m")} if data["content"] == "odd" else data

    ledger = Ledger.open("memory:")
    ledger.upcasts.register("message.appended", from_version=1, upcaster=upcast)
    for content in ("plain", "odd"):
        said = {"role": "user", "content": content, "message_id": "m"}
        ledger.append("a", NewEvent(said, "message.appended"))
    records = ledger.backend.feed(FeedQuery(ranges=((0, 0, 2),), limit=2))
    table = Table(MESSAGES)
    for some in (records, records[1:]):
        work = work_of(table, decode_page(some, [table], ledger.upcasts))
        assert work.failure is not None
        assert work.failure.position == 2
