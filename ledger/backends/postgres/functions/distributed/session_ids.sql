-- A tenant's sessions, bucket by bucket; see the statement of this name in queries.sql.
CREATE OR REPLACE FUNCTION {schema}.session_ids(
    tenant_ text,
    first_bucket integer,
    after text,
    page bigint,
    with_deleted boolean
)
RETURNS TABLE (bucket integer, session_id text)
LANGUAGE plpgsql VOLATILE
SET citus.function_opens_transaction_block = off -- it only reads
AS $function$
#variable_conflict use_column
DECLARE
    bucket_id integer;
    count bigint;
BEGIN
    FOR bucket_id IN first_bucket .. (SELECT i.buckets - 1 FROM {schema}.ledger_info AS i) LOOP
        -- A loose index scan: one probe per session, however many events it has.
        RETURN QUERY WITH RECURSIVE ids AS (
            (
                SELECT e.session_id FROM {schema}.events AS e
                WHERE e.bucket = bucket_id AND e.tenant = tenant_ AND e.session_id > after
                ORDER BY e.session_id LIMIT 1
            )
            UNION ALL
            SELECT n.session_id FROM ids CROSS JOIN LATERAL (
                SELECT e.session_id FROM {schema}.events AS e
                WHERE e.bucket = bucket_id AND e.tenant = tenant_ AND e.session_id > ids.session_id
                ORDER BY e.session_id LIMIT 1
            ) AS n
        )
        SELECT bucket_id, ids.session_id FROM ids
        WHERE with_deleted OR coalesce((
                SELECT e.sequence FROM {schema}.events AS e
                WHERE e.bucket = bucket_id AND e.tenant = tenant_ AND e.session_id = ids.session_id
                ORDER BY e.sequence DESC LIMIT 1
            ) > (
                SELECT e.sequence FROM {schema}.events AS e
                WHERE e.bucket = bucket_id AND e.tenant = tenant_ AND e.session_id = ids.session_id
                    AND e.type = 'session.deleted'
                ORDER BY e.sequence DESC LIMIT 1
            ), true)
        LIMIT page;
        GET DIAGNOSTICS count = ROW_COUNT;
        page := page - count;
        EXIT WHEN page <= 0;
        after := '';
    END LOOP;
END
$function$;
