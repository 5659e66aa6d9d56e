-- name: isolation
-- Whoever waited for the lock must see what its last holder did.
SET TRANSACTION ISOLATION LEVEL READ COMMITTED

-- name: strings
-- The role's or the URL's default must not decide how the scripts are read.
SELECT pg_catalog.set_config('standard_conforming_strings', 'on', true)

-- name: encoding
-- Texts are compared and hashed as UTF-8.
SELECT pg_catalog.current_setting('server_encoding')

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

-- name: bucket_rows
-- How many there are, and how many of them are among the first so many.
SELECT count(*), count(*) FILTER (WHERE bucket BETWEEN 0 AND %(buckets)s::integer - 1)
FROM {schema}.buckets

-- name: lock
-- One process migrates; the others wait here and then find the work done.
SELECT pg_advisory_xact_lock(hashtextextended(%(schema)s, 7305808869229538661))

-- name: patience
-- Migrations may take long, and so may those who wait for them.
SELECT set_config('lock_timeout', '0', true)

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
