-- The ends of many sessions of a tenant, bucket by bucket; see the statement of this name in
-- queries.sql.
CREATE OR REPLACE FUNCTION {schema}.heads(bucket_ids integer[], tenant_ text, session_ids text[])
RETURNS TABLE (
    place bigint, sequence bigint, event_hash bytea, deleted bigint, recorded_us bigint
)
LANGUAGE plpgsql VOLATILE
SET citus.function_opens_transaction_block = off -- it only reads
AS $function$
#variable_conflict use_column
DECLARE
    bucket_id integer;
BEGIN
    FOR bucket_id IN SELECT DISTINCT u.id FROM unnest(bucket_ids) AS u (id) LOOP
        RETURN QUERY SELECT s.place, coalesce(h.sequence, 0), coalesce(h.event_hash, ''),
            coalesce(d.sequence, 0), coalesce(h.recorded_us, 0)
        FROM unnest(bucket_ids, session_ids) WITH ORDINALITY AS s (bucket, session_id, place)
        LEFT JOIN LATERAL (
            SELECT e.sequence, e.event_hash, e.recorded_us FROM {schema}.events AS e
            WHERE e.bucket = bucket_id AND e.tenant = tenant_ AND e.session_id = s.session_id
            ORDER BY e.sequence DESC LIMIT 1
        ) AS h ON true
        LEFT JOIN LATERAL (
            SELECT e.sequence FROM {schema}.events AS e
            WHERE e.bucket = bucket_id AND e.tenant = tenant_ AND e.session_id = s.session_id
                AND e.type = 'session.deleted'
            ORDER BY e.sequence DESC LIMIT 1
        ) AS d ON true
        WHERE s.bucket = bucket_id;
    END LOOP;
END
$function$;
