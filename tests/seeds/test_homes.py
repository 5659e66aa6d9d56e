"""Every field of the older systems' data models has a home in this one.

A home is "fact_type.field" (further names walk into nested parts), "envelope.field" or
"view.name.column" for what follows from facts. Nothing is covered by a wildcard: a field that gets
lost is a line of a failure.
"""

from __future__ import annotations

import types
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
import pytest
from pydantic import BaseModel

from ledger.catalogue import FACTS
from ledger.events import Event
from projections import MESSAGES, QA, RUNS, SESSIONS, TRACES
from tests.support.homes_agent_base import AGENT_BASE
from tests.support.homes_agent_session_manager import AGENT_SESSION_MANAGER, EVENT_TYPES
from tests.support.homes_cognee import COGNEE
from tests.support.homes_soldier import SOLDIER

FACT_OF = {fact.event_type: fact for fact in FACTS}
VIEWS = {one.name: one.view for one in (MESSAGES, QA, RUNS, SESSIONS, TRACES)}

# Values that must be sayable as they are.
VALUES = {
    "session.status_changed.status": (
        "active", "idle", "processing", "interrupted", "closed",
        "pending", "paused", "completed", "failed", "cancelled",
    ),
    "migration.plan_recorded.status": (
        "pending", "approved", "deployed", "superseded", "rejected",
    ),
    "migration.marked.policy.force_scenario": ("clean_graft", "gap_fill", "re_route"),
    "migration.cleared.action": (
        "continue", "teleport", "collect", "execute_action", "exit_scenario",
    ),
    "migration.cleared.resolution_sources": ("profile", "session", "extraction", "not_found"),
    "context.put.context_profile": ("qa", "agent"),
    "message.appended.role": ("system", "user", "assistant", "tool"),
    "approval.requested.risk_level": ("safe", "sensitive", "destructive"),
    "approval.decided.decision": ("allow_once", "allow_always", "deny"),
    "plan.updated.plan.status": ("pending", "in_progress", "completed"),
    "checkpoint.saved.step": (
        "after_user_input", "before_llm", "before_tool_calls", "after_tool_calls",
    ),
}  # fmt: skip

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
}


def leaves(hint: Any) -> list[Any]:
    """The classes and values inside a type, through unions, lists, dicts and annotations."""
    if get_origin(hint) is Annotated:
        return leaves(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType, list, dict):
        return [leaf for argument in get_args(hint) for leaf in leaves(argument)]
    return list(get_args(hint)) or [hint]


def inside(hint: Any, path: list[str]) -> Any:
    """The type at the end of a path of field names; raises LookupError where it breaks off."""
    if not path:
        return hint
    for leaf in leaves(hint):
        if isinstance(leaf, type) and issubclass(leaf, BaseModel) and path[0] in leaf.model_fields:
            return inside(leaf.model_fields[path[0]].annotation, path[1:])
        if isinstance(leaf, type) and issubclass(leaf, msgspec.Struct):
            fields = {field.name: field.type for field in msgspec.structs.fields(leaf)}
            if path[0] in fields:
                return inside(fields[path[0]], path[1:])
    raise LookupError(f"{hint} has no field {path[0]!r}")


def type_at(home: str) -> Any:
    first, second, *rest = home.split(".")
    if first == "envelope":
        assert not rest
        return second if isinstance(getattr(Event, second), property) else inside(Event, [second])
    if first == "view":
        return inside(VIEWS[second], rest)
    return inside(FACT_OF[f"{first}.{second}"], rest)


def is_home(home: str) -> bool:
    try:
        type_at(home)
    except LookupError:
        return False
    return len(home.split(".")) >= (2 if home.startswith("envelope.") else 3)


def test_every_field_has_a_home() -> None:
    assert {field: home for field, home in HOMES.items() if not is_home(home)} == {}


@pytest.mark.parametrize("home", ["qa.recorded.nothing", "view.qa.nothing", "view.runs.input.x"])
def test_a_home_that_is_not_there_is_noticed(home: str) -> None:
    with pytest.raises(LookupError):
        type_at(home)


def test_every_event_type_has_a_fact() -> None:
    assert {old: new for old, new in EVENT_TYPES.items() if new not in FACT_OF} == {}


def test_every_value_of_an_enumeration_can_be_said() -> None:
    unsaid = {home: {*values} - {*leaves(type_at(home))} for home, values in VALUES.items()}
    assert {home: values for home, values in unsaid.items() if values} == {}
