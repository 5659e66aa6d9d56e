"""Every bound of the log, by name.

The id bounds are not taste: tenant, session id and event id share one btree key, and PostgreSQL
refuses index rows over 2,704 bytes. 1,024 + 1,024 + 512 bytes fit with their headers. An index of
somebody else's that has more ids of an event beside these has room for as many bytes: for 2,560 of
all its ids together.
"""

from __future__ import annotations

import msgspec

TENANT_BYTES_MAX = 1_024
SESSION_ID_BYTES_MAX = 1_024
ID_BYTES_MAX = 512
TYPE_BYTES_MAX = 128
CONTENT_TYPE_BYTES_MAX = 256
METADATA_BYTES_MAX = 16_384
NESTING_DEPTH_MAX = 64
SCHEMA_VERSION_MAX = 65_535
INTEGER_MIN = -(2**63)
INTEGER_MAX = 2**64 - 1
SEQUENCE_MAX = 2**63 - 1
BUCKETS_MAX = 1_024
READ_PAGE_EVENTS = 5_000
FEED_LIMIT_MAX = 100_000
FEED_SCAN_EVENTS_MAX = 50_000
SESSION_IDS_LIMIT_MAX = 10_000
WAIT_SECONDS_MAX = 86_400.0
#: The last microsecond since 1970 that a datetime in UTC can hold.
MICROSECONDS_MAX = 253_402_300_799_999_999
TIMEOUT_SECONDS_MAX = 86_400.0
#: PostgreSQL cuts longer names off, and would find another ledger's.
SCHEMA_BYTES_MAX = 63
POOL_SIZE_MAX = 1_000
LANES_MAX = 256
#: No row of any backend holds more.
STORED_BYTES_MAX = 1_000_000_000
#: A try of an append waits so long for a lock, and then lets others use its connection.
LOCK_SLICE_S = 0.25


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds a ledger may be opened with; sizes are bytes of the stored form."""

    payload_bytes_max: int = 1_048_576
    batch_events_max: int = 10_000
    batch_bytes_max: int = 67_108_864
