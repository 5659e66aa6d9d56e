-- The functions that append take one more parameter, the incarnation that a session must be in. What
-- they were would stay beside them: under the same name, with one parameter less. Who still runs
-- version 1 calls the new ones, by the parameter's default.

DROP FUNCTION IF EXISTS {schema}.append_within(text, text, integer[], bigint[], text[], bytea[],
    bigint[], text[], bytea[]);
DROP FUNCTION IF EXISTS {schema}.append_events(boolean, integer[], bigint[], text[], bytea[],
    bigint[], text[], bytea[]);
DROP FUNCTION IF EXISTS {schema}.append_event(boolean, integer, text, text, bigint, bytea, bigint,
    bigint, bigint, text, text, text, text, text, text, text, text, text, text, bytea, bytea, bytea,
    bytea);
