-- Stores units of events in one round trip: lock, drop known ids, check, number, hash, insert.
-- The decisions are those of ledger/numbering.py; a test compares both on random units. What it asks
-- of tables by bucket stands in append_steps.sql.
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
    bucket_id integer;
    one record;
BEGIN
    -- 1. Locks, in ascending order. The statements below see what the last holders stored.
{lock_buckets}
    -- Positions are how this function tells what is stored: below 1 they would tell nothing.
    IF 0 > ANY (ends) THEN
        RAISE EXCEPTION 'the end of a bucket is negative' USING ERRCODE = 'check_violation';
    END IF;
    now_us := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

    -- 2. The heads of the sessions and the known ids, always by index.
{find_heads}
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
{insert_events}
{move_buckets}

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
