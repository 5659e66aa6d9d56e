-- The steps of functions/append_events.sql that ask tables by bucket, as they are filled in there:
-- one statement for all buckets, or, where these are spread over servers, one for each of them. Citus
-- sends a statement to the server of the one bucket that it is about, and refuses most others.

-- name: lock_buckets
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

-- name: find_heads
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
            {same_content} AS same
        FROM {schema}.events AS e
        WHERE e.bucket = bucket_ids[part_ints[6 * draft_ints[5 * d - 4] - 4]]
            AND e.tenant = part_texts[2 * draft_ints[5 * d - 4] - 1]
            AND e.session_id = part_texts[2 * draft_ints[5 * d - 4]]
            AND e.event_id BETWEEN draft_texts[10 * d - 9] AND draft_texts[10 * d - 9]
        ORDER BY e.event_id LIMIT 1
    ) AS k;

-- name: same_content
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
    AND e.span_id IS NOT DISTINCT FROM draft_texts[10 * d - 2]

-- name: move_buckets
    UPDATE {schema}.buckets AS b SET position = ends[i], recorded_us = end_times[i]
    FROM generate_series(1, cardinality(bucket_ids)) AS i
    WHERE b.bucket = bucket_ids[i] AND b.position < ends[i];

-- name: lock_buckets_distributed
    IF wait THEN
        -- It is another server that waits: it is told for how long. Citus tells it in a transaction
        -- of several statements, and takes a block for one, but not a function.
        PERFORM set_config('citus.propagate_set_commands', 'local', true);
        EXECUTE format(
            'DO $do$ BEGIN SET LOCAL lock_timeout = %L; END $do$', current_setting('lock_timeout')
        );
    END IF;
    FOR i IN 1 .. cardinality(bucket_ids) LOOP
        bucket_id := bucket_ids[i];
        IF wait THEN
            SELECT b.position, b.recorded_us INTO next_position, stamp
            FROM {schema}.buckets AS b WHERE b.bucket = bucket_id FOR NO KEY UPDATE;
        ELSE
            SELECT b.position, b.recorded_us INTO next_position, stamp
            FROM {schema}.buckets AS b WHERE b.bucket = bucket_id FOR NO KEY UPDATE SKIP LOCKED;
        END IF;
        ends[i] := next_position;
        end_times[i] := stamp;
    END LOOP;

-- name: find_heads_distributed
    heads := array_fill(0::bigint, ARRAY[parts]);
    head_hashes := array_fill(NULL::bytea, ARRAY[parts]);
    IF incarnations IS NOT NULL THEN
        deletions := heads;
    END IF;
    FOREACH bucket_id IN ARRAY bucket_ids LOOP
        FOR one IN
            SELECT p AS part, h.sequence, h.event_hash
            FROM generate_series(1, parts) AS p CROSS JOIN LATERAL (
                SELECT e.sequence, e.event_hash FROM {schema}.events AS e
                WHERE e.bucket = bucket_id AND bucket_ids[part_ints[6 * p - 4]] = bucket_id
                    AND e.tenant = part_texts[2 * p - 1]
                    AND e.session_id = part_texts[2 * p]
                    -- a later part of the same session uses the first one's place
                    AND part_ints[6 * p - 3] = p
                ORDER BY e.sequence DESC LIMIT 1
            ) AS h
        LOOP
            heads[one.part] := one.sequence;
            head_hashes[one.part] := one.event_hash;
        END LOOP;
        IF incarnations IS NOT NULL THEN
            FOR one IN
                SELECT p AS part, h.sequence
                FROM generate_series(1, parts) AS p CROSS JOIN LATERAL (
                    SELECT e.sequence FROM {schema}.events AS e
                    WHERE e.bucket = bucket_id AND bucket_ids[part_ints[6 * p - 4]] = bucket_id
                        AND e.tenant = part_texts[2 * p - 1]
                        AND e.session_id = part_texts[2 * p]
                        AND e.type = 'session.deleted'
                        AND part_ints[6 * p - 3] = p
                    ORDER BY e.sequence DESC LIMIT 1
                ) AS h
            LOOP
                deletions[one.part] := one.sequence;
            END LOOP;
        END IF;
        FOR one IN
            SELECT d AS draft, k.*
            FROM generate_series(1, drafts) AS d CROSS JOIN LATERAL (
                SELECT e.sequence, e.position, e.occurred_us, e.recorded_us, e.event_hash,
                    {same_content} AS same
                FROM {schema}.events AS e
                WHERE e.bucket = bucket_id
                    AND bucket_ids[part_ints[6 * draft_ints[5 * d - 4] - 4]] = bucket_id
                    AND e.tenant = part_texts[2 * draft_ints[5 * d - 4] - 1]
                    AND e.session_id = part_texts[2 * draft_ints[5 * d - 4]]
                    AND e.event_id BETWEEN draft_texts[10 * d - 9] AND draft_texts[10 * d - 9]
                ORDER BY e.event_id LIMIT 1
            ) AS k
        LOOP
            old_drafts := old_drafts || one.draft;
            old_same := old_same || one.same;
            old_sequences := old_sequences || one.sequence;
            old_positions := old_positions || one.position;
            old_occurred := old_occurred || one.occurred_us;
            old_recorded := old_recorded || one.recorded_us;
            old_hashes := old_hashes || one.event_hash;
        END LOOP;
    END LOOP;

-- name: move_buckets_distributed
    FOR i IN 1 .. cardinality(bucket_ids) LOOP
        bucket_id := bucket_ids[i];
        next_position := ends[i];
        stamp := end_times[i];
        UPDATE {schema}.buckets AS b SET position = next_position, recorded_us = stamp
        WHERE b.bucket = bucket_id AND b.position < next_position;
    END LOOP;
