"""One row per session with a script: what it remembers beside the places in its scenarios.

Fired rules, the session's own variables, and the migration it is marked for. A newer mark replaces
the one before; a mark is cleared by whatever clears, for a session has one. Names beyond the
bounds are left out, which is kept in `anomalies`, as is clearing where there was no mark.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from ledger.events import Event

from ..engine.projection import Projection, payload
from .anomalies import Anomaly, anomaly
from .changes import Changes, reached

RULES_MAX = 1_000
VARIABLES_MAX = 1_000


class Script(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A session's rules, variables and pending migration.

    `rule_fires` counts by rule, `rule_last_fire_turn` is the turn number of the last time. The
    `migration_…` fields are all None where no migration is pending, except `migration_scenario_id`
    and `migration_policy`, which a mark may leave out.
    """

    tenant: str
    session_id: str
    first_sequence: int
    last_sequence: int
    position: int
    rule_fires: dict[str, int] = msgspec.field(default_factory=dict)
    rule_last_fire_turn: dict[str, int] = msgspec.field(default_factory=dict)
    variables: dict[str, Any] = msgspec.field(default_factory=dict)
    variable_updated_at: dict[str, datetime] = msgspec.field(default_factory=dict)
    relocalization_count: int = 0
    migration_plan_id: str | None = None
    migration_scenario_id: str | None = None
    migration_target_version: int | None = None
    migration_anchor_content_hash: str | None = None
    migration_policy: dict[str, Any] | None = None
    migration_marked_at: datetime | None = None
    last_migration_action: str | None = None
    last_migration_sources: dict[str, str] = msgspec.field(default_factory=dict)
    created_at: datetime
    updated_at: datetime
    anomaly_count: int = 0
    anomalies: list[Anomaly] = msgspec.field(default_factory=list)


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """Every fact touches its session's row, except a variable of a scenario."""
    if event.type in _VARIABLES and payload(event).get("scenario_id") is not None:
        return ()
    return ((event.tenant, event.session_id),)


def apply(script: Script | None, event: Event) -> Script:
    """Return the session's row after one more fact."""
    if script is None:
        script = Script(
            tenant=event.tenant,
            session_id=event.session_id,
            first_sequence=event.sequence,
            last_sequence=event.sequence,
            position=event.position,
            created_at=event.occurred_at,
            updated_at=event.occurred_at,
        )
    return msgspec.structs.replace(
        script,
        **reached(event),
        **_FOLDS[event.type](script, event, payload(event)),
    )


def _fired(script: Script, event: Event, data: Changes) -> Changes:
    rule_id = data.get("rule_id")
    if rule_id is None:
        return {}
    if rule_id not in script.rule_fires and len(script.rule_fires) >= RULES_MAX:
        return anomaly(script, event, "left out, it is beyond the bound of rules")
    fires = script.rule_fires.get(rule_id, 0) + data.get("times", 1)
    turns = {**script.rule_last_fire_turn, rule_id: data.get("turn_number", 0)}
    return {"rule_fires": {**script.rule_fires, rule_id: fires}, "rule_last_fire_turn": turns}


def _set(script: Script, event: Event, data: Changes) -> Changes:
    name = data.get("name")
    if name is None:
        return {}
    if name not in script.variables and len(script.variables) >= VARIABLES_MAX:
        return anomaly(script, event, "left out, it is beyond the bound of variables")
    return {
        "variables": {**script.variables, name: data.get("value")},
        "variable_updated_at": {**script.variable_updated_at, name: event.occurred_at},
    }


def _unset(script: Script, event: Event, data: Changes) -> Changes:
    return {
        field: {name: value for name, value in getattr(script, field).items() if name != unset}
        for field in ("variables", "variable_updated_at")
        for unset in [data.get("name")]
    }


def _relocalized(script: Script, event: Event, data: Changes) -> Changes:
    return {"relocalization_count": script.relocalization_count + 1}


def _marked(script: Script, event: Event, data: Changes) -> Changes:
    marked_at = data.get("marked_at")
    return {
        "migration_plan_id": data.get("migration_plan_id"),
        "migration_scenario_id": data.get("scenario_id"),
        "migration_target_version": data.get("target_version"),
        "migration_anchor_content_hash": data.get("anchor_content_hash"),
        "migration_policy": data.get("policy"),
        "migration_marked_at": datetime.fromisoformat(marked_at)
        if marked_at
        else event.occurred_at,
    }


def _cleared(script: Script, event: Event, data: Changes) -> Changes:
    changes: Changes = dict.fromkeys(_MIGRATION)
    changes["last_migration_action"] = data.get("action")
    changes["last_migration_sources"] = data.get("resolution_sources", {})
    if script.migration_marked_at is None:
        changes.update(anomaly(script, event, "applied, no migration was pending"))
    return changes


_VARIABLES = frozenset({"variable.set", "variable.unset"})
_MIGRATION = tuple(name for name in Script.__struct_fields__ if name.startswith("migration_"))
_FOLDS: dict[str, Callable[[Script, Event, Changes], Changes]] = {
    "rule.fired": _fired,
    "variable.set": _set,
    "variable.unset": _unset,
    "scenario.relocalized": _relocalized,
    "migration.marked": _marked,
    "migration.cleared": _cleared,
}

SCRIPTS = Projection(
    name="scripts",
    version=1,
    view=Script,
    key=("tenant", "session_id"),
    keys=keys,
    apply=apply,
    indexes=(("tenant", "migration_plan_id"),),
    types=frozenset(_FOLDS),
)
