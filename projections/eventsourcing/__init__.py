"""The ledger as a persistence module of the eventsourcing library, extra `eventsourcing`.

    PERSISTENCE_MODULE=projections.eventsourcing
    LEDGER_URL=sqlite:///ledger.db

moves an application here as it is. Its aggregates are sessions of the tenant that has its name:
hash-chained, verified, exported and followed like any other. Views of its projections derive from
`LedgerTrackingRecorder` and keep their rows in tables beside the log.
"""

from __future__ import annotations

from .factory import LedgerFactory
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
    "LedgerProcessRecorder",
    "LedgerSnapshotRecorder",
    "LedgerSubscription",
    "LedgerTrackingRecorder",
    "view_table",
]
