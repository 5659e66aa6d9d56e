"""Every field and query of the older systems' stores has a home in a view and a reader."""

from __future__ import annotations

import inspect
from datetime import datetime
from typing import Any

import pytest

from ledger.catalogue import ToolFinished, ToolStarted, TraceAppended
from projections import TRACES, AsyncViews, Projection, Views
from projections.builtin import BUILTIN
from projections.engine.tables import Column, Table
from tests.seeds.test_homes import inside
from tests.support.folds import events_of, only
from tests.support.homes_in_views import (
    AGENT_BASE,
    AGENT_SESSION_MANAGER,
    COGNEE,
    LOG,
    QUERIES,
    SOLDIER,
)

VIEWS = {one.name: one.view for one in BUILTIN}
SYSTEMS = {
    "soldier": SOLDIER,
    "cognee": COGNEE,
    "agent-base": AGENT_BASE,
    "agent_session_manager": AGENT_SESSION_MANAGER,
}
HOMES = {
    f"{system}: {model}.{field}": home
    for system, models in SYSTEMS.items()
    for model, fields in models.items()
    for field, home in fields.items()
    if home != LOG
}


def is_home(home: str) -> bool:
    view, *path = home.split(".")
    try:
        inside(VIEWS[view], path)
    except LookupError:
        return False
    return bool(path)


def test_every_field_is_in_a_view() -> None:
    assert {field: home for field, home in HOMES.items() if not is_home(home)} == {}


@pytest.mark.parametrize("home", ["qa", "qa.nothing", "nothing.session_id"])
def test_a_home_that_is_not_there_is_noticed(home: str) -> None:
    assert not is_home(home)


def test_every_view_is_somebodys_home() -> None:
    assert {home.split(".")[0] for home in HOMES.values()} == set(VIEWS)


def test_every_query_has_a_reader() -> None:
    for query, (reader, arguments) in QUERIES.items():
        for views in (Views, AsyncViews):
            taken = inspect.signature(getattr(views, reader)).parameters
            assert set(arguments) <= set(taken), query


def test_what_has_no_column_of_its_own_is_among_the_attributes_of_a_span() -> None:
    step = TraceAppended(
        origin_function="f", status="ok", memory_query="q", memory_context="c",
        session_feedback="fine",
    )  # fmt: skip
    span = only(TRACES, events_of(step))
    assert span.attributes == {
        "memory_query": "q",
        "memory_context": "c",
        "session_feedback": "fine",
    }
    call = only(
        TRACES,
        events_of(
            ToolStarted(call_id="c", tool_name="t", args_json="{}"),
            ToolFinished(call_id="c", summary="s", details={"d": 1}),
        ),
    )
    assert (call.input, call.attributes) == ("{}", {"summary": "s", "details": {"d": 1}})


# What a name ends in tells its type, in every view.
KINDS = {
    "_at": datetime, "_since": datetime, "_us": int, "_ms": float, "_nano_usd": int,
    "_tokens": int, "_count": int, "_sequence": int, "_id": str, "_by": str,
}  # fmt: skip
COLUMNS = {
    f"{projection.name}.{column.name}": column
    for projection in BUILTIN
    for column in Table(projection).columns
    if column.name not in ("variable_updated_at", "other_tokens")
}


def kinds_told(column: Column) -> set[Any]:
    return {kind for end, kind in KINDS.items() if column.name.endswith(end)}


def test_the_end_of_a_name_tells_its_type() -> None:
    assert {name for name, one in COLUMNS.items() if not kinds_told(one) <= {one.type}} == set()


@pytest.mark.parametrize("projection", BUILTIN, ids=lambda p: p.name)
def test_every_view_says_where_it_stands_and_whose_it_is(projection: Projection) -> None:
    names = Table(projection).names
    assert names[:2] == ("tenant", "session_id")
    assert {"first_sequence", "last_sequence", "position"} <= set(names)
    moments = {"created_at", "entered_at", "allowed_at"}
    assert moments & set(names)
    assert ("anomalies" in names) == ("anomaly_count" in names)
    assert not {"timestamp", "time", "start_time", "finished_at", "cost", "cost_usd"} & set(names)
