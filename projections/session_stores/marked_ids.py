"""Ids of events with the mark of one life of their session, as a deletion ends it. Pure.

The ledger knows an id for as long as a session's log; what is told again behind a deletion is new.
"""

from __future__ import annotations

import re
from hashlib import sha256

from ledger.limits import ID_BYTES_MAX

#: What stands behind an id that has a mark: the incarnation.
MARK = re.compile(r"@([0-9]+)\Z")


def marked_id(event_id: str, incarnation: int) -> str:
    """Return an id with the mark of an incarnation; of one that gets too long its digest stands for it."""
    marked = f"{event_id}@{incarnation}"
    if len(marked.encode()) <= ID_BYTES_MAX:
        return marked
    # No mark of a whole id has a 0 in front of another digit, so no digest is another one's id.
    return f"{sha256(event_id.encode()).hexdigest()}@0{incarnation}"
