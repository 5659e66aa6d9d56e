-- Tiny as events_deleted is: who shows a page of a session looks up what of it must not be shown any
-- more, which is said anywhere behind that page. While the index is made, which reads all events
-- once, appends wait.

CREATE INDEX events_redacted ON {schema}.events (bucket, tenant, session_id, sequence)
    WHERE type = 'content.redacted';
