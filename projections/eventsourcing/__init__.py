"""The ledger as a persistence module of the eventsourcing library, extra `eventsourcing`.

    PERSISTENCE_MODULE=projections.eventsourcing
    LEDGER_URL=sqlite:///ledger.db

moves an application here as it is. Its aggregates are sessions of the tenant that has its name:
hash-chained, verified, exported and followed like any other. Views of its projections derive from
`LedgerTrackingRecorder` and keep their rows in tables beside the log.

Notification ids are positions of one ledger. An import keeps sequences and numbers positions anew,
in order of recording, and those of one commit in the order of their sessions. So views are rebuilt
then; the tracking of a process application, which is part of the log, holds if it was imported into
an empty ledger, together with what it follows, and had come to the end of that.
"""

from __future__ import annotations

from .factory import LedgerFactory
from .mapping import LedgerMapper
from .processing import LedgerProcessRecorder
from .recording import LedgerAggregateRecorder, LedgerApplicationRecorder
from .rows import Edit, view_table
from .snapshots import LedgerSnapshotRecorder
from .subscribing import LedgerSubscription
from .tracking import LedgerTrackingRecorder

__all__ = [
    "Edit",
    "LedgerAggregateRecorder",
    "LedgerApplicationRecorder",
    "LedgerFactory",
    "LedgerMapper",
    "LedgerProcessRecorder",
    "LedgerSnapshotRecorder",
    "LedgerSubscription",
    "LedgerTrackingRecorder",
    "view_table",
]
