"""Builders for the tests of folds: events without a ledger, and every fact at random."""

from __future__ import annotations

import types
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel

from ledger.catalogue import Fact
from ledger.events import Event
from ledger.moments import to_microseconds
from projections.engine.projection import Projection

NOON = datetime(2024, 5, 15, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """Return the moment that many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def event_of(
    fact: Fact,
    sequence: int = 1,
    *,
    run_id: str | None = None,
    occurred_at: datetime | None = None,
    tenant: str = "t",
    session_id: str = "s",
    **envelope: Any,
) -> Event:
    """Return the event a ledger would hand out for a fact, one second after the one before."""
    occurred_us = to_microseconds(occurred_at or at(sequence))
    fields: dict[str, Any] = {
        "bucket": 0,
        "position": sequence + 100,
        "tenant": tenant,
        "session_id": session_id,
        "sequence": sequence,
        "event_id": f"e{sequence}",
        "type": fact.event_type,
        "schema_version": fact.schema_version,
        "run_id": run_id,
        "occurred_us": occurred_us,
        "recorded_us": occurred_us,
        "actor": None,
        "causation_id": None,
        "correlation_id": None,
        "trace_id": None,
        "span_id": None,
        "metadata": {},
        "content_type": "application/json",
        "data": fact.model_dump(mode="json", exclude_unset=True),
        "event_hash": b"",
    }
    return Event(**fields | envelope)


def events_of(*facts: Fact, run_id: str | None = None) -> list[Event]:
    """Return the events of one session, numbered from 1."""
    return [event_of(fact, number, run_id=run_id) for number, fact in enumerate(facts, 1)]


def fold(projection: Projection, events: Iterable[Event]) -> dict[tuple[str, ...], Any]:
    """Return the rows after all events, by key, as the engine would have them."""
    rows: dict[tuple[str, ...], Any] = {}
    for event in events:
        if projection.types is not None and event.type not in projection.types:
            continue
        for key in projection.keys(event):
            view = projection.apply(rows.get(key), event)
            if view is None:
                rows.pop(key, None)
            else:
                assert tuple(getattr(view, name) for name in projection.key) == key
                rows[key] = view
    return rows


def only(projection: Projection, events: Iterable[Event]) -> Any:
    """Return the one row after all events, or None if there is none."""
    rows = list(fold(projection, events).values())
    assert len(rows) <= 1
    return rows[0] if rows else None


def unmarked(view: Any) -> Any:
    """Return a view as if every fact had fitted, for tests of what it says besides."""
    return msgspec.structs.replace(view, anomaly_count=0, anomalies=[])


# Few ids, so that facts meet; values small enough for every bound.
_TEXTS = st.sampled_from(["a", "b", "c d"])
_VALUES = st.sampled_from([None, 0, 1.5, "text", [], ["a"], {"a": 1}])
_LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: _TEXTS,
    int: st.integers(1, 5),
    float: st.sampled_from([0.0, 0.25, 1.0]),
    bool: st.booleans(),
    AwareDatetime: st.integers(-5, 5).map(at),
    types.NoneType: st.none(),
    Any: _VALUES,
}


def facts(models: Iterable[type[Fact]]) -> st.SearchStrategy[Fact]:
    """Any valid fact of these models, with any of its optional fields."""
    return st.one_of([_models(model) for model in models])


def _models(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in model.model_fields.items():
        chosen = required if field.is_required() else optional
        chosen[name] = _values(field.annotation)
    return st.fixed_dictionaries(required, optional=optional).map(lambda data: model(**data))


def _values(hint: Any) -> st.SearchStrategy[Any]:
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return _models(hint)
    if hint in _LEAVES:
        return _LEAVES[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _values(arguments[0])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, types.UnionType):
        return st.one_of([_values(argument) for argument in arguments])
    if origin is list:
        return st.lists(_values(arguments[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(_values(arguments[0]), _values(arguments[1]), max_size=2)
    raise AssertionError(f"no strategy for {hint}")
