-- Statements on view tables, whose names and columns come from a struct: {table}, {columns} and
-- the like are filled in by statements.py with quoted identifiers, values are always parameters.

-- name: create_table
-- One column per field. STRICT, so that what was written is what is read.
CREATE TABLE IF NOT EXISTS main.{table} (
    bucket INTEGER NOT NULL,
    {definitions},
    PRIMARY KEY (bucket, {key})
) STRICT

-- name: create_index
-- Lists over all sessions go over all buckets: theirs have no bucket in front.
CREATE INDEX IF NOT EXISTS main.{index} ON {table} ({columns}) {rows}

-- name: rows_present
-- The end of an index of the rows in which a field is not NULL.
WHERE {field} IS NOT NULL

-- name: rows_positive
-- The end of an index of the rows in which a number is above 0.
WHERE {field} > 0

-- name: create_searched_table
-- Rows that are found by words have a number of their own, which VACUUM leaves alone.
CREATE TABLE IF NOT EXISTS main.{table} (
    bucket INTEGER NOT NULL,
    {definitions},
    search_words TEXT,
    search_id INTEGER PRIMARY KEY,
    UNIQUE (bucket, {key})
) STRICT

-- name: create_search
-- The words come ready-made, see search_words.py: this tokeniser splits them at the spaces only.
-- They stay in the table; no places in the text are kept, and no lengths, for nothing is ranked by
-- them (an index that was made with lengths works the same).
CREATE VIRTUAL TABLE IF NOT EXISTS main.{search} USING fts5(
    search_words, content = {table}, content_rowid = search_id,
    detail = none, columnsize = 0, tokenize = 'ascii'
)

-- name: create_search_secure
-- A word that was redacted leaves the index at once, instead of with some later merge.
INSERT INTO main.{search} ({search}, rank) VALUES ('secure-delete', 1)

-- name: create_search_update
-- The index follows what is changed and deleted within each transaction, whoever does it; new rows
-- are indexed by whoever stores them, see index_words. Most changes of a row leave its words alone.
CREATE TRIGGER IF NOT EXISTS main.{trigger} AFTER UPDATE OF search_words ON {table}
WHEN NEW.search_words IS NOT OLD.search_words
BEGIN
    INSERT INTO {search} ({search}, rowid, search_words)
    SELECT 'delete', OLD.search_id, OLD.search_words WHERE OLD.search_words IS NOT NULL;
    INSERT INTO {search} (rowid, search_words)
    SELECT NEW.search_id, NEW.search_words WHERE NEW.search_words IS NOT NULL;
END

-- name: create_search_delete
-- What is gone is not found.
CREATE TRIGGER IF NOT EXISTS main.{trigger} AFTER DELETE ON {table}
WHEN OLD.search_words IS NOT NULL
BEGIN
    INSERT INTO {search} ({search}, rowid, search_words)
    VALUES ('delete', OLD.search_id, OLD.search_words);
END

-- name: has_trigger
-- Whether a table that was there before has a trigger that indexes each new row by itself.
SELECT count(*) FROM main.sqlite_schema WHERE type = 'trigger' AND name = ?

-- name: drop_trigger
-- All new rows of a page are indexed at once, see index_words.
DROP TRIGGER main.{trigger}

-- name: index_anew
-- Of a file with that trigger nobody knows whether older programs went on with it beside newer ones.
INSERT INTO main.{search} ({search}) VALUES ('rebuild')

-- name: layout
-- What a table that was there before looks like; without a type, the columns of its key in order:
-- where rows have a number of their own, that is not the primary key, but what is UNIQUE.
SELECT name, type || coalesce(' DEFAULT ' || dflt_value, ''), "notnull", 0 AS place
FROM pragma_table_xinfo(?1) WHERE name <> 'bucket'
UNION ALL
SELECT i.name, NULL, NULL, i.seqno
FROM pragma_index_list(?1) AS l CROSS JOIN pragma_index_info(l.name) AS i
WHERE l.origin <> 'c' AND i.name <> 'bucket'
ORDER BY place

-- name: load
-- All rows of a page in one statement; CROSS JOIN keeps SQLite from scanning the table first.
SELECT {columns} FROM json_each(?2) AS wanted
CROSS JOIN main.{table} AS v ON v.bucket = ?1 AND {matches}

-- name: insert
-- Run for the rows of a page that were not there. OR FAIL, which keeps the rows in front of one that
-- is there all the same: who stores them replaces them all then, and SQLite need not copy first what
-- it changes, which takes as long as storing.
INSERT OR FAIL INTO main.{table} (bucket, {columns}) VALUES {rows}

-- name: upsert
-- Run for the other rows of a page.
INSERT INTO main.{table} (bucket, {columns}) VALUES {rows}
ON CONFLICT (bucket, {key}) DO UPDATE SET {assignments}

-- name: last_search_id
-- Rows that are stored next have higher numbers.
SELECT coalesce(max(search_id), 0) FROM main.{table}

-- name: index_words
-- Run once for a page, of whose rows all that are new are indexed: a trigger would run for each, and
-- make SQLite copy what a statement changes, and FTS5 write down what it has gathered, each time.
INSERT INTO main.{search} (rowid, search_words)
SELECT search_id, search_words FROM main.{table} WHERE search_id > ? AND search_words IS NOT NULL

-- name: delete
-- Rows that a fold took away.
DELETE FROM main.{table} WHERE bucket = ? AND {conditions}

-- name: clear
-- Rows of a session that was deleted.
DELETE FROM main.{table} WHERE bucket = ? AND tenant = ? AND session_id = ?

-- name: select
-- A reader's rows.
SELECT {columns} FROM main.{table} AS v WHERE {conditions}

-- name: select_found
-- The words first: CROSS JOIN keeps SQLite from looking through the rows instead.
SELECT {columns} FROM main.{search} AS f CROSS JOIN main.{table} AS v ON v.search_id = f.rowid
WHERE f.{search} MATCH ? AND {conditions}

-- name: select_among
-- Rows that have words, of the first of an order. What comes from within has names of its own: those of
-- fields are no good there, for by "true" and "false" SQLite knows only the columns of tables.
SELECT {columns} FROM (
    SELECT v.search_id, {places} FROM main.{table} AS v WHERE {conditions} ORDER BY {order} LIMIT ?
) AS f CROSS JOIN main.{table} AS v ON v.search_id = f.search_id WHERE {found}

-- name: select_part
-- The rows that have one of several values.
SELECT * FROM main.{table} AS v WHERE {conditions}

-- name: select_merged
-- The first rows of all of them, at one moment; those that have words, if that is asked. SQLite reads
-- each part in the order of the whole, no further than it needs.
SELECT {columns} FROM ({parts} ORDER BY {order} LIMIT ?) AS v WHERE {condition}

-- name: has_word
-- A row's words, with a space between them, as they stand in the table.
instr(' ' || v.search_words || ' ', ' ' || ? || ' ')

-- name: document
-- A row as one JSON object. What is JSON already goes in as it is, in front of what is not: json()
-- would look into it, refuse what is nested 1,000 deep, and take as long again.
concat('{{', {ready} substr(json_object({plain}), 2))

-- name: create_documents
-- Of one connection: nobody else sees it.
CREATE TEMP VIEW IF NOT EXISTS {documents} AS {of}

-- name: documents
-- The rows that there are, each as one JSON object under its key; no field is called so.
SELECT bucket, {columns}, {document} AS "whole row" FROM main.{table} AS v WHERE {present}

-- name: current_document
-- A row as one JSON object, if nothing is left to be folded into it.
SELECT v."whole row" FROM temp.{documents} AS v WHERE ({is_current}) AND v.bucket = ? AND {conditions}

-- name: documents_of
-- The rows of a session, each as one JSON object.
SELECT v."whole row" FROM temp.{documents} AS v WHERE {conditions}

-- name: are_current
-- Whether several versions are read and nothing is left to be folded into them.
SELECT {each} FROM main.buckets AS b WHERE b.bucket = ?1

-- name: is_one_current
-- One of them; in one statement, and found one by one, that takes a third of asking for each.
coalesce((
    SELECT c.active AND c.position >= b.position FROM main.view_checkpoints AS c
    WHERE c.bucket = ?1 AND c.projection = ? AND c.version = ?
), 0)

-- name: document_plain
-- A column in it, whose NULL is null.
'{name}',{column}

-- name: document_json
-- A column of JSON in front of it.
'"{name}":',coalesce({column},'null'),',',

-- name: document_integers
-- All integers at once, which json_object() takes twice as long for.
format('{each}',{columns}),

-- name: document_integer
-- One of them, which is never NULL.
"{name}":%d,

-- name: document_flag
-- The same for what JSON has its own words for.
'"{name}":', CASE WHEN {column} THEN 'true' WHEN {column} IS NULL THEN 'null' ELSE 'false' END, ',',

-- name: totals
-- What a reader's rows add up to, apart for each value of a column and for what is before a moment.
-- LIMIT keeps SQLite from reading the moments anew for each half of a sum: a fifth of the time.
SELECT {by}, {moment} < ?, count(*){sums}
FROM (SELECT v.*, max(0, {end} - {start}) AS "lasting us" FROM ({rows}) AS v LIMIT -1) AS v
GROUP BY 1, 2

-- name: microseconds
-- Of a moment as text; with its fraction, unixepoch would round it to the next second.
(unixepoch(substr({moment}, 1, 19)) * 1000000 + CAST(substr({moment}, 21, 6) AS INTEGER))

-- name: sum_of
-- Two columns more, the upper and the lower half: the sum of the whole may have more than 64 bits.
, sum({value} >> 32), sum({value} & 4294967295)

-- name: marks
-- Those of consumers in sessions that went on, with when the first event behind each was stored. Only
-- where the views say so the log is asked, and stops at the first event that counts: SQLite reads
-- the inner select in its order, no further than it needs.
SELECT * FROM (
    SELECT c.tenant, c.session_id, c.consumer, c.sequence, coalesce((
        SELECT e.recorded_us FROM (
            SELECT type, recorded_us FROM main.events
            WHERE bucket = c.bucket AND tenant = c.tenant AND session_id = c.session_id
                AND sequence > max(c.sequence, s.first_sequence - 1)
            ORDER BY sequence LIMIT ?1
        ) AS e WHERE e.type <> ?2 LIMIT 1
    ), CASE
        WHEN s.last_sequence - max(c.sequence, s.first_sequence - 1) > ?1 THEN 0
    END) AS oldest_us
    FROM main.{marks} AS c
    CROSS JOIN main.{sessions} AS s
        ON s.bucket = c.bucket AND s.tenant = c.tenant AND s.session_id = c.session_id
    WHERE s.last_sequence > c.sequence
        AND NOT (s.last_sequence = c.last_sequence AND c.last_sequence - 1 = c.sequence)
    ORDER BY oldest_us NULLS LAST LIMIT ?3
) WHERE oldest_us IS NOT NULL

-- name: is_current
-- Whether a version is read and nothing is left to be folded into it.
SELECT c.active AND c.position >= b.position
FROM main.view_checkpoints AS c JOIN main.buckets AS b ON b.bucket = c.bucket
WHERE c.bucket = ?1 AND c.projection = ?2 AND c.version = ?3

-- name: place_ahead
-- How far a version has come, where the log of its bucket and a session end, and whether something
-- is left out that lies ahead.
SELECT c.position, b.position, c.active,
    coalesce((
        SELECT max(sequence) FROM main.events
        WHERE bucket = ?1 AND tenant = ?4 AND session_id = ?5
    ), 0),
    EXISTS (
        SELECT 1 FROM main.view_skips AS s
        WHERE s.bucket = ?1 AND s.projection = ?2 AND s.version = ?3 AND s.position > c.position
    )
FROM main.view_checkpoints AS c JOIN main.buckets AS b ON b.bucket = c.bucket
WHERE c.bucket = ?1 AND c.projection = ?2 AND c.version = ?3

-- name: events_ahead
-- Of a few positions those of a session; the signs keep SQLite from reading all of the session.
SELECT * FROM main.events
WHERE bucket = ?1 AND position > ?2 AND position <= ?3 AND +tenant = ?4 AND +session_id = ?5
ORDER BY position

-- name: behind
-- What happened to a session from an event on, for who has its row behind that event; no rows if the
-- version may have another one.
SELECT c.position, e.*
FROM main.view_checkpoints AS c CROSS JOIN main.events AS e
WHERE c.bucket = ?1 AND c.projection = ?2 AND c.version = ?3
    AND c.active AND c.fold_digest = ?4
    AND NOT EXISTS (
        SELECT 1 FROM main.view_skips AS s
        WHERE s.bucket = ?1 AND s.projection = ?2 AND s.version = ?3 AND s.position > ?5
    )
    AND e.bucket = ?1 AND e.tenant = ?6 AND e.session_id = ?7 AND e.sequence >= ?8
ORDER BY e.sequence LIMIT ?9

-- name: is_current_everywhere
-- The same for all buckets.
SELECT count(*) FILTER (WHERE c.active AND c.position >= b.position) = count(*)
FROM main.buckets AS b LEFT JOIN main.view_checkpoints AS c
    ON c.bucket = b.bucket AND c.projection = ?1 AND c.version = ?2

-- name: order
-- The end of an ordered select.
ORDER BY {order}

-- name: create_checkpoints
-- How far each version of each projection has come in each bucket.
CREATE TABLE IF NOT EXISTS main.view_checkpoints (
    bucket INTEGER NOT NULL,
    projection TEXT NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    active INTEGER NOT NULL,
    built INTEGER NOT NULL,
    fold_digest TEXT NOT NULL,
    PRIMARY KEY (bucket, projection, version)
) STRICT, WITHOUT ROWID

-- name: create_checkpoint
-- There from the start, so that moving one is a plain comparison. Where no version is active yet,
-- this one is, and the readers fold it.
INSERT INTO main.view_checkpoints (
    bucket, projection, version, position, active, built, fold_digest
)
SELECT b.bucket, ?1, ?2, 0, f.first, f.first, ?3
FROM main.buckets AS b
CROSS JOIN (
    SELECT NOT EXISTS (
        SELECT 1 FROM main.view_checkpoints WHERE projection = ?1 AND active
    ) AS first
) AS f
WHERE true
ON CONFLICT (bucket, projection, version) DO NOTHING

-- name: forget_checkpoints
-- The rows that they speak of are gone.
DELETE FROM main.view_checkpoints WHERE projection = ?1 AND version = ?2

-- name: checkpoint_columns
-- What the table of checkpoints looks like; nothing if there is none yet.
SELECT name FROM pragma_table_xinfo('view_checkpoints')

-- name: count_checkpoints
-- Whether a projection has its checkpoints: as many as there are buckets.
SELECT count(*) FROM main.view_checkpoints WHERE projection = ?1 AND version = ?2

-- name: kinds
-- Whose names are taken, and by a view or by a handler.
SELECT DISTINCT projection, fold_digest FROM main.view_checkpoints

-- name: checkpoints
-- How far every projection has come in a bucket; without flags, what it leaves out there.
SELECT projection, version, position, active, built FROM main.view_checkpoints WHERE bucket = ?1
UNION ALL
SELECT projection, version, position, NULL, NULL FROM main.view_skips WHERE bucket = ?1

-- name: head
-- Where the log of a bucket ends.
SELECT position FROM main.buckets WHERE bucket = ?1

-- name: standings
-- How far the versions of projections have come in every bucket.
SELECT projection, version, min(active), min(built), min(fold_digest),
    json_group_array(position ORDER BY bucket)
FROM main.view_checkpoints WHERE projection IN (SELECT value FROM json_each(?1))
GROUP BY projection, version ORDER BY projection, version

-- name: mark_built
-- Once a version has been at the log's end.
UPDATE main.view_checkpoints SET built = true WHERE projection = ?1 AND version = ?2

-- name: accept
-- Somebody knows that the fold, changed as it is, would make the same rows.
UPDATE main.view_checkpoints SET fold_digest = ?3 WHERE projection = ?1 AND version = ?2

-- name: switch
-- All versions in one statement, so that one of them is active at every moment.
UPDATE main.view_checkpoints SET active = (version = ?2)
WHERE projection = ?1 AND EXISTS (
    SELECT 1 FROM main.view_checkpoints WHERE projection = ?1 AND version = ?2 AND built
)

-- name: is_active
-- Readers need the active version: it is not dropped.
SELECT EXISTS (
    SELECT 1 FROM main.view_checkpoints WHERE projection = ?1 AND version = ?2 AND active
)

-- name: drop_table
-- With its indexes.
DROP TABLE IF EXISTS main.{table}

-- name: move_checkpoint
-- Changes no row if another projector was faster.
UPDATE main.view_checkpoints SET position = ?5
WHERE bucket = ?1 AND projection = ?2 AND version = ?3 AND position = ?4
