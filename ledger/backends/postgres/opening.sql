-- name: isolation
-- Whoever waited for the lock must see what its last holder did.
SET TRANSACTION ISOLATION LEVEL READ COMMITTED

-- name: strings
-- The role's or the URL's default must not decide how the scripts are read.
SELECT pg_catalog.set_config('standard_conforming_strings', 'on', true)

-- name: database
-- Texts are compared and hashed as UTF-8. And whether tables can be spread over several servers.
SELECT pg_catalog.current_setting('server_encoding'),
    pg_catalog.to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL

-- name: exists
-- Whether the ledger's own table, or anything else, is in the schema.
SELECT
    EXISTS (
        SELECT FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = %(schema)s AND c.relname = 'ledger_info'
    ),
    EXISTS (
        SELECT FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = %(schema)s
    )

-- name: info
-- What was fixed when the ledger was created.
SELECT ledger_id, buckets, schema_version FROM {schema}.ledger_info

-- name: is_distributed
-- Asked only where Citus is, whose table this is.
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_dist_partition AS p
    JOIN pg_catalog.pg_class AS c ON c.oid = p.logicalrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = 'events'
)

-- name: bucket_rows
-- How many there are, and how many of them are among the first so many.
SELECT count(*), count(*) FILTER (WHERE bucket BETWEEN 0 AND %(buckets)s::integer - 1)
FROM {schema}.buckets

-- name: lock
-- One process migrates; the others wait here and then find the work done.
SELECT pg_advisory_xact_lock(hashtextextended(%(schema)s, 7305808869229538661))

-- name: patience
-- Migrations may take long, and so may those who wait for them. What a role's statements may take is
-- for its daily work: tried again, an index of many events would be cancelled again.
SELECT set_config('lock_timeout', '0', true), set_config('statement_timeout', '0', true)

-- name: create_schema
-- Left alone when somebody with more rights has made it.
CREATE SCHEMA IF NOT EXISTS {schema}

-- name: schema_exists
-- Asked first: CREATE SCHEMA needs its right even if there is nothing to create.
SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = %(schema)s)

-- name: create_info
-- The identity of a new ledger.
INSERT INTO {schema}.ledger_info (ledger_id, buckets, schema_version, created_us)
VALUES (%(ledger_id)s, %(buckets)s, 0,
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)

-- name: create_buckets
-- All rows an append can lock are there from the start.
INSERT INTO {schema}.buckets (bucket) SELECT generate_series(0, %(buckets)s::integer - 1)

-- name: settle_buckets
-- The rows are spread; with the default, dead versions go a hundred at a time, not one by one.
ALTER TABLE {schema}.buckets RESET (fillfactor)

-- name: set_version
-- Last step of every migration.
UPDATE {schema}.ledger_info SET schema_version = %(version)s

-- name: is_coordinator
-- Only there tables can be spread.
SELECT pg_catalog.citus_is_coordinator()

-- name: distribution_settings
-- The trigger that refuses changes of events is what Citus calls unsafe: it says no in every shard.
-- One shard after the other, as the tables of a transaction have to be.
SELECT
    pg_catalog.set_config('citus.enable_unsafe_triggers', 'on', true),
    pg_catalog.set_config('citus.multi_shard_modify_mode', 'sequential', true)

-- name: distribute_info
-- A row that every server has.
SELECT create_reference_table(format('%%I.ledger_info', %(schema)s::text)::regclass)

-- name: distribute_buckets
-- What is appended to together with a bucket's row is where that row is.
SELECT create_distributed_table(
    format('%%I.buckets', %(schema)s::text)::regclass, 'bucket',
    colocate_with => 'none', shard_count => %(shards)s::integer
)

-- name: distribute_others
-- Every key starts with bucket: events, and whatever views there are.
SELECT create_distributed_table(
    c.oid::regclass, 'bucket', colocate_with => format('%%I.buckets', %(schema)s::text)
)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'bucket'
WHERE c.relnamespace = quote_ident(%(schema)s)::regnamespace AND c.relkind = 'r' AND NOT a.attisdropped
    AND c.oid NOT IN (SELECT p.logicalrelid FROM pg_catalog.pg_dist_partition AS p)
ORDER BY c.relname

-- name: distribute_append
-- An append of one event is done where its bucket is, in one trip there.
SELECT create_distributed_function(
    p.oid::regprocedure, 'bucket_id', colocate_with => format('%%I.buckets', %(schema)s::text)
)
FROM pg_catalog.pg_proc AS p
WHERE p.pronamespace = quote_ident(%(schema)s)::regnamespace AND p.proname = 'append_event'
