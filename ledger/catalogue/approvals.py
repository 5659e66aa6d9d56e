"""Facts about permission: approvals asked for and decided, policies broken, plans shown."""

from typing import Literal

from pydantic import Field

from .base import Fact, Id, Json, Part


class ApprovalRequested(Fact, type="approval.requested", version=1):
    """Somebody was asked to allow an action; `action_key` names its kind for later decisions."""

    approval_id: Id
    title: str | None = None
    message: str | None = None
    action_key: Id | None = None
    risk_level: Literal["safe", "sensitive", "destructive"] | None = None
    raw: Json = None
    source: str | None = None
    tool_name: Id | None = None
    policy_name: Id | None = None
    call_id: Id | None = None


class ApprovalDecided(Fact, type="approval.decided", version=1):
    """The answer. Allowing always, with an `action_key`, is remembered for the session."""

    approval_id: Id
    decision: Literal["allow_once", "allow_always", "deny"]
    action_key: Id | None = None
    tool_name: Id | None = None
    reason: str | None = None


class ApprovalRevoked(Fact, type="approval.revoked", version=1):
    """What was always allowed must be asked for again."""

    action_key: Id
    reason: str | None = None


class PolicyViolated(Fact, type="policy.violated", version=1):
    """A policy was broken, and what was done about it."""

    policy: Id
    kind: Id
    action: Literal["cancel", "request_approval", "warn"] | None = None
    tool_name: Id | None = None
    call_id: Id | None = None
    details: Json = None


class PlanStep(Part):
    """A line of an agent's plan."""

    step: str
    status: Literal["pending", "in_progress", "completed"] = "pending"


class PlanUpdated(Fact, type="plan.updated", version=1):
    """The agent's plan, whole, as it is now."""

    objective: str
    explanation: str | None = None
    plan: list[PlanStep] = Field(default_factory=list)
