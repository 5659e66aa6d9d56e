-- "asl1" as a 32-bit number: how a ledger's file is told from any other SQLite file.
PRAGMA application_id = 1634954289;
PRAGMA user_version = 1;

CREATE TABLE ledger_info (
    ledger_id TEXT NOT NULL,
    buckets INTEGER NOT NULL
) STRICT;

-- The end of each bucket. It could be derived from events, but an append would pay for that twice.
CREATE TABLE buckets (
    bucket INTEGER PRIMARY KEY,
    position INTEGER NOT NULL,
    recorded_us INTEGER NOT NULL
) STRICT;

-- The columns are the fields of ledger.records.Record, in order: rows become records unnamed.
CREATE TABLE events (
    bucket INTEGER NOT NULL,
    position INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    session_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    run_id TEXT,
    occurred_us INTEGER NOT NULL,
    recorded_us INTEGER NOT NULL,
    actor TEXT,
    causation_id TEXT,
    correlation_id TEXT,
    trace_id TEXT,
    span_id TEXT,
    metadata TEXT NOT NULL,
    content_type TEXT NOT NULL,
    payload BLOB NOT NULL,
    salt BLOB NOT NULL,
    payload_digest BLOB NOT NULL,
    event_hash BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX events_by_position ON events (bucket, position);
CREATE UNIQUE INDEX events_by_sequence ON events (bucket, tenant, session_id, sequence);
CREATE UNIQUE INDEX events_by_id ON events (bucket, tenant, session_id, event_id);

-- Tiny: the last deletion of a session is looked up on every read.
CREATE INDEX events_deleting ON events (bucket, tenant, session_id, sequence)
    WHERE type = 'session.deleted';

CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only: UPDATE is refused');
END;

CREATE TRIGGER events_refuse_delete BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only: DELETE is refused');
END;

-- INSERT OR REPLACE deletes the row in its way without firing a DELETE trigger. NEW.rowid is -1
-- when the statement names none. Costs 2 µs an event, 1 % of a durable append. FAIL, for with ABORT
-- SQLite copies what each INSERT is about to change, a twentieth of a batch's time.
CREATE TRIGGER events_refuse_replace BEFORE INSERT ON events
WHEN EXISTS (SELECT 1 FROM events WHERE bucket = NEW.bucket AND position = NEW.position)
    OR EXISTS (
        SELECT 1 FROM events
        WHERE bucket = NEW.bucket AND tenant = NEW.tenant AND session_id = NEW.session_id
            AND sequence = NEW.sequence
    )
    OR EXISTS (
        SELECT 1 FROM events
        WHERE bucket = NEW.bucket AND tenant = NEW.tenant AND session_id = NEW.session_id
            AND event_id = NEW.event_id
    )
    OR (NEW.rowid <> -1 AND EXISTS (SELECT 1 FROM events WHERE rowid = NEW.rowid))
BEGIN
    SELECT RAISE(FAIL, 'events are append-only: REPLACE is refused');
END;
