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
{settings_within}
SET plan_cache_mode = {plans}
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
{settle_locks}
END
$function$;
