"""A session as leaves: (path, JSON value) pairs, of a model or of rows, so that both compare. Pure.

A leaf is what can change alone: a field, an entry of a dict, a field of a scenario. The history of
steps is no leaf; see remainders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ...folds.scenarios import SCENARIOS as PLACES
from ...folds.scenarios import Scenario
from ...folds.scripts import SCRIPTS, Script
from ...folds.session_status import TERMINAL
from ...folds.sessions import SESSIONS
from ...folds.sessions import Session as SessionRow
from ...folds.step_visits import STEP_VISITS, StepVisit
from .models import STEP_HISTORY_MAX, Channel, Session, SessionStatus
from .rows import Rows, is_uuid

Path = tuple[str, ...]
Leaves = dict[Path, Any]

SCENARIOS, HISTORY = "active_scenarios", "step_history"
#: Numbers that only count: what others add is added to what a save said.
COUNTERS = frozenset({"turn_count", "relocalization_count", "rule_fires", "visited_steps"})
_DICTS = ("rule_fires", "rule_last_fire_turn", "variables", "variable_updated_at")
_SCENARIO_DICTS = ("visited_steps", "variables")
# What decides about a session that nobody asked for, not what it says.
_APART = frozenset({"session_id", "tenant_id", "last_activity_at", "version"})
_NO_LEAVES = _APART | {HISTORY, SCENARIOS, *_DICTS}
#: The fields in which a session says something.
SAID = tuple(name for name in Session.model_fields if name not in _APART)
_CHANNELS = frozenset(Channel)
# Statuses that soldier does not have, as what they mean to it.
_STATUSES = {"pending": "active", "paused": "idle"} | dict.fromkeys(TERMINAL, "closed")
#: What a status of soldier's is among all that a session can have.
MEANT = {
    one: tuple(sorted({one.value, *(name for name, meant in _STATUSES.items() if meant == one)}))
    for one in SessionStatus
}

# Of one of these types, what is equal is the same.
_AS_THEY_ARE = frozenset({str, int, float, bool})
_encode = msgspec.json.Encoder(order="deterministic").encode
_NEGATIVE_ZERO = b"-0.0"


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same text: 1, 1.0 and true are three.

    0.0 and -0.0 are one, for views give back the first where the second was told.
    """
    if one is other:
        return True
    if type(one) is type(other):
        if type(one) in _AS_THEY_ARE:
            return bool(one == other)
        if type(one) in (dict, list) and not one:
            return not other
    first, second = _encode(one), _encode(other)
    if first == second:
        return True
    signed = _NEGATIVE_ZERO in first or _NEGATIVE_ZERO in second
    return signed and _unsigned(one) == _unsigned(other)


def _unsigned(value: Any) -> bytes:
    return _encode(_without_sign(msgspec.to_builtins(value)))


def _without_sign(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_sign(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_without_sign(one) for one in value]
    return value + 0.0 if isinstance(value, float) else value


def differing(names: Iterable[str], one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the names under which two mappings have other JSON values; none is null."""
    found = []
    for name in names:
        first, second = one.get(name), other.get(name)
        # Most are the same object, and to call a function that looks takes three times as long.
        if first is not second and not same(first, second):
            found.append(name)
    return found


def leaves(session: Mapping[str, Any]) -> Leaves:
    """Return the leaves of a session as JSON has it."""
    found: Leaves = {(name,): value for name, value in session.items() if name not in _NO_LEAVES}
    found |= {(name, key): value for name in _DICTS for key, value in session.get(name, {}).items()}
    instances = session.get(SCENARIOS, [])
    found[SCENARIOS,] = [one["scenario_id"] for one in instances]
    for one in instances:
        found |= {
            (SCENARIOS, one["scenario_id"], *rest): value for rest, value in _of_scenario(one)
        }
    return found


def _of_scenario(one: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    for name, value in one.items():
        if name in _SCENARIO_DICTS:
            yield from (((name, key), entry) for key, entry in value.items())
        elif name != "scenario_id":
            yield (name,), value


def session_of(found: Leaves) -> dict[str, Any]:
    """Return the session that has these leaves, as JSON, without what stands apart.

    It shares nothing with them that could be changed in one and not in the other.
    """
    session: dict[str, Any] = {name: {} for name in _DICTS}
    instances = {
        id_: {"scenario_id": id_, "visited_steps": {}, "variables": {}} for id_ in found[SCENARIOS,]
    }
    for path, value in found.items():
        if len(path) == 1:
            session[path[0]] = _detached(value)
        elif path[0] != SCENARIOS:
            session[path[0]][path[1]] = _detached(value)
        elif path[1] in instances:
            place: dict[str, Any] = instances[path[1]]
            for name in path[2:-1]:
                place = place[name]
            place[path[-1]] = _detached(value)
    return session | {SCENARIOS: list(instances.values())}


def moments(session: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield where a session as JSON says when something was, and when; not where it is marked."""
    for name in ("created_at", "last_activity_at"):
        yield name, session[name]
    for number, visit in enumerate(session[HISTORY]):
        yield f"{HISTORY}[{number}].entered_at", visit["entered_at"]
    for key, moment in session["variable_updated_at"].items():
        yield f"variable_updated_at.{key}", moment
    for number, one in enumerate(session[SCENARIOS]):
        for name in ("started_at", "last_active_at", "paused_at"):
            if one[name] is not None:
                yield f"{SCENARIOS}[{number}].{name}", one[name]


def _detached(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _detached(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_detached(one) for one in value]
    return value


def is_conversation(row: SessionRow | None) -> bool:
    """Whether a session is one of soldier's: with an agent, a channel, and who talks there."""
    return (
        row is not None
        and row.channel in _CHANNELS
        and row.user_channel_id is not None
        and all(map(is_uuid, (row.session_id, row.tenant, row.agent_id)))
    )


def leaves_of_rows(rows: Rows, *, listed: bool) -> Leaves:
    """Return what the rows of a conversation say; `listed` puts the primary scenario among all."""
    if rows.session is None:
        return leaves({})
    return leaves(_of_session(rows) | _of_script(rows) | _of_scenarios(rows, listed=listed))


def said_by_rows(rows: Rows) -> dict[str, Any]:
    """Return what they say as JSON has it, without what stands apart; nothing without a session.

    What is nested in it is the rows' own: it is not to be changed.
    """
    said: dict[str, Any] = {}
    if rows.session is not None:
        for part in _PARTS.values():
            said |= part(rows)
    return said


def said_after(said: Mapping[str, Any], before: Rows, rows: Rows) -> dict[str, Any]:
    """Return what rows say, of which those from before `said` something else.

    A fact changes one view or two of five: a fifth of the time.
    """
    if before.session is None or rows.session is None:
        return said_by_rows(rows)
    now = dict(said)
    for name, part in _PARTS.items():
        if rows.views[name] is not before.views[name]:
            now |= part(rows)
    return now


def _of_session(rows: Rows) -> dict[str, Any]:
    row = rows.session
    if row is None:
        return {}
    return {
        "agent_id": row.agent_id,
        "channel": row.channel,
        "user_channel_id": row.user_channel_id,
        "customer_profile_id": _uuid(row.customer_profile_id),
        "interlocutor_id": _uuid(row.interlocutor_id),
        "config_version": row.config_version or 0,
        "turn_count": row.turn_count,
        "status": _STATUSES.get(row.status, row.status),
        "created_at": row.created_at.isoformat(),
    }


def _of_script(rows: Rows) -> dict[str, Any]:
    script = rows.script
    if script is None:
        remembered: dict[str, Any] = {name: {} for name in _DICTS}
        return remembered | {"relocalization_count": 0, "pending_migration": None}
    return {
        "relocalization_count": script.relocalization_count,
        "rule_fires": script.rule_fires,
        "rule_last_fire_turn": script.rule_last_fire_turn,
        "variables": script.variables,
        "variable_updated_at": {
            key: moment.isoformat() for key, moment in script.variable_updated_at.items()
        },
        "pending_migration": _migration(script),
    }


def _migration(script: Script) -> dict[str, Any] | None:
    if script.migration_marked_at is None or not is_uuid(script.migration_plan_id):
        return None
    return {
        "target_version": script.migration_target_version,
        "anchor_content_hash": script.migration_anchor_content_hash,
        "migration_plan_id": script.migration_plan_id,
        "marked_at": script.migration_marked_at.isoformat(),
    }


def _uuid(text: str | None) -> str | None:
    return text if is_uuid(text) else None


def primary(scenarios: Iterable[Scenario]) -> Scenario | None:
    """Return the one scenario that single-scenario readers see, the last if there are several."""
    return next((one for one in reversed(list(scenarios)) if one.is_primary), None)


def _of_scenarios(rows: Rows, *, listed: bool = False) -> dict[str, Any]:
    scenarios = rows.scenarios
    first = primary(scenarios)
    return {
        "active_scenario_id": None if first is None else first.scenario_id,
        "active_step_id": None if first is None else _uuid(first.step_id),
        "active_scenario_version": None if first is None else first.scenario_version,
        "scenario_checksum": None if first is None else first.scenario_checksum,
        SCENARIOS: [
            _instance(one)
            for one in scenarios
            if (listed or one is not first)
            and one.scenario_version is not None
            and is_uuid(one.step_id)
        ],
    }


def _instance(one: Scenario) -> dict[str, Any]:
    return {
        "scenario_id": one.scenario_id,
        "scenario_version": one.scenario_version,
        "current_step_id": one.step_id,
        "status": one.status,
        "paused_at": None if one.paused_at is None else one.paused_at.isoformat(),
        "last_active_at": one.last_active_at.isoformat(),
        "started_at": (one.started_at or one.created_at).isoformat(),
        "visited_steps": {key: count for key, count in one.visited_steps.items() if is_uuid(key)},
        "variables": one.variables,
    }


def visit_of(visit: StepVisit) -> dict[str, Any]:
    """Return a visit as soldier has it in JSON."""
    return {
        "step_id": visit.step_id,
        "step_name": visit.step_name,
        "entered_at": visit.entered_at.isoformat(),
        "turn_number": visit.turn_number,
        "transition_reason": visit.transition_reason,
        "confidence": visit.confidence,
        "is_checkpoint": visit.is_checkpoint,
        "checkpoint_description": visit.checkpoint_description,
        "step_content_hash": visit.step_content_hash,
    }


def _of_visits(rows: Rows) -> dict[str, Any]:
    return {HISTORY: [visit_of(one) for one in rows.visits[-STEP_HISTORY_MAX:]]}


# What is said by which view.
_PARTS: dict[str, Callable[[Rows], dict[str, Any]]] = {
    SESSIONS.name: _of_session,
    SCRIPTS.name: _of_script,
    PLACES.name: _of_scenarios,
    STEP_VISITS.name: _of_visits,
}
