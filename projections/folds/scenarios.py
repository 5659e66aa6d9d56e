"""One row per session and scenario: where in it the conversation stands.

The position is the last `scenario.step_entered`: its id, name and content hash as said, null
included; a null version keeps the one that was said before. Sessions are found by scenario,
version and content hash through an index.

Rules for facts that do not fit (each is also kept in `anomalies`):
- whatever comes before the start is applied, to a scenario taken as active;
- a start while it runs changes version, checksum and variables, and keeps the position; a start
  after the end begins anew;
- the first end stands; a step after it moves the position and not the status;
- a content hash too long for an index is left out, its whole text is among the step visits;
- variables beyond VARIABLES_MAX are left out;
- an exit from a scenario that the session is not in changes nothing.

An exit takes the row away; the step visits stay. Where it leaves anomalies, the status is "exited".
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from ledger.events import Event

from ..engine.projection import Projection, payload
from .anomalies import Anomaly, anomaly, carried
from .bounds import with_items
from .changes import Changes

ACTIVE = "active"
EXITED = "exited"
TERMINAL = frozenset({"completed", "cancelled"})
HASH_BYTES_MAX = 256
VARIABLES_MAX = 1_000
VISITED_STEPS_MAX = 1_000


class Scenario(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A scenario in a session. `status` is active, paused, completed or cancelled.

    `visited_steps` counts the visits of each step. `checkpoint_step_id` is the last step entered
    that was one. `variables` are the scenario's own. With `missing_since` the session is not in
    the scenario, and there are only anomalies.
    """

    tenant: str
    session_id: str
    scenario_id: str
    first_sequence: int
    last_sequence: int
    position: int
    scenario_version: int | None = None
    scenario_checksum: str | None = None
    is_primary: bool = False
    status: str = ACTIVE
    status_reason: str | None = None
    step_id: str | None = None
    step_name: str | None = None
    step_content_hash: str | None = None
    is_checkpoint: bool = False
    turn_number: int | None = None
    step_count: int = 0
    visited_steps: dict[str, int] = msgspec.field(default_factory=dict)
    checkpoint_step_id: str | None = None
    relocalization_count: int = 0
    variables: dict[str, Any] = msgspec.field(default_factory=dict)
    variable_updated_at: dict[str, datetime] = msgspec.field(default_factory=dict)
    created_at: datetime
    last_active_at: datetime
    started_at: datetime | None = None
    step_entered_at: datetime | None = None
    paused_at: datetime | None = None
    ended_at: datetime | None = None
    missing_since: datetime | None = None
    anomaly_count: int = 0
    anomalies: list[Anomaly] = msgspec.field(default_factory=list)


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """A fact touches the scenario it names; a session's own variables touch none."""
    scenario_id = payload(event).get("scenario_id")
    return () if scenario_id is None else ((event.tenant, event.session_id, scenario_id),)


def apply(scenario: Scenario | None, event: Event) -> Scenario | None:
    """Return the scenario after one more fact, None if there is none or no longer."""
    if event.type == "scenario.exited":
        return _exited(scenario, event)
    data = payload(event)
    starts = event.type == "scenario.started"
    unknown = scenario is None or scenario.missing_since is not None
    if scenario is None or unknown or (starts and scenario.status in TERMINAL):
        scenario = _new(event, data["scenario_id"], **carried(scenario))
        if not starts:
            scenario = _with_anomaly(scenario, event, "applied, the scenario was not started")
    scenario = msgspec.structs.replace(
        scenario,
        last_sequence=event.sequence,
        position=event.position,
        last_active_at=event.occurred_at,
    )
    return _FOLDS[event.type](scenario, event, data)


def _new(event: Event, scenario_id: str, **told: Any) -> Scenario:
    return Scenario(
        tenant=event.tenant,
        session_id=event.session_id,
        scenario_id=scenario_id,
        first_sequence=event.sequence,
        last_sequence=event.sequence,
        position=event.position,
        created_at=event.occurred_at,
        last_active_at=event.occurred_at,
        **told,
    )


def _exited(scenario: Scenario | None, event: Event) -> Scenario | None:
    """Return what is left: nothing, or the anomalies alone."""
    unknown = scenario is None or scenario.missing_since is not None
    if scenario is not None and not unknown and not scenario.anomaly_count:
        return None
    left = _new(
        event,
        payload(event)["scenario_id"],
        status=EXITED,
        missing_since=event.occurred_at,
        **carried(scenario),
    )
    if not unknown:
        return left
    return _with_anomaly(left, event, "ignored, the session was not in the scenario")


def _with_anomaly(scenario: Scenario, event: Event, reason: str) -> Scenario:
    return msgspec.structs.replace(scenario, **anomaly(scenario, event, reason))


def _started(scenario: Scenario, event: Event, data: Changes) -> Scenario:
    if scenario.started_at is not None:
        scenario = _with_anomaly(scenario, event, "started before: its position is kept")
    scenario = msgspec.structs.replace(
        scenario,
        scenario_version=data.get("scenario_version"),
        scenario_checksum=data.get("scenario_checksum"),
        is_primary=data.get("primary", False),
        status=ACTIVE,
        status_reason=None,
        started_at=scenario.started_at or event.occurred_at,
        paused_at=None,
        ended_at=None,
    )
    return _with_variables(scenario, event, data.get("variables", {}))


def _step_entered(scenario: Scenario, event: Event, data: Changes) -> Scenario:
    if scenario.status in TERMINAL:
        scenario = _with_anomaly(scenario, event, f"applied, it was {scenario.status} already")
    content_hash = data.get("step_content_hash")
    if content_hash is not None and len(content_hash.encode()) > HASH_BYTES_MAX:
        scenario = _with_anomaly(scenario, event, "applied without its hash, which is too long")
        content_hash = None
    step_id, version = data.get("step_id"), data.get("scenario_version")
    checkpoint = data.get("is_checkpoint", False)
    return msgspec.structs.replace(
        scenario,
        scenario_version=scenario.scenario_version if version is None else version,
        step_id=step_id,
        step_name=data.get("step_name"),
        step_content_hash=content_hash,
        is_checkpoint=checkpoint,
        turn_number=data.get("turn_number", 0),
        step_count=scenario.step_count + 1,
        visited_steps=_visited(scenario.visited_steps, step_id),
        checkpoint_step_id=step_id if checkpoint else scenario.checkpoint_step_id,
        step_entered_at=event.occurred_at,
    )


def _visited(steps: dict[str, int], step_id: str | None) -> dict[str, int]:
    if step_id is None or (step_id not in steps and len(steps) >= VISITED_STEPS_MAX):
        return steps
    return {**steps, step_id: steps.get(step_id, 0) + 1}


def _relocalized(scenario: Scenario, event: Event, data: Changes) -> Scenario:
    return msgspec.structs.replace(scenario, relocalization_count=scenario.relocalization_count + 1)


def _moves_to(status: str) -> Callable[[Scenario, Event, Changes], Scenario]:
    def fold(scenario: Scenario, event: Event, data: Changes) -> Scenario:
        if scenario.status in TERMINAL:
            return _with_anomaly(scenario, event, f"ignored, it was {scenario.status} already")
        if scenario.status == status:
            scenario = _with_anomaly(scenario, event, f"it was {status} already")
        return msgspec.structs.replace(
            scenario,
            status=status,
            status_reason=data.get("reason"),
            paused_at=event.occurred_at if status == "paused" else None,
            ended_at=event.occurred_at if status in TERMINAL else None,
        )

    return fold


def _variable_set(scenario: Scenario, event: Event, data: Changes) -> Scenario:
    return _with_variables(scenario, event, {data["name"]: data.get("value")})


def _variable_unset(scenario: Scenario, event: Event, data: Changes) -> Scenario:
    return msgspec.structs.replace(
        scenario,
        variables=_without(scenario.variables, data.get("name")),
        variable_updated_at=_without(scenario.variable_updated_at, data.get("name")),
    )


def _without(values: Changes, name: str | None) -> Changes:
    return {one: value for one, value in values.items() if one != name}


def _with_variables(scenario: Scenario, event: Event, added: Changes) -> Scenario:
    variables, left_out = with_items(scenario.variables, added, VARIABLES_MAX)
    if left_out:
        scenario = _with_anomaly(scenario, event, "left out what is beyond the bound of variables")
    set_now = dict.fromkeys(added.keys() & variables.keys(), event.occurred_at)
    return msgspec.structs.replace(
        scenario, variables=variables, variable_updated_at=scenario.variable_updated_at | set_now
    )


_FOLDS: dict[str, Callable[[Scenario, Event, Changes], Scenario]] = {
    "scenario.started": _started,
    "scenario.step_entered": _step_entered,
    "scenario.relocalized": _relocalized,
    "scenario.paused": _moves_to("paused"),
    "scenario.resumed": _moves_to(ACTIVE),
    "scenario.completed": _moves_to("completed"),
    "scenario.cancelled": _moves_to("cancelled"),
    "variable.set": _variable_set,
    "variable.unset": _variable_unset,
}

SCENARIOS = Projection(
    name="scenarios",
    version=1,
    view=Scenario,
    key=("tenant", "session_id", "scenario_id"),
    keys=keys,
    apply=apply,
    indexes=(
        (
            "tenant",
            "scenario_id",
            "scenario_version",
            "step_content_hash",
            "status",
            "last_active_at",
            "session_id",
        ),
    ),
    types=frozenset({*_FOLDS, "scenario.exited"}),
)
