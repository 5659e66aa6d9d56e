"""What the tests of the conversation store are written with: the store, sessions, random sessions."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from projections.folds.turns import TURNS
from projections.session_stores.conversation import (
    AsyncConversationStore,
    Channel,
    ConversationStore,
    PendingMigration,
    ScenarioInstance,
    Session,
    SessionStatus,
    StepVisit,
)
from projections.session_stores.conversation.rows import PROJECTIONS
from tests.support.blocking import Blocking
from tests.support.views import views_of as all_views_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def uuid(number: int) -> UUID:
    """Return the UUID that a test knows by a number; 0 would be nobody's."""
    return UUID(int=(0xC0FFEE << 64) + number)


TENANT, OTHER_TENANT, AGENT, SCENARIO, OTHER_SCENARIO = map(uuid, (1, 2, 3, 4, 5))


def store_of(ledger: Any, **options: Any) -> Any:
    """Open the store of a ledger of either style, of the tests' tenant unless another is said."""
    options = {"tenant_id": TENANT, "views": plain(views_of(ledger))} | options
    if isinstance(ledger, Blocking):
        return Blocking(AsyncConversationStore(ledger._target, **options), ledger._loop)
    return ConversationStore(ledger, **options)


def views_of(ledger: Any) -> Any:
    """Open the views that conversations are in, and no others: every table takes time to make."""
    return all_views_of(ledger, *PROJECTIONS, TURNS)


def plain(views: Any) -> Any:
    """Return views as a store takes them."""
    return views._target if isinstance(views, Blocking) else views


def at(minutes: float) -> datetime:
    """Return the moment that many minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def clock_from(minutes: float = 0) -> Callable[[], datetime]:
    """Return a clock that goes on by a minute whenever it is looked at."""
    passed = iter(range(1_000_000))
    return lambda: at(minutes + next(passed))


def session_of(number: int = 100, **fields: Any) -> Session:
    """Return a session that was never saved; its number makes its id and its place in time."""
    moment = at(number)
    told: dict[str, Any] = {
        "session_id": uuid(number),
        "tenant_id": TENANT,
        "agent_id": AGENT,
        "channel": "webchat",
        "user_channel_id": f"user {number}",
        "config_version": 1,
        "created_at": moment,
    }
    return Session(**told | fields)


def visit(number: int, step: int = 1, **fields: Any) -> StepVisit:
    """Return a visit of a numbered step, whose hash and name are of the step."""
    told: dict[str, Any] = {
        "step_id": uuid(1_000 + step),
        "step_name": f"step {step}",
        "step_content_hash": f"hash {step}",
        "turn_number": number,
        "entered_at": at(number),
    }
    return StepVisit(**told | fields)


def standing(number: int = 100, step: int = 1, version: int = 1, **fields: Any) -> Session:
    """Return a session that stands at a step of the scenario, as single-scenario code has it."""
    told: dict[str, Any] = {
        "active_scenario_id": SCENARIO,
        "active_step_id": uuid(1_000 + step),
        "active_scenario_version": version,
        "step_history": [visit(1, step)],
    }
    return session_of(number, **told | fields)


def instance(scenario: UUID = OTHER_SCENARIO, step: int = 2, **fields: Any) -> ScenarioInstance:
    """Return one of several scenarios that a session is in."""
    told: dict[str, Any] = {
        "scenario_id": scenario,
        "scenario_version": 1,
        "current_step_id": uuid(1_000 + step),
        "visited_steps": {uuid(1_000 + step): 1},
        "started_at": at(1),
        "last_active_at": at(2),
    }
    return ScenarioInstance(**told | fields)


def full_session(number: int = 100) -> Session:
    """Return a session in which every field of every model has another value than by default."""
    return standing(
        number,
        step=2,
        version=3,
        channel="voice",
        customer_profile_id=uuid(6),
        interlocutor_id=uuid(7),
        config_version=9,
        active_scenarios=[
            instance(variables={"size": [1, {"deep": None}]}, visited_steps={uuid(1_002): 4}),
            instance(uuid(8), 3, status="paused", paused_at=at(3)),
            instance(uuid(9), 4, status="completed"),
            instance(uuid(10), 5, status="cancelled"),
        ],
        step_history=[
            visit(1, 1, transition_reason="said so", confidence=0.25),
            visit(2, 2, is_checkpoint=True, checkpoint_description="paid"),
        ],
        relocalization_count=2,
        rule_fires={"greet": 3, "refund": 1},
        rule_last_fire_turn={"greet": 7, "refund": 2},
        variables={"name": "Ana", "age": 7, "share": 0.5, "open": True, "none": None},
        variable_updated_at={"name": at(4), "age": at(5)},
        turn_count=8,
        status="processing",
        pending_migration=PendingMigration(
            target_version=4,
            anchor_content_hash="hash 2",
            migration_plan_id=uuid(11),
            marked_at=at(6),
        ),
        scenario_checksum="checksum",
        last_activity_at=at(number + 5),
    )


_SMALL = st.integers(0, 3)
_NAMES = st.sampled_from(["a", "b", "c"])
_MOMENTS = st.integers(0, 10_000).map(lambda number: at(number / 60_000_000))
_JSON: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 1, 1.0, "", "text", [1], {"k": {"l": []}}]
)
_STEPS = st.integers(1, 4).map(lambda number: uuid(1_000 + number))
_HASHES = st.sampled_from([None, "hash 1", "hash 2"])

VISITS = st.builds(
    StepVisit,
    step_id=_STEPS,
    step_name=st.sampled_from([None, "one", "two"]),
    entered_at=_MOMENTS,
    turn_number=_SMALL,
    transition_reason=st.sampled_from([None, "why"]),
    confidence=st.sampled_from([0.0, 0.5, 1.0]),
    is_checkpoint=st.booleans(),
    checkpoint_description=st.sampled_from([None, "here"]),
    step_content_hash=_HASHES,
)
INSTANCES = st.builds(
    ScenarioInstance,
    scenario_id=st.sampled_from([SCENARIO, OTHER_SCENARIO, uuid(8)]),
    scenario_version=_SMALL,
    current_step_id=_STEPS,
    visited_steps=st.dictionaries(_STEPS, _SMALL, max_size=2),
    started_at=_MOMENTS,
    last_active_at=_MOMENTS,
    paused_at=st.none() | _MOMENTS,
    variables=st.dictionaries(_NAMES, _JSON, max_size=2),
    status=st.sampled_from(["active", "paused", "completed", "cancelled", "of its own"]),
)
#: Every field of a session but those that name it and tell where it stands in time.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "agent_id": st.sampled_from([AGENT, uuid(12)]),
    "channel": st.sampled_from(Channel),
    "user_channel_id": _NAMES,
    "customer_profile_id": st.sampled_from([None, uuid(6), uuid(13)]),
    "interlocutor_id": st.sampled_from([None, uuid(7)]),
    "config_version": _SMALL,
    "active_scenarios": st.lists(INSTANCES, max_size=3, unique_by=lambda one: one.scenario_id),
    "active_scenario_id": st.sampled_from([None, SCENARIO, OTHER_SCENARIO]),
    "active_step_id": st.none() | _STEPS,
    "active_scenario_version": st.none() | _SMALL,
    "step_history": st.lists(VISITS, max_size=5),
    "relocalization_count": _SMALL,
    "rule_fires": st.dictionaries(_NAMES, _SMALL, max_size=2),
    "rule_last_fire_turn": st.dictionaries(_NAMES, _SMALL, max_size=2),
    "variables": st.dictionaries(_NAMES, _JSON, max_size=2),
    "variable_updated_at": st.dictionaries(_NAMES, _MOMENTS, max_size=2),
    "turn_count": _SMALL,
    "status": st.sampled_from(SessionStatus),
    "pending_migration": st.none()
    | st.builds(
        PendingMigration,
        target_version=_SMALL,
        anchor_content_hash=st.sampled_from(["", "hash 1"]),
        migration_plan_id=st.sampled_from([uuid(11), uuid(14)]),
        marked_at=_MOMENTS,
    ),
    "scenario_checksum": st.sampled_from([None, "one", "two"]),
    "created_at": _MOMENTS,
}
#: Several of a session's fields with new values.
CHANGES = st.fixed_dictionaries({}, optional=FIELDS)
