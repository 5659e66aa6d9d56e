PRAGMA user_version = 2;

-- Tiny too: who shows a page of a session looks up what of it must not be shown any more, which is
-- said anywhere behind that page.
CREATE INDEX events_redacting ON events (bucket, tenant, session_id, sequence)
    WHERE type = 'content.redacted';
