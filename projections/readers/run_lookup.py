"""Finding a run whose session is not known."""

from __future__ import annotations

from ledger.plans import Plan

from ..folds.runs import RUNS, Run
from .consistency import Consistency
from .listing_queries import text_filter
from .reading import Reader

#: Of so many sessions that have a run of one id the run that is meant is looked for.
RUNS_OF_ID_MAX = 100


def run_by_id(
    reader: Reader, run_id: str, tenant: str, consistency: Consistency
) -> Plan[Run | None]:
    """Return the newest run of an id that somebody told of, else the newest that facts name."""
    found: list[Run] = []
    # Nearly always the newest is meant, and one row comes out of the index in order.
    for limit in (1, RUNS_OF_ID_MAX):
        found = yield from reader.of_tenant(
            RUNS.name,
            tenant,
            consistency,
            order=("created_at", "session_id", "run_id"),
            limit=limit,
            newest_first=True,
            run_id=text_filter("run_id", run_id)[1],
        )
        told = [one for one in found if one.created_sequence or one.status != "pending"]
        if told or len(found) < limit:
            return told[0] if told else next(iter(found), None)
    return found[0]
