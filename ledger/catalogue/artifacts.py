"""Facts about files a session produced; their bytes live elsewhere."""

from pydantic import Field

from .base import Count, Fact, Id, JsonObject


class ArtifactRegistered(Fact, type="artifact.registered", version=1):
    """An artifact was stored under `key`, which may be used again after its deletion."""

    artifact_id: Id
    key: str
    content_type: str | None = None
    byte_size: Count | None = None
    checksum_sha256: str | None = None
    storage_backend: str | None = None
    storage_ref: str | None = None
    metadata: JsonObject = Field(default_factory=dict)


class ArtifactDeleted(Fact, type="artifact.deleted", version=1):
    """An artifact is no longer offered."""

    artifact_id: Id
    reason: str | None = None
