"""Facts about moving sessions to a new version of their scenario."""

from typing import Literal

from pydantic import Field

from .base import Count, Fact, Id, Json, JsonObject, Moment, Part


class ScopeFilter(Part):
    """Which sessions a migration is for; conditions combine with AND, empty ones do not apply."""

    include_channels: list[str] = Field(default_factory=list)
    exclude_channels: list[str] = Field(default_factory=list)
    include_current_nodes: list[str] = Field(default_factory=list)
    exclude_current_nodes: list[str] = Field(default_factory=list)
    max_session_age_days: Count | None = None
    min_session_age_days: Count | None = None
    custom_conditions: list[Json] = Field(default_factory=list)


class AnchorPolicy(Part):
    """How sessions standing at one anchor step are treated."""

    anchor_content_hash: str
    anchor_name: str | None = None
    scope_filter: ScopeFilter = Field(default_factory=ScopeFilter)
    update_downstream: bool = True
    force_scenario: Literal["clean_graft", "gap_fill", "re_route"] | None = None


class MigrationPlanRecorded(Fact, type="migration.plan_recorded", version=1):
    """A plan as it stands now, told whole at every change of its status.

    It belongs into a session of the plan's own, not into the sessions it will move.
    """

    plan_id: Id
    scenario_id: Id
    from_version: Count
    to_version: Count
    status: Literal["pending", "approved", "deployed", "superseded", "rejected"] = "pending"
    from_checksum: str | None = None
    to_checksum: str | None = None
    transformation_map: JsonObject = Field(default_factory=dict)
    anchor_policies: dict[str, AnchorPolicy] = Field(default_factory=dict)
    summary: Json = None
    created_at: Moment | None = None
    created_by: Id | None = None
    approved_at: Moment | None = None
    approved_by: Id | None = None
    deployed_at: Moment | None = None
    expires_at: Moment | None = None


class MigrationMarked(Fact, type="migration.marked", version=1):
    """The session is to be moved at its next turn; an earlier mark is replaced."""

    target_version: Count
    anchor_content_hash: str
    migration_plan_id: Id
    scenario_id: Id | None = None
    policy: AnchorPolicy | None = None
    marked_at: Moment | None = None


class MigrationCleared(Fact, type="migration.cleared", version=1):
    """The mark is gone, and how: what was done, and where missing values were found."""

    migration_plan_id: Id | None = None
    action: Literal["continue", "teleport", "collect", "execute_action", "exit_scenario"] | None = (
        None
    )
    resolution_sources: dict[str, Literal["profile", "session", "extraction", "not_found"]] = Field(
        default_factory=dict
    )
    reason: str | None = None
