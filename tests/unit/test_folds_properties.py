"""What holds for every view, whatever facts come in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.catalogue import FACTS, Fact, SessionDeleted
from ledger.events import Event
from projections import Projection
from projections.builtin import BUILTIN
from projections.engine.tables import Table
from tests.support.folds import at, event_of, facts, fold

TIME_COLUMNS = {"duration_us", "variable_updated_at"}
LIVE = [fact for fact in FACTS if fact is not SessionDeleted]
OFTEN_NOUNS = {"session", "run", "qa", "feedback", "message", "tool", "span", "turn", "content"}
RUN_IDS = st.sampled_from([None, "a", "b"])
# Half of the facts are of the nouns that several views decide about, so that they meet.
OFTEN = [fact for fact in LIVE if fact.event_type.split(".")[0] in OFTEN_NOUNS]
Drawn = Callable[[str], st.SearchStrategy[list[tuple[Fact, str | None]]]]
CLOCKS = st.lists(st.sampled_from([0, 1, 1, 60, -3600]), min_size=16, max_size=16)


@cache
def histories(projection_name: str) -> st.SearchStrategy[list[tuple[Fact, str | None]]]:
    """Histories of all facts, a third of which the projection looks at."""
    [types] = [one.types for one in BUILTIN if one.name == projection_name]
    own = [fact for fact in LIVE if types is None or fact.event_type in types]
    said = st.one_of(facts(own), facts(OFTEN), facts(LIVE))
    return st.lists(st.tuples(said, RUN_IDS), min_size=1, max_size=16)


@cache
def crowded(projection_name: str) -> st.SearchStrategy[list[tuple[Fact, str | None]]]:
    """Long histories of one or two kinds of facts, all in one view, so that they meet in its rows."""
    [types] = [one.types for one in BUILTIN if one.name == projection_name]
    own = [fact for fact in LIVE if types is None or fact.event_type in types]
    few = st.lists(st.sampled_from(own), min_size=1, max_size=2, unique=True)
    said = few.flatmap(lambda chosen: st.lists(facts(chosen), min_size=80, max_size=80))
    return said.map(lambda told: [(fact, "a") for fact in told])


def history(said: list[tuple[Fact, str | None]], clock: list[int] | None = None) -> list[Event]:
    return [
        event_of(fact, n, run_id=run_id, occurred_at=at(n) if clock is None else at(clock[n - 1]))
        for n, (fact, run_id) in enumerate(said, 1)
    ]


def without_times(rows: dict[tuple[str, ...], Any]) -> dict[tuple[str, ...], dict[str, Any]]:
    return {
        key: {
            name: value is None if isinstance(value, datetime) else value
            for name, value in msgspec.structs.asdict(view).items()
            if name not in TIME_COLUMNS
        }
        for key, view in rows.items()
    }


@pytest.mark.parametrize("projection", BUILTIN, ids=lambda p: p.name)
@settings(max_examples=25, deadline=None)
@given(data=st.data(), clock=CLOCKS)
def test_clocks_that_stand_still_or_go_backwards_change_only_the_time_columns(
    projection: Projection, data: st.DataObject, clock: list[int]
) -> None:
    said = data.draw(histories(projection.name))
    assert without_times(fold(projection, history(said, clock))) == without_times(
        fold(projection, history(said))
    )


@pytest.mark.parametrize("projection", BUILTIN, ids=lambda p: p.name)
@pytest.mark.parametrize("drawn", [histories, crowded])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_row_that_went_through_its_table_folds_on_to_the_same_view(
    projection: Projection, drawn: Drawn, data: st.DataObject
) -> None:
    said = data.draw(drawn(projection.name))
    rows: dict[tuple[str, ...], Any] = {}
    for event in history(said):
        if projection.types is None or event.type in projection.types:
            for key in projection.keys(event):
                view = projection.apply(rows.pop(key, None), event)
                if view is not None:
                    rows[key] = msgspec.json.decode(msgspec.json.encode(view), type=projection.view)
    assert rows == fold(projection, history(said))


@pytest.mark.parametrize("projection", BUILTIN, ids=lambda p: p.name)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_folding_changes_neither_the_event_nor_the_view_before(
    projection: Projection, data: st.DataObject
) -> None:
    said = data.draw(histories(projection.name))
    events = history(said)
    untouched = msgspec.msgpack.encode(events)
    rows: dict[tuple[str, ...], Any] = {}
    for event in events:
        for key in projection.keys(event) if is_of(projection, event) else ():
            before = msgspec.msgpack.encode(rows.get(key))
            view = projection.apply(rows.get(key), event)
            assert msgspec.msgpack.encode(rows.get(key)) == before
            rows[key] = view
    assert msgspec.msgpack.encode(events) == untouched


@pytest.mark.parametrize("projection", BUILTIN, ids=lambda p: p.name)
@pytest.mark.parametrize("data", [None, b"\x00\x01", {}], ids=["erased", "opaque", "empty"])
def test_an_event_whose_content_is_gone_or_not_json_stops_nothing(
    projection: Projection, data: Any
) -> None:
    bare = [event_of(fact.model_construct(), run_id="a", data=data) for fact in LIVE]
    fold(projection, [*bare, *reversed(bare)])


@pytest.mark.parametrize("projection", BUILTIN, ids=lambda p: p.name)
def test_the_deletion_of_a_session_is_left_to_the_engine(projection: Projection) -> None:
    assert fold(projection, [event_of(SessionDeleted(reason="asked for"), run_id="a")]) == {}


@pytest.mark.parametrize("projection", BUILTIN, ids=lambda p: p.name)
def test_key_and_indexes_are_fields_of_the_view(projection: Projection) -> None:
    fields = {field.name for field in msgspec.structs.fields(projection.view)}
    assert projection.key[:2] == ("tenant", "session_id")
    assert set(projection.key) <= fields
    assert {index.name for index in Table(projection).columns} == fields
    assert {"first_sequence", "last_sequence", "position"} <= fields
    known = {fact.event_type for fact in FACTS}
    assert projection.types is None or projection.types <= known


def is_of(projection: Projection, event: Event) -> bool:
    return projection.types is None or event.type in projection.types
