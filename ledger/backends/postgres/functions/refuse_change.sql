-- Says no to UPDATE, DELETE and TRUNCATE of events, whatever the role's rights are.
CREATE OR REPLACE FUNCTION {schema}.refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $function$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: events are append-only',
        TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'LG001', HINT = 'Append an event that corrects or hides the earlier one.';
END
$function$;
