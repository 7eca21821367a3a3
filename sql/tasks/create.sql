-- Add a task, unless the user holds as much as allowed. Only after users/take_turn.
--
-- Parameters: title       1 to 500 characters, trimmed
--             notes       null, or 1 to 4 000 characters
--             due_date    null, or a date
--             due_at      null, or a moment; one of the two is null
--             priority    0 to 3
--             tags        with commas between them; '' for none
--             max_tasks   how many tasks a user may hold
--             max_text    how many bytes of text these may have
-- Returns:    the new task, or no row when a quota is used up
-- Index:      task_counts_pkey
-- Locks:      the user's row of task_counts, until commit
WITH counted AS (
    UPDATE task_counts
    SET
        tasks = tasks + 1,
        numbered = numbered + 1,
        text_bytes = text_bytes + size.bytes,
        revision = revision + 1
    FROM (
        SELECT
            pg_catalog.octet_length(%(title)s::text)
            + coalesce(pg_catalog.octet_length(%(notes)s::text), 0)
            + pg_catalog.octet_length(pg_catalog.replace(%(tags)s::text, ',', '')) AS bytes
    ) AS size
    WHERE task_counts.user_id = %s
        AND numbered = tasks
        AND tasks < %(max_tasks)s::integer
        AND text_bytes + size.bytes <= %(max_text)s::bigint
    RETURNING
        user_id,
        revision
)

INSERT INTO tasks (user_id, title, notes, due_date, due_at, priority, tags, revision)
SELECT
    user_id,
    %(title)s::text,
    %(notes)s::text,
    %(due_date)s::date,
    %(due_at)s::timestamptz,
    %(priority)s::smallint,
    pg_catalog.string_to_array(%(tags)s::text, ','),
    revision
FROM counted
WHERE user_id = %s
RETURNING
    id,
    user_id,
    title,
    notes,
    due_date,
    due_at,
    priority,
    pg_catalog.array_to_string(tags, ',') AS tags,
    completed_at IS NOT NULL AS is_completed,
    completed_at,
    created_at,
    updated_at,
    revision
