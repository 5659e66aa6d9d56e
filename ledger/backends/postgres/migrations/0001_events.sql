-- The log: its identity, the ends of its buckets, and its events.
-- Every unique key starts with bucket and no table refers to another one, so that events and
-- buckets can be distributed by bucket as they are (Citus) and ledger_info copied to every node.

CREATE TABLE {schema}.ledger_info (
    -- one row: the key says so
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    ledger_id text NOT NULL,
    buckets integer NOT NULL CHECK (buckets BETWEEN 1 AND 1024),
    schema_version integer NOT NULL,
    created_us bigint NOT NULL
);

-- One row per bucket, locked and updated by every append. The rows are spread over pages that stay
-- mostly empty, so that updates are HOT. Later the setting is taken back (opening.sql): it also
-- tells the server how full a page may be before every access prunes it.
CREATE TABLE {schema}.buckets (
    bucket integer PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0,
    recorded_us bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 25);

-- The columns of ledger.records.Record, in order. COLLATE "C" sorts by code point, as Python does.
CREATE TABLE {schema}.events (
    bucket integer NOT NULL,
    position bigint NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    session_id text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    schema_version integer NOT NULL,
    run_id text COLLATE "C",
    occurred_us bigint NOT NULL,
    recorded_us bigint NOT NULL,
    actor text COLLATE "C",
    causation_id text COLLATE "C",
    correlation_id text COLLATE "C",
    trace_id text COLLATE "C",
    span_id text COLLATE "C",
    metadata text COLLATE "C" NOT NULL,
    content_type text COLLATE "C" NOT NULL,
    payload bytea NOT NULL,
    salt bytea NOT NULL,
    payload_digest bytea NOT NULL,
    event_hash bytea NOT NULL,
    PRIMARY KEY (bucket, position)
);

-- The planner takes the youngest of equally cheap indexes, and on an empty table all are equal:
-- the order of these three statements is what keeps a plan made then good later (test_plans).
CREATE UNIQUE INDEX events_sequence ON {schema}.events (bucket, tenant, session_id, sequence);
CREATE UNIQUE INDEX events_event_id ON {schema}.events (bucket, tenant, session_id, event_id);
CREATE INDEX events_deleted ON {schema}.events (bucket, tenant, session_id, sequence)
    WHERE type = 'session.deleted';
