"""Facts about a session as a whole: whose it is, how it stands, what it is called."""

from typing import Literal

from pydantic import Field

from .base import Count, Fact, Id, JsonObject, Sequence, SessionId

SessionStatus = Literal[
    "pending",
    "active",
    "idle",
    "processing",
    "interrupted",
    "paused",
    "completed",
    "failed",
    "cancelled",
    "closed",
]


class SessionCreated(Fact, type="session.created", version=1):
    """A session began. Optional: a session exists from its first fact, whatever that is."""

    agent_id: Id | None = None
    owner_id: Id | None = None
    channel: Id | None = None
    user_channel_id: Id | None = None
    customer_profile_id: Id | None = None
    interlocutor_id: Id | None = None
    external_id: Id | None = None
    dataset_id: Id | None = None
    parent_session_id: SessionId | None = None
    config_version: Count | None = None
    status: SessionStatus = "pending"
    label: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    tags: list[str] = Field(default_factory=list)
    metadata: JsonObject = Field(default_factory=dict)
    context: JsonObject = Field(default_factory=dict)


class SessionRekeyed(Fact, type="session.rekeyed", version=1):
    """What the session is found by has changed. Absent keeps a key, null clears it."""

    agent_id: Id | None = None
    owner_id: Id | None = None
    channel: Id | None = None
    user_channel_id: Id | None = None
    customer_profile_id: Id | None = None
    interlocutor_id: Id | None = None
    external_id: Id | None = None
    dataset_id: Id | None = None
    parent_session_id: SessionId | None = None


class SessionAmended(Fact, type="session.amended", version=1):
    """What the session carries was replaced, field by field. Absent keeps a field."""

    config_version: Count | None = None
    metadata: JsonObject = Field(default_factory=dict)
    context: JsonObject = Field(default_factory=dict)


class SessionStatusChanged(Fact, type="session.status_changed", version=1):
    """The session moved to `status`; completed, failed, cancelled and closed end it.

    Nothing follows the end, unless whoever keeps sessions as records `reopens` it on purpose.
    """

    status: SessionStatus
    reopens: bool = False
    reason: str | None = None
    error: JsonObject | None = None


class SessionClosed(Fact, type="session.closed", version=1):
    """The session was closed without a verdict on its outcome."""

    reason: str | None = None


class SessionLabelled(Fact, type="session.labelled", version=1):
    """The session was given a name to show, or key-value labels.

    `label`: absent keeps, null removes it, so that the conversation may give one again. `labels`
    are merged key by key; null removes a key.
    """

    label: str | None = None
    labels: dict[str, str | None] = Field(default_factory=dict)


class SessionTagged(Fact, type="session.tagged", version=1):
    """Tags were added and removed; a difference, so that two writers' tags both survive."""

    added: list[str] = Field(default_factory=list)
    removed: list[str] = Field(default_factory=list)


class SessionArchived(Fact, type="session.archived", version=1):
    """The session was put aside: lists leave it out by default, a read by id still finds it."""

    reason: str | None = None


class SessionRestored(Fact, type="session.restored", version=1):
    """An archived session was taken up again."""

    reason: str | None = None


class SessionDeleted(Fact, type="session.deleted", version=1):
    """Everything before is hidden from every reader; later facts begin a new incarnation."""

    reason: str | None = None


class SessionForked(Fact, type="session.forked", version=1):
    """The session continues `parent` after its event `at`. The ledger's `fork` writes it."""

    parent: SessionId
    at: Sequence
