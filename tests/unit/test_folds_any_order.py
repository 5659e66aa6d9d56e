"""All folds over any facts in any order: none raises, and how the log is cut makes no difference."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.catalogue import FACTS, Fact, SessionDeleted
from ledger.events import Event
from projections import Projection
from projections.builtin import BUILTIN
from projections.engine.tables import Key, Row, Table
from tests.support.folds import event_of, facts

ONE_OF_EACH = [facts([model]) for model in FACTS]
SAID = st.tuples(st.one_of(ONE_OF_EACH), st.sampled_from("ab"), st.sampled_from([None, "a", "b"]))
TABLES = [Table(projection) for projection in BUILTIN]
# What would make a fold's answer depend on more than its arguments.
IMPURE = {
    *("now", "utcnow", "today", "time", "time_ns", "monotonic", "perf_counter", "random"),
    *("uuid4", "uuid7", "urandom", "environ", "getenv", "open", "sleep"),
}
SHARED = (
    *("folds.anomalies", "folds.bounds", "folds.changes", "folds.durations", "engine.projection"),
    *("folds.session_labels", "folds.session_misfits", "folds.session_status", "folds.sums"),
)


def history(said: list[tuple[Fact, str, str | None]]) -> list[Event]:
    return [
        event_of(fact, number, session_id=session_id, run_id=run_id)
        for number, (fact, session_id, run_id) in enumerate(said, 1)
    ]


def fold_page(table: Table, before: dict[Key, Row], page: list[Event]) -> dict[Key, Row]:
    """The rows after a page as a database would have them: views live no longer than it."""
    views: dict[Key, Any] = {key: table.decode(row) for key, row in before.items()}
    projection = table.projection
    for event in page:
        if event.type == SessionDeleted.event_type:
            session = (event.tenant, event.session_id)
            views = {key: view for key, view in views.items() if key[:2] != session}
        elif projection.types is None or event.type in projection.types:
            for key in projection.keys(event):
                view = projection.apply(views.get(key), event)
                views.pop(key, None)
                if view is not None:
                    views[key] = view
    return {key: table.encode(view) for key, view in views.items()}


def test_every_fact_is_among_them() -> None:
    assert len(FACTS) == len({fact.event_type for fact in FACTS}) == len(ONE_OF_EACH)


@settings(max_examples=150, deadline=None)
@given(said=st.lists(SAID, max_size=40), cuts=st.lists(st.integers(0, 40), max_size=6))
def test_rows_are_the_same_whether_folded_at_once_or_as_the_facts_came(
    said: list[tuple[Fact, str, str | None]], cuts: list[int]
) -> None:
    events = history(said)
    places = sorted({0, len(events), *(min(cut, len(events)) for cut in cuts)})
    for table in TABLES:
        rows: dict[Key, Row] = {}
        for start, end in pairwise(places):
            rows = fold_page(table, rows, events[start:end])
        assert rows == fold_page(table, {}, events), table.name


@settings(max_examples=50, deadline=None)
@given(said=st.lists(SAID, min_size=2, max_size=30), data=st.data())
def test_sessions_do_not_influence_each_other(
    said: list[tuple[Fact, str, str | None]], data: st.DataObject
) -> None:
    events = history(said)
    alone = [event for event in events if event.session_id == "a"]
    for table in TABLES:
        together = fold_page(table, {}, events)
        assert fold_page(table, {}, alone) == {
            key: row for key, row in together.items() if key[1] == "a"
        }


def impure_names(module: ModuleType) -> set[str]:
    """The impure names that a module uses, as attributes or on their own."""
    used = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Attribute):
            used.add(node.attr)
        if isinstance(node, ast.Name):
            used.add(node.id)
    return used & IMPURE - {"now"} | {name for name in used & {"now"} if _calls_now(module)}


def _calls_now(module: ModuleType) -> bool:
    # The name is also used for the moment of an event; calling it asks a clock.
    return any(
        isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Attribute) and node.func.attr == "now")
            or (isinstance(node.func, ast.Name) and node.func.id == "now")
        )
        for node in ast.walk(ast.parse(inspect.getsource(module)))
    )


@pytest.mark.parametrize("projection", BUILTIN, ids=lambda p: p.name)
def test_a_fold_asks_no_clock_and_rolls_no_dice(projection: Projection) -> None:
    module = inspect.getmodule(projection.apply)
    assert module is not None
    assert impure_names(module) == set()


@pytest.mark.parametrize("name", SHARED)
def test_neither_does_what_folds_share(name: str) -> None:
    module = __import__(f"projections.{name}", fromlist=["_"])
    assert impure_names(module) == set()


def test_a_module_that_asks_a_clock_is_noticed() -> None:
    from projections.readers import session_lists

    assert impure_names(session_lists) == {"now"}
