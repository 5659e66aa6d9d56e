"""Facts about the files an agent works on."""

from .base import Count, Fact, Json


class WorkspaceSnapshotTaken(Fact, type="workspace.snapshot_taken", version=1):
    """The workspace was kept as `ref` of a backend such as git."""

    ref: str
    backend: str | None = None
    label: str | None = None
    metadata: Json = None


class WorkspaceDiffComputed(Fact, type="workspace.diff_computed", version=1):
    """Two states of the workspace were compared; a large patch is kept as an artifact."""

    files_changed: Count = 0
    insertions: Count = 0
    deletions: Count = 0
    from_ref: str | None = None
    to_ref: str | None = None
    has_patch: bool = False
    patch: str | None = None
    patch_ref: str | None = None
    patch_bytes: Count | None = None
    patch_truncated: bool = False


class WorkspaceRolledBack(Fact, type="workspace.rolled_back", version=1):
    """The workspace was put back to `ref`."""

    ref: str
    backend: str | None = None
    reason: str | None = None
