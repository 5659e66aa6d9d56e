-- Functions of schema version 2 as they were released, from which a test upgrades.
-- append_events for a single event, in half of its time: one event needs no loops and repays no
-- arrays, and every expression of PL/pgSQL is prepared again in every transaction. It decides only
-- the plain case, a new event whose conditions hold, and answers sequence, position and
-- recorded_us as int8send, then event_hash. For NULL, with nothing stored, ask append_events.
CREATE OR REPLACE FUNCTION {schema}.append_event(
    wait boolean,
    bucket_id integer,
    tenant_ text,
    session_id_ text,
    expected bigint, -- -1: any
    genesis bytea,
    schema_version_ bigint,
    occurred_us_ bigint,
    given_us bigint, -- -1: the clock
    event_id_ text,
    type_ text,
    run_id_ text,
    actor_ text,
    causation_id_ text,
    correlation_id_ text,
    trace_id_ text,
    span_id_ text,
    metadata_ text,
    content_type_ text,
    payload_ bytea,
    salt_ bytea,
    payload_digest_ bytea,
    body_digest bytea,
    incarnation bigint DEFAULT -1 -- -1: any; the default is for processes of version 1
)
RETURNS bytea
LANGUAGE plpgsql VOLATILE AS $function$
DECLARE
    next_position bigint;
    stamp bigint;
    bucket_us bigint;
    next_sequence bigint;
    hash bytea;
BEGIN
    IF wait THEN
        SELECT b.position + 1, b.recorded_us, CASE WHEN given_us < 0 THEN
            greatest(b.recorded_us, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
            ELSE given_us END
        INTO next_position, bucket_us, stamp
        FROM {schema}.buckets AS b WHERE b.bucket = bucket_id FOR NO KEY UPDATE;
    ELSE
        SELECT b.position + 1, b.recorded_us, CASE WHEN given_us < 0 THEN
            greatest(b.recorded_us, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
            ELSE given_us END
        INTO next_position, bucket_us, stamp
        FROM {schema}.buckets AS b WHERE b.bucket = bucket_id FOR NO KEY UPDATE SKIP LOCKED;
    END IF;
    IF incarnation >= 0 THEN
        IF incarnation <> coalesce((
            SELECT e.sequence FROM {schema}.events AS e
            WHERE e.bucket = bucket_id AND e.tenant = tenant_ AND e.session_id = session_id_
                AND e.type = 'session.deleted'
            ORDER BY e.sequence DESC LIMIT 1
        ), 0) THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO {schema}.events
    SELECT bucket_id, next_position, tenant_, session_id_, n.sequence, event_id_, type_,
        schema_version_, run_id_, occurred_us_, stamp, actor_, causation_id_,
        correlation_id_, trace_id_, span_id_, metadata_, content_type_, payload_, salt_,
        payload_digest_, sha256(decode('61736c313a6576656e7400', 'hex') || n.previous_hash
            || int8send(n.sequence) || int8send(stamp) || body_digest)
    FROM (SELECT) AS one LEFT JOIN LATERAL (
        SELECT e.sequence, e.event_hash FROM {schema}.events AS e
        WHERE e.bucket = bucket_id AND e.tenant = tenant_ AND e.session_id = session_id_
        ORDER BY e.sequence DESC LIMIT 1
    ) AS h ON true CROSS JOIN LATERAL (
        SELECT coalesce(h.sequence, 0) + 1 AS sequence,
            coalesce(h.event_hash, genesis) AS previous_hash
    ) AS n
    WHERE next_position > 0 AND (expected < 0 OR expected = n.sequence - 1) AND NOT EXISTS (
        SELECT FROM {schema}.events AS e
        WHERE e.bucket = bucket_id AND e.tenant = tenant_ AND e.session_id = session_id_
            AND e.event_id BETWEEN event_id_ AND event_id_
        ORDER BY e.event_id LIMIT 1
    )
    RETURNING sequence, event_hash INTO next_sequence, hash;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    UPDATE {schema}.buckets AS b
    SET position = next_position, recorded_us = greatest(bucket_us, stamp)
    WHERE b.bucket = bucket_id;
    RETURN int8send(next_sequence) || int8send(next_position) || int8send(stamp) || hash;
END
$function$;
-- Stores units of events in one round trip: lock, drop known ids, check, number, hash, insert.
-- The decisions are those of ledger/numbering.py; a test compares both on random units.
--
-- Nested data comes flattened, because a parameter costs more than an element:
--   bucket_ids  distinct buckets, ascending
--   part_ints   per part: unit, index into bucket_ids, index of the first part of the same
--               session, expected (-1: any), its first and its last draft; indexes count from 1
--   part_texts  per part: tenant, session_id
--   geneses     per part: the hash before its session's first event
--   draft_ints  per draft: part, schema_version, occurred_us, 1 if the caller gave that time,
--               recorded_us (-1: the clock)
--   draft_texts per draft: event_id, type, run_id, actor, causation_id, correlation_id, trace_id,
--               span_id, metadata, content_type
--   draft_bytes per draft: payload, salt, payload_digest, body_digest
--   incarnations per part: which its session must be in (-1: any); NULL: any for all
-- Per draft the answer has a place in sequences, positions, recorded and hashes (0 and empty when
-- its unit was refused). `known` lists drafts that were stored before with their original
-- occurred_us, two numbers each; `refusals` has four numbers per refused unit: unit, reason
-- (1 busy, 2 sequence, 3 id reused, 4 incarnation), part, and the draft or the actual number.
CREATE OR REPLACE FUNCTION {schema}.append_events(
    wait boolean,
    bucket_ids integer[],
    part_ints bigint[],
    part_texts text[],
    geneses bytea[],
    draft_ints bigint[],
    draft_texts text[],
    draft_bytes bytea[],
    incarnations bigint[] DEFAULT NULL, -- the default is for processes of version 1
    OUT sequences bigint[],
    OUT positions bigint[],
    OUT recorded bigint[],
    OUT hashes bytea[],
    OUT known bigint[],
    OUT refusals bigint[]
)
LANGUAGE plpgsql VOLATILE AS $function$
DECLARE
    -- 'asl1:event' and a zero; no backslash, for what that means is a setting of the session
    prefix constant bytea := decode('61736c313a6576656e7400', 'hex');
    parts constant integer := cardinality(geneses);
    drafts constant integer := cardinality(draft_ints) / 5;
    now_us bigint;
    -- per bucket, by index into bucket_ids; NULL: its lock was not had
    ends bigint[];
    end_times bigint[];
    -- per session, by index of its first part
    heads bigint[];
    head_hashes bytea[];
    deletions bigint[]; -- NULL as a whole when no part asks for an incarnation
    -- per known id
    old_drafts integer[];
    old_same boolean[];
    old_sequences bigint[];
    old_positions bigint[];
    old_occurred bigint[];
    old_recorded bigint[];
    old_hashes bytea[];
    -- per draft its index into the above; NULL as a whole when nothing is known
    old integer[];
    unit bigint;
    first_part integer := 1;
    last_part integer;
    refusal bigint[];
    fresh boolean;
    bucket_index integer;
    session_index integer;
    next_sequence bigint;
    next_position bigint;
    stamp bigint;
    end_time bigint;
    hash bytea;
BEGIN
    -- 1. Locks, in ascending order. The statements below see what the last holders stored.
    IF wait THEN
        SELECT array_agg(l.position), array_agg(l.recorded_us) INTO ends, end_times
        FROM unnest(bucket_ids) AS u (id) LEFT JOIN LATERAL (
            SELECT b.position, b.recorded_us FROM {schema}.buckets AS b
            WHERE b.bucket = u.id FOR NO KEY UPDATE
        ) AS l ON true;
    ELSE
        SELECT array_agg(l.position), array_agg(l.recorded_us) INTO ends, end_times
        FROM unnest(bucket_ids) AS u (id) LEFT JOIN LATERAL (
            SELECT b.position, b.recorded_us FROM {schema}.buckets AS b
            WHERE b.bucket = u.id FOR NO KEY UPDATE SKIP LOCKED
        ) AS l ON true;
    END IF;
    -- Positions are how this function tells what is stored: below 1 they would tell nothing.
    IF 0 > ANY (ends) THEN
        RAISE EXCEPTION 'the end of a bucket is negative' USING ERRCODE = 'check_violation';
    END IF;
    now_us := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

    -- 2. The heads of the sessions and the known ids, always by index.
    SELECT array_agg(coalesce(h.sequence, 0)), array_agg(h.event_hash) INTO heads, head_hashes
    FROM generate_series(1, parts) AS p LEFT JOIN LATERAL (
        SELECT e.sequence, e.event_hash FROM {schema}.events AS e
        WHERE e.bucket = bucket_ids[part_ints[6 * p - 4]]
            AND e.tenant = part_texts[2 * p - 1]
            AND e.session_id = part_texts[2 * p]
            -- a later part of the same session uses the first one's place
            AND part_ints[6 * p - 3] = p
        ORDER BY e.sequence DESC LIMIT 1
    ) AS h ON true;
    IF incarnations IS NOT NULL THEN
        SELECT array_agg(coalesce(h.sequence, 0)) INTO deletions
        FROM generate_series(1, parts) AS p LEFT JOIN LATERAL (
            SELECT e.sequence FROM {schema}.events AS e
            WHERE e.bucket = bucket_ids[part_ints[6 * p - 4]]
                AND e.tenant = part_texts[2 * p - 1]
                AND e.session_id = part_texts[2 * p]
                AND e.type = 'session.deleted'
                AND part_ints[6 * p - 3] = p
            ORDER BY e.sequence DESC LIMIT 1
        ) AS h ON true;
    END IF;
    SELECT array_agg(d), array_agg(k.same), array_agg(k.sequence), array_agg(k.position),
        array_agg(k.occurred_us), array_agg(k.recorded_us), array_agg(k.event_hash)
    INTO old_drafts, old_same, old_sequences, old_positions, old_occurred, old_recorded, old_hashes
    FROM generate_series(1, drafts) AS d CROSS JOIN LATERAL (
        SELECT e.sequence, e.position, e.occurred_us, e.recorded_us, e.event_hash,
            e.payload = draft_bytes[4 * d - 3]
            AND (draft_ints[5 * d - 1] = 0 OR e.occurred_us = draft_ints[5 * d - 2])
            AND e.type = draft_texts[10 * d - 8]
            AND e.schema_version = draft_ints[5 * d - 3]
            AND e.run_id IS NOT DISTINCT FROM draft_texts[10 * d - 7]
            AND e.content_type = draft_texts[10 * d]
            AND e.metadata = draft_texts[10 * d - 1]
            AND e.actor IS NOT DISTINCT FROM draft_texts[10 * d - 6]
            AND e.causation_id IS NOT DISTINCT FROM draft_texts[10 * d - 5]
            AND e.correlation_id IS NOT DISTINCT FROM draft_texts[10 * d - 4]
            AND e.trace_id IS NOT DISTINCT FROM draft_texts[10 * d - 3]
            AND e.span_id IS NOT DISTINCT FROM draft_texts[10 * d - 2] AS same
        FROM {schema}.events AS e
        WHERE e.bucket = bucket_ids[part_ints[6 * draft_ints[5 * d - 4] - 4]]
            AND e.tenant = part_texts[2 * draft_ints[5 * d - 4] - 1]
            AND e.session_id = part_texts[2 * draft_ints[5 * d - 4]]
            AND e.event_id BETWEEN draft_texts[10 * d - 9] AND draft_texts[10 * d - 9]
        ORDER BY e.event_id LIMIT 1
    ) AS k;
    IF old_drafts IS NOT NULL THEN
        old := array_fill(NULL::integer, ARRAY[drafts]);
        FOR i IN 1 .. cardinality(old_drafts) LOOP
            old[old_drafts[i]] := i;
        END LOOP;
    END IF;

    -- 3. Unit by unit: refuse the whole of it, or number and hash its new drafts.
    sequences := array_fill(0::bigint, ARRAY[drafts]);
    positions := sequences;
    recorded := sequences;
    hashes := array_fill(''::bytea, ARRAY[drafts]);
    WHILE first_part <= parts LOOP
        unit := part_ints[6 * first_part - 5];
        last_part := first_part;
        WHILE part_ints[6 * last_part + 1] = unit LOOP
            last_part := last_part + 1;
        END LOOP;
        refusal := NULL;
        FOR p IN first_part .. last_part LOOP
            IF ends[part_ints[6 * p - 4]] IS NULL THEN
                refusal := ARRAY[unit, 1, p, 0];
                EXIT;
            END IF;
            fresh := old IS NULL;
            IF NOT fresh THEN
                FOR d IN part_ints[6 * p - 1] .. part_ints[6 * p] LOOP
                    IF old[d] IS NULL THEN
                        fresh := true;
                    ELSIF NOT old_same[old[d]] THEN
                        refusal := ARRAY[unit, 3, p, d];
                        EXIT;
                    END IF;
                END LOOP;
                EXIT WHEN refusal IS NOT NULL;
            END IF;
            IF fresh AND deletions IS NOT NULL AND incarnations[p] >= 0
                AND incarnations[p] <> deletions[part_ints[6 * p - 3]]
            THEN
                refusal := ARRAY[unit, 4, p, deletions[part_ints[6 * p - 3]]];
                EXIT;
            END IF;
            IF fresh AND part_ints[6 * p - 2] >= 0
                AND part_ints[6 * p - 2] <> heads[part_ints[6 * p - 3]]
            THEN
                refusal := ARRAY[unit, 2, p, heads[part_ints[6 * p - 3]]];
                EXIT;
            END IF;
        END LOOP;
        IF refusal IS NOT NULL THEN
            refusals := refusals || refusal;
            first_part := last_part + 1;
            CONTINUE;
        END IF;
        FOR p IN first_part .. last_part LOOP
            bucket_index := part_ints[6 * p - 4];
            session_index := part_ints[6 * p - 3];
            next_sequence := heads[session_index];
            next_position := ends[bucket_index];
            end_time := end_times[bucket_index];
            hash := CASE next_sequence WHEN 0 THEN geneses[p] ELSE head_hashes[session_index] END;
            FOR d IN part_ints[6 * p - 1] .. part_ints[6 * p] LOOP
                CONTINUE WHEN old[d] IS NOT NULL;
                stamp := draft_ints[5 * d];
                IF stamp < 0 THEN
                    stamp := greatest(now_us, end_time);
                END IF;
                end_time := greatest(end_time, stamp);
                next_sequence := next_sequence + 1;
                next_position := next_position + 1;
                hash := sha256(prefix || hash || int8send(next_sequence) || int8send(stamp)
                    || draft_bytes[4 * d]);
                sequences[d] := next_sequence;
                positions[d] := next_position;
                recorded[d] := stamp;
                hashes[d] := hash;
            END LOOP;
            IF deletions IS NOT NULL THEN
                -- A part of this call may delete the session under the next one.
                FOR d IN part_ints[6 * p - 1] .. part_ints[6 * p] LOOP
                    IF sequences[d] > 0 AND draft_texts[10 * d - 8] = 'session.deleted' THEN
                        deletions[session_index] := sequences[d];
                    END IF;
                END LOOP;
            END IF;
            heads[session_index] := next_sequence;
            head_hashes[session_index] := hash;
            ends[bucket_index] := next_position;
            end_times[bucket_index] := end_time;
        END LOOP;
        first_part := last_part + 1;
    END LOOP;

    -- 4. What is new, and where its buckets end now.
    INSERT INTO {schema}.events
    SELECT bucket_ids[part_ints[6 * p - 4]], positions[d], part_texts[2 * p - 1], part_texts[2 * p],
        sequences[d], draft_texts[10 * d - 9], draft_texts[10 * d - 8], draft_ints[5 * d - 3],
        draft_texts[10 * d - 7], draft_ints[5 * d - 2], recorded[d], draft_texts[10 * d - 6],
        draft_texts[10 * d - 5], draft_texts[10 * d - 4], draft_texts[10 * d - 3],
        draft_texts[10 * d - 2], draft_texts[10 * d - 1], draft_texts[10 * d],
        draft_bytes[4 * d - 3], draft_bytes[4 * d - 2], draft_bytes[4 * d - 1], hashes[d]
    FROM generate_series(1, drafts) AS d
    CROSS JOIN LATERAL (SELECT draft_ints[5 * d - 4] AS p) AS part
    WHERE positions[d] > 0;
    UPDATE {schema}.buckets AS b SET position = ends[i], recorded_us = end_times[i]
    FROM generate_series(1, cardinality(bucket_ids)) AS i
    WHERE b.bucket = bucket_ids[i] AND b.position < ends[i];

    -- 5. The numbers of what was there before.
    FOR i IN 1 .. coalesce(cardinality(old_drafts), 0) LOOP
        sequences[old_drafts[i]] := old_sequences[i];
        positions[old_drafts[i]] := old_positions[i];
        recorded[old_drafts[i]] := old_recorded[i];
        hashes[old_drafts[i]] := old_hashes[i];
        known := known || ARRAY[old_drafts[i]::bigint, old_occurred[i]];
    END LOOP;
END
$function$;
-- append_events inside a caller's transaction, on a connection with settings of its own: they are
-- replaced for the time of the call. Answers with an empty row when this is another ledger.
CREATE OR REPLACE FUNCTION {schema}.append_within(
    ledger_id text,
    timeout text,
    bucket_ids integer[],
    part_ints bigint[],
    part_texts text[],
    geneses bytea[],
    draft_ints bigint[],
    draft_texts text[],
    draft_bytes bytea[],
    incarnations bigint[] DEFAULT NULL, -- the default is for processes of version 1
    OUT sequences bigint[],
    OUT positions bigint[],
    OUT recorded bigint[],
    OUT hashes bytea[],
    OUT known bigint[],
    OUT refusals bigint[]
)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET standard_conforming_strings = on
SET lock_timeout = 0 -- what is set below ends with the function only because this is here
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $function$
BEGIN
    IF NOT EXISTS (
        SELECT FROM {schema}.ledger_info AS i WHERE i.ledger_id = append_within.ledger_id
    ) THEN
        RETURN;
    END IF;
    PERFORM set_config('lock_timeout', timeout, true);
    SELECT * INTO sequences, positions, recorded, hashes, known, refusals
    FROM {schema}.append_events(true, bucket_ids, part_ints, part_texts, geneses, draft_ints,
        draft_texts, draft_bytes, incarnations);
END
$function$;
-- Says no to UPDATE, DELETE and TRUNCATE of events, whatever the role's rights are.
CREATE OR REPLACE FUNCTION {schema}.refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $function$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: events are append-only',
        TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'LG001', HINT = 'Append an event that corrects or hides the earlier one.';
END
$function$;

CREATE OR REPLACE TRIGGER events_are_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.events
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change();
