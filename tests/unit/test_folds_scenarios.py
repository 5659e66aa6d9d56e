"""What the views of scenarios, step visits and scripts say after given facts."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.catalogue import (
    Fact,
    MigrationCleared,
    MigrationMarked,
    RuleFired,
    ScenarioCancelled,
    ScenarioCompleted,
    ScenarioExited,
    ScenarioPaused,
    ScenarioRelocalized,
    ScenarioResumed,
    ScenarioStarted,
    ScenarioStepEntered,
    VariableSet,
    VariableUnset,
)
from projections.folds.anomalies import Anomaly
from projections.folds.scenarios import HASH_BYTES_MAX, SCENARIOS, VARIABLES_MAX, Scenario
from projections.folds.scripts import SCRIPTS, Script
from projections.folds.step_visits import STEP_VISITS, StepVisit
from tests.support.folds import at, event_of, events_of, fold, only, unmarked

STARTED = ScenarioStarted(
    scenario_id="x", scenario_version=2, scenario_checksum="sum", primary=True, variables={"v": 1}
)


def entered(step_id: str = "a", **fields: Any) -> ScenarioStepEntered:
    usual: dict[str, Any] = {
        "scenario_id": "x",
        "scenario_version": 2,
        "step_id": step_id,
        "step_name": step_id.upper(),
        "step_content_hash": f"#{step_id}",
    }
    return ScenarioStepEntered(**usual | fields)


def expected(last: int, **fields: Any) -> Scenario:
    usual: dict[str, Any] = {
        "tenant": "t",
        "session_id": "s",
        "scenario_id": "x",
        "first_sequence": 1,
        "last_sequence": last,
        "position": 100 + last,
        "scenario_version": 2,
        "scenario_checksum": "sum",
        "is_primary": True,
        "variables": {"v": 1},
        "variable_updated_at": {"v": at(1)},
        "created_at": at(1),
        "started_at": at(1),
        "last_active_at": at(last),
    }
    return Scenario(**usual | fields)


def scenario_after(*facts: Fact) -> Any:
    return only(SCENARIOS, events_of(*facts))


AT_B: dict[str, Any] = {
    "step_id": "b",
    "step_name": "B",
    "step_content_hash": "#b",
    "turn_number": 3,
    "step_count": 3,
    "visited_steps": {"a": 1, "b": 2},
    "checkpoint_step_id": "a",
}


def test_the_position_is_the_last_step_entered() -> None:
    steps = [entered("b"), entered("a", is_checkpoint=True), entered("b", turn_number=3)]
    assert scenario_after(STARTED) == expected(1)
    assert scenario_after(STARTED, *steps) == expected(4, step_entered_at=at(4), **AT_B)


def test_null_clears_name_and_hash_and_keeps_the_version() -> None:
    row = scenario_after(
        STARTED,
        entered(),
        entered("b", scenario_version=None, step_name=None, step_content_hash=None),
    )
    assert (row.step_name, row.step_content_hash, row.scenario_version) == (None, None, 2)


def test_a_migrated_scenario_has_its_new_version() -> None:
    assert scenario_after(STARTED, entered(), entered(scenario_version=3)).scenario_version == 3


def test_a_scenario_waits_and_goes_on() -> None:
    pause, resume = ScenarioPaused(scenario_id="x", reason="r"), ScenarioResumed(scenario_id="x")
    assert scenario_after(STARTED, pause) == expected(
        2, status="paused", status_reason="r", paused_at=at(2)
    )
    assert scenario_after(STARTED, pause, resume) == expected(3)


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (ScenarioCompleted(scenario_id="x"), "completed"),
        (ScenarioCancelled(scenario_id="x"), "cancelled"),
    ],
)
def test_the_first_end_stands_and_a_start_after_it_begins_anew(end: Fact, status: str) -> None:
    row = scenario_after(STARTED, end, ScenarioResumed(scenario_id="x"), entered())
    assert (row.status, row.ended_at, row.step_id) == (status, at(2), "a")
    assert [anomaly.reason for anomaly in row.anomalies] == [
        f"ignored, it was {status} already",
        f"applied, it was {status} already",
    ]
    again = scenario_after(entered(), STARTED, end, STARTED)
    times = {"created_at": at(4), "started_at": at(4), "variable_updated_at": {"v": at(4)}}
    assert unmarked(again) == expected(4, first_sequence=4, **times)


def test_a_start_while_it_runs_keeps_the_position() -> None:
    again = ScenarioStarted(scenario_id="x", scenario_version=3)
    row = scenario_after(STARTED, entered(), again)
    assert (row.scenario_version, row.step_id, row.variables) == (3, "a", {"v": 1})
    reason = "started before: its position is kept"
    assert row.anomalies == [Anomaly(3, "scenario.started", reason)]


def test_what_comes_before_the_start_is_applied() -> None:
    row = scenario_after(entered(), STARTED)
    assert (row.step_id, row.step_content_hash, row.started_at) == ("a", "#a", at(2))
    reason = "applied, the scenario was not started"
    assert row.anomalies == [Anomaly(1, "scenario.step_entered", reason)]


def test_a_hash_too_long_for_an_index_is_left_out_and_kept_among_the_visits() -> None:
    step = entered(step_content_hash="é" * HASH_BYTES_MAX)
    row = scenario_after(STARTED, step)
    assert (row.step_content_hash, row.anomaly_count) == (None, 1)
    assert only(STEP_VISITS, [event_of(step)]).step_content_hash == "é" * HASH_BYTES_MAX
    fits = scenario_after(STARTED, entered(step_content_hash="h" * HASH_BYTES_MAX))
    assert (fits.step_content_hash, fits.anomaly_count) == ("h" * HASH_BYTES_MAX, 0)


def test_variables_belong_to_the_scenario_they_name() -> None:
    own = VariableSet(name="w", value=[2], scenario_id="x")
    shared = VariableSet(name="w", value="all")
    gone = VariableUnset(name="v", scenario_id="x")
    events = events_of(STARTED, own, shared, gone)
    [row] = fold(SCENARIOS, events).values()
    assert (row.variables, row.variable_updated_at) == ({"w": [2]}, {"w": at(2)})
    [script] = fold(SCRIPTS, events).values()
    assert (script.variables, script.variable_updated_at) == ({"w": "all"}, {"w": at(3)})


def test_variables_beyond_the_bound_are_left_out() -> None:
    many = ScenarioStarted(
        scenario_id="x", scenario_version=1, variables={str(n): n for n in range(VARIABLES_MAX + 1)}
    )
    row = scenario_after(many)
    assert (len(row.variables), len(row.variable_updated_at)) == (VARIABLES_MAX, VARIABLES_MAX)
    assert row.anomaly_count == 1
    changed = scenario_after(many, VariableSet(name="0", value="new", scenario_id="x"))
    assert (changed.variables["0"], changed.anomaly_count) == ("new", 1)


def test_an_exit_takes_the_scenario_away_and_leaves_its_visits() -> None:
    events = events_of(STARTED, entered(), ScenarioExited(scenario_id="x"))
    assert fold(SCENARIOS, events) == {}
    assert len(fold(STEP_VISITS, events)) == 1


def test_a_visit_has_what_was_said() -> None:
    told: dict[str, Any] = {
        "turn_number": 4,
        "transition_reason": "asked",
        "confidence": 0.5,
        "is_checkpoint": True,
        "checkpoint_description": "paid",
    }
    assert only(STEP_VISITS, [event_of(entered(**told), run_id="r")]) == StepVisit(
        tenant="t",
        session_id="s",
        visit_id="e1",
        first_sequence=1,
        last_sequence=1,
        position=101,
        run_id="r",
        scenario_id="x",
        scenario_version=2,
        step_id="a",
        step_name="A",
        step_content_hash="#a",
        entered_at=at(1),
        **told,
    )


def script(last: int, **fields: Any) -> Script:
    usual: dict[str, Any] = {
        "tenant": "t",
        "session_id": "s",
        "first_sequence": 1,
        "last_sequence": last,
        "position": 100 + last,
        "created_at": at(1),
        "updated_at": at(last),
    }
    return Script(**usual | fields)


def test_rules_are_counted_with_the_turn_of_the_last_time() -> None:
    fired = [RuleFired(rule_id="r", turn_number=1, times=2), RuleFired(rule_id="r", turn_number=5)]
    assert only(SCRIPTS, events_of(*fired)) == script(
        2, rule_fires={"r": 3}, rule_last_fire_turn={"r": 5}
    )


def test_relocalizations_are_counted_in_the_scenario_and_in_the_session() -> None:
    events = events_of(STARTED, ScenarioRelocalized(scenario_id="x"))
    assert only(SCENARIOS, events) == expected(2, relocalization_count=1)
    assert only(SCRIPTS, events).relocalization_count == 1


MARKED = MigrationMarked(
    target_version=3, anchor_content_hash="#a", migration_plan_id="p", marked_at=at(-9)
)


def test_a_session_is_marked_for_one_migration_until_that_is_cleared() -> None:
    pending: dict[str, Any] = {
        "migration_plan_id": "p",
        "migration_target_version": 3,
        "migration_anchor_content_hash": "#a",
        "migration_marked_at": at(-9),
    }
    assert only(SCRIPTS, events_of(MARKED)) == script(1, **pending)
    later = MigrationMarked(target_version=4, anchor_content_hash="#b", migration_plan_id="q")
    row = only(SCRIPTS, events_of(MARKED, later))
    assert (row.migration_plan_id, row.migration_marked_at) == ("q", at(2))
    done = MigrationCleared(action="teleport", resolution_sources={"name": "profile"})
    assert only(SCRIPTS, events_of(MARKED, done)) == script(
        2, last_migration_action="teleport", last_migration_sources={"name": "profile"}
    )


def test_clearing_where_nothing_was_pending_is_noted() -> None:
    assert only(SCRIPTS, events_of(MigrationCleared())) == script(
        1,
        anomaly_count=1,
        anomalies=[Anomaly(1, "migration.cleared", "applied, no migration was pending")],
    )
