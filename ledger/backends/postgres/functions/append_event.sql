-- append_events for a single event, in half of its time: one event needs no loops and repays no
-- arrays, and every expression of PL/pgSQL is prepared again in every transaction. It decides only
-- the plain case, a new event whose conditions hold, and answers sequence, position and
-- recorded_us as int8send, then event_hash. For NULL, with nothing stored, ask append_events.
CREATE OR REPLACE FUNCTION {schema}.append_event(
    wait boolean,
    bucket_id integer,
    tenant_ text,
    session_id_ text,
    expected bigint, -- -1: any
    genesis bytea,
    schema_version_ bigint,
    occurred_us_ bigint,
    given_us bigint, -- -1: the clock
    event_id_ text,
    type_ text,
    run_id_ text,
    actor_ text,
    causation_id_ text,
    correlation_id_ text,
    trace_id_ text,
    span_id_ text,
    metadata_ text,
    content_type_ text,
    payload_ bytea,
    salt_ bytea,
    payload_digest_ bytea,
    body_digest bytea,
    incarnation bigint DEFAULT -1 -- -1: any; the default is for processes of version 1
)
RETURNS bytea
LANGUAGE plpgsql VOLATILE AS $function$
DECLARE
    next_position bigint;
    stamp bigint;
    bucket_us bigint;
    next_sequence bigint;
    hash bytea;
BEGIN
    IF wait THEN
        SELECT b.position + 1, b.recorded_us, CASE WHEN given_us < 0 THEN
            greatest(b.recorded_us, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
            ELSE given_us END
        INTO next_position, bucket_us, stamp
        FROM {schema}.buckets AS b WHERE b.bucket = bucket_id FOR NO KEY UPDATE;
    ELSE
        SELECT b.position + 1, b.recorded_us, CASE WHEN given_us < 0 THEN
            greatest(b.recorded_us, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
            ELSE given_us END
        INTO next_position, bucket_us, stamp
        FROM {schema}.buckets AS b WHERE b.bucket = bucket_id FOR NO KEY UPDATE SKIP LOCKED;
    END IF;
    IF incarnation >= 0 THEN
        IF incarnation <> coalesce((
            SELECT e.sequence FROM {schema}.events AS e
            WHERE e.bucket = bucket_id AND e.tenant = tenant_ AND e.session_id = session_id_
                AND e.type = 'session.deleted'
            ORDER BY e.sequence DESC LIMIT 1
        ), 0) THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO {schema}.events
    SELECT bucket_id, next_position, tenant_, session_id_, n.sequence, event_id_, type_,
        schema_version_, run_id_, occurred_us_, stamp, actor_, causation_id_,
        correlation_id_, trace_id_, span_id_, metadata_, content_type_, payload_, salt_,
        payload_digest_, sha256(decode('61736c313a6576656e7400', 'hex') || n.previous_hash
            || int8send(n.sequence) || int8send(stamp) || body_digest)
    FROM (SELECT) AS one LEFT JOIN LATERAL (
        SELECT e.sequence, e.event_hash FROM {schema}.events AS e
        WHERE e.bucket = bucket_id AND e.tenant = tenant_ AND e.session_id = session_id_
        ORDER BY e.sequence DESC LIMIT 1
    ) AS h ON true CROSS JOIN LATERAL (
        SELECT coalesce(h.sequence, 0) + 1 AS sequence,
            coalesce(h.event_hash, genesis) AS previous_hash
    ) AS n
    WHERE next_position > 0 AND (expected < 0 OR expected = n.sequence - 1) AND NOT EXISTS (
        SELECT FROM {schema}.events AS e
        WHERE e.bucket = bucket_id AND e.tenant = tenant_ AND e.session_id = session_id_
            AND e.event_id BETWEEN event_id_ AND event_id_
        ORDER BY e.event_id LIMIT 1
    )
    RETURNING sequence, event_hash INTO next_sequence, hash;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    UPDATE {schema}.buckets AS b
    SET position = next_position, recorded_us = greatest(bucket_us, stamp)
    WHERE b.bucket = bucket_id;
    RETURN int8send(next_sequence) || int8send(next_position) || int8send(stamp) || hash;
END
$function$;
