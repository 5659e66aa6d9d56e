"""soldier's session and what is nested in it, as its code programs against them: models to change.

Assignments are validated; what is changed inside of a list or a dict is validated by the save.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID, uuid4

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
)

from ledger import InvalidArgument
from ledger.catalogue.base import Count, Fraction, Id

from .bases import Base

#: So many of the last steps a session has; all of them are in the views.
STEP_HISTORY_MAX = 1_000


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        # Which pydantic would let through, where of a ValueError it makes an error of the field.
        raise ValueError("before the year 1 or after the year 9999 in UTC") from None


def _now() -> datetime:
    return datetime.now(UTC)


Moment = Annotated[
    AwareDatetime,
    AfterValidator(_utc),
    PlainSerializer(datetime.isoformat, return_type=str, when_used="json"),
]
"""A datetime with an offset, kept in UTC."""


class Channel(StrEnum):
    """Where a customer talks."""

    WHATSAPP = "whatsapp"
    SLACK = "slack"
    WEBCHAT = "webchat"
    EMAIL = "email"
    VOICE = "voice"
    SMS = "sms"
    API = "api"


class SessionStatus(StrEnum):
    """How a session stands."""

    ACTIVE = "active"
    IDLE = "idle"
    PROCESSING = "processing"
    INTERRUPTED = "interrupted"
    CLOSED = "closed"


#: The statuses of a session that goes on.
OPEN = tuple(one for one in SessionStatus if one is not SessionStatus.CLOSED)


class _Model(BaseModel):
    # Numbers that JSON does not have are refused when they are saved, where null would hide them.
    model_config = ConfigDict(
        validate_assignment=True, extra="forbid", ser_json_inf_nan="constants"
    )


class StepVisit(_Model):
    """A step of a scenario that was entered."""

    step_id: UUID
    step_name: str | None = None
    entered_at: Moment = Field(default_factory=_now)
    turn_number: Count
    transition_reason: str | None = None
    confidence: Fraction = 1.0
    is_checkpoint: bool = False
    checkpoint_description: str | None = None
    step_content_hash: str | None = None


class PendingMigration(_Model):
    """A mark: at its next turn the session is moved to another version of its scenario."""

    target_version: Count
    anchor_content_hash: str
    migration_plan_id: UUID
    marked_at: Moment = Field(default_factory=_now)


class ScenarioInstance(_Model):
    """One of several scenarios that a session is in; `status` is usually one of four.

    active, paused, completed, cancelled.
    """

    scenario_id: UUID
    scenario_version: Count
    current_step_id: UUID
    visited_steps: dict[UUID, Count] = Field(default_factory=dict)
    started_at: Moment = Field(default_factory=_now)
    last_active_at: Moment = Field(default_factory=_now)
    paused_at: Moment | None = None
    variables: dict[str, Any] = Field(default_factory=dict)
    status: str = "active"


class Session(_Model):
    """A conversation of a customer with an agent on a channel.

    `version` is the last sequence of the session when it was read or saved, 0 if it never was. A
    save is refused if what the session says was changed behind it. The object also knows what was
    stored at that version, which makes the next save quicker, and is no part of what it says.
    """

    session_id: UUID = Field(default_factory=uuid4)
    tenant_id: UUID
    agent_id: UUID
    channel: Channel
    user_channel_id: Id
    customer_profile_id: UUID | None = None
    interlocutor_id: UUID | None = None
    config_version: Count
    active_scenarios: list[ScenarioInstance] = Field(default_factory=list)
    active_scenario_id: UUID | None = None
    active_step_id: UUID | None = None
    active_scenario_version: Count | None = None
    step_history: list[StepVisit] = Field(default_factory=list)
    relocalization_count: Count = 0
    rule_fires: dict[str, Count] = Field(default_factory=dict)
    rule_last_fire_turn: dict[str, Count] = Field(default_factory=dict)
    variables: dict[str, Any] = Field(default_factory=dict)
    variable_updated_at: dict[str, Moment] = Field(default_factory=dict)
    turn_count: Count = 0
    status: SessionStatus = SessionStatus.ACTIVE
    pending_migration: PendingMigration | None = None
    scenario_checksum: str | None = None
    created_at: Moment = Field(default_factory=_now)
    last_activity_at: Moment = Field(default_factory=lambda data: data["created_at"])
    version: Count = 0
    _base: Base | None = PrivateAttr(default=None)


def base_of(session: Session) -> Base | None:
    """Return what a session object was when it was read or saved, None if nobody knows.

    Raises InvalidArgument for what is no session.
    """
    if not isinstance(session, Session):
        raise InvalidArgument("session", f"expected a Session, got {type(session).__name__}")
    # What `session._base` comes to by way of two functions of pydantic's.
    private = session.__pydantic_private__
    return None if private is None else private.get("_base")


def keep(session: Session, version: int, base: Base | None) -> None:
    """Let a session object know at which version it is stored, and as what."""
    if session.version != version:  # to assign it validates the session
        session.version = version
    session._base = base
