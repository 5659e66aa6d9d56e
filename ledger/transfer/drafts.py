"""From a record of another ledger to the draft that makes this one compute the same hashes."""

from __future__ import annotations

from ..digests import body_digest_of
from ..records import Draft, Record


def draft_of(record: Record) -> Draft:
    """Return the draft that stores the same event again: its salt, times and bytes kept."""
    return Draft(
        record.event_id,
        record.type,
        record.schema_version,
        record.run_id,
        record.occurred_us,
        True,
        record.actor,
        record.causation_id,
        record.correlation_id,
        record.trace_id,
        record.span_id,
        record.metadata,
        record.content_type,
        record.payload,
        record.salt,
        record.payload_digest,
        body_digest_of(record),
        record.recorded_us,
    )
