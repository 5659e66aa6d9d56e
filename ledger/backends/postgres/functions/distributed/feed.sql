-- A page of the log, range by range; see the statement of this name in queries.sql, which would be
-- one about several buckets.
CREATE OR REPLACE FUNCTION {schema}.feed(
    bucket_ids integer[],
    afters bigint[],
    uptos bigint[],
    types text[],
    tenant_ text,
    page bigint
)
RETURNS SETOF {schema}.events
LANGUAGE plpgsql VOLATILE
SET citus.function_opens_transaction_block = off -- it only reads
AS $function$
DECLARE
    bucket_id integer;
    after bigint;
    upto bigint;
    count bigint;
BEGIN
    FOR i IN 1 .. coalesce(cardinality(bucket_ids), 0) LOOP
        bucket_id := bucket_ids[i];
        after := afters[i];
        upto := uptos[i];
        RETURN QUERY SELECT * FROM {schema}.events AS e
        WHERE e.bucket = bucket_id AND e.position > after AND e.position <= upto
            AND (types IS NULL OR e.type = ANY (types))
            AND (tenant_ IS NULL OR e.tenant = tenant_)
        ORDER BY e.position LIMIT page;
        GET DIAGNOSTICS count = ROW_COUNT;
        page := page - count;
        EXIT WHEN page <= 0;
    END LOOP;
END
$function$;
