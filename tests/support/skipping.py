"""A fact that a view leaves out: no fold can store it, so somebody skipped it."""

from typing import Any

import pytest
from msgspec.structs import replace

from ledger import Append, NewEvent
from ledger.records import Unit
from projections import ProjectionFailed, Views


def append_left_out(ledger: Any, session_id: str, type: str, *, tenant: str = "") -> None:
    """Append a fact with an agent's id that is longer than one may be, and skip it for the sessions."""
    append = Append(session_id, [NewEvent({}, type)], tenant=tenant)
    [part] = ledger.door.batch([append]).unit.parts
    draft = replace(part.drafts[0], payload=b'{"agent_id":"%b"}' % (b"a" * 20_000))
    ledger.backend.append([Unit((replace(part, drafts=(draft,)),))], wait=True)
    views, [left] = Views(ledger), ledger.read(session_id, tenant=tenant)[-1:]
    with pytest.raises(ProjectionFailed):
        views.catch_up()
    views.skip("sessions", bucket=left.bucket, position=left.position, reason="long", by="me")
