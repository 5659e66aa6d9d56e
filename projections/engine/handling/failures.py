"""Why a handler stopped, as it is raised. Pure."""

from __future__ import annotations

from ledger.records import Record
from ledger.refusals import said
from ledger.visible_text import shown

from ...errors import HandlerFailed
from .handlers import Handler


def failed(handler: Handler, record: Record, error: Exception) -> HandlerFailed:
    """Return the failure of a handler at an event."""
    failure = HandlerFailed(
        handler.name,
        handler.version,
        record.bucket,
        record.position,
        record.event_id,
        shown(said(error)),
    )
    failure.__cause__ = error
    return failure
