"""Facts about scripted conversations: scenarios and their steps, rules and variables."""

from pydantic import Field

from .base import Count, Fact, Fraction, Id, Json, JsonObject


class ScenarioStarted(Fact, type="scenario.started", version=1):
    """A scenario became active; the entry step follows as `scenario.step_entered`.

    `primary` makes it the one scenario that single-scenario readers see.
    """

    scenario_id: Id
    scenario_version: Count | None
    scenario_checksum: str | None = None
    primary: bool = False
    variables: JsonObject = Field(default_factory=dict)


class ScenarioStepEntered(Fact, type="scenario.step_entered", version=1):
    """A step was entered.

    Version, name and content hash must be said, if only as null: sessions are found by them, and
    where they could be left out nobody ever filled them in.
    """

    scenario_id: Id
    scenario_version: Count | None
    step_id: Id
    step_name: str | None
    step_content_hash: str | None
    turn_number: Count = 0
    transition_reason: str | None = None
    confidence: Fraction = 1.0
    is_checkpoint: bool = False
    checkpoint_description: str | None = None


class ScenarioRelocalized(Fact, type="scenario.relocalized", version=1):
    """The place in a scenario was lost and found again; the step follows as `step_entered`."""

    scenario_id: Id
    from_step_id: Id | None = None
    to_step_id: Id | None = None
    reason: str | None = None


class ScenarioPaused(Fact, type="scenario.paused", version=1):
    """A scenario waits."""

    scenario_id: Id
    reason: str | None = None


class ScenarioResumed(Fact, type="scenario.resumed", version=1):
    """A paused scenario goes on where it was."""

    scenario_id: Id
    reason: str | None = None


class ScenarioCompleted(Fact, type="scenario.completed", version=1):
    """A scenario reached its end."""

    scenario_id: Id
    reason: str | None = None


class ScenarioCancelled(Fact, type="scenario.cancelled", version=1):
    """A scenario was given up and stays listed."""

    scenario_id: Id
    reason: str | None = None


class ScenarioExited(Fact, type="scenario.exited", version=1):
    """A scenario was left and is no longer part of the session."""

    scenario_id: Id
    reason: str | None = None


class RuleFired(Fact, type="rule.fired", version=1):
    """A rule matched, `times` times in this turn."""

    rule_id: Id
    turn_number: Count = 0
    times: Count = 1


class VariableSet(Fact, type="variable.set", version=1):
    """A variable got a value, in the session or in one scenario of it."""

    name: Id
    value: Json
    scenario_id: Id | None = None


class VariableUnset(Fact, type="variable.unset", version=1):
    """A variable was removed."""

    name: Id
    scenario_id: Id | None = None
