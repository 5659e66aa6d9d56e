"""Why a handler stopped, as it is raised and as it is kept. Pure."""

from __future__ import annotations

from datetime import datetime

from ledger.records import Record

from ...errors import HandlerFailed, shown
from ..stops import Failure, said
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


def kept(failure: HandlerFailed, at: datetime) -> Failure:
    """Return what is kept of a failure for everybody to see."""
    return Failure(
        projection=failure.handler,
        version=failure.version,
        bucket=failure.bucket,
        position=failure.position,
        event_id=failure.event_id,
        error=failure.reason,
        at=at,
    )
