-- Add a task under an id that the client has chosen. If the user has a task with that id, there is nothing to add. Only
-- after users/take_turn.
--
-- Parameters: new_id      the id
--             title       1 to 500 characters, trimmed
--             notes       null, or 1 to 4 000 characters
--             due_date    null, or a date
--             due_at      null, or a moment; one of the two is null
--             priority    0 to 3
--             tags        with commas between them; '' for none
--             max_tasks   how many tasks a user may hold
--             max_text    how many bytes of text these may have
-- Returns:    refusal     null, or the code of the problem: task-deleted for an id of a task that was deleted in the
--                         last 30 days. No row when a quota is used up
--             is_new      whether the task was added; if not, it was there
--             task        its columns as in tasks/get; null with a refusal
-- Index:      tasks_pkey, deleted_tasks_pkey, task_counts_pkey
-- Locks:      the user's row of task_counts, until commit; an older deletion of the id
WITH present AS MATERIALIZED (
    SELECT
        id,
        user_id,
        title,
        notes,
        due_date,
        due_at,
        priority,
        tags,
        completed_at,
        created_at,
        updated_at,
        revision
    FROM tasks
    WHERE user_id = %s
        AND id = %(new_id)s::uuid
),

deletion AS MATERIALIZED (
    SELECT
        user_id,
        revision,
        deleted_at > now() - interval '30 days' AS is_remembered
    FROM deleted_tasks
    WHERE user_id = %s
        AND id = %(new_id)s::uuid
        AND NOT EXISTS (SELECT FROM present)
),

counted AS (
    UPDATE task_counts
    SET
        tasks = tasks + 1,
        numbered = numbered + 1,
        text_bytes = text_bytes + size.bytes,
        revision = revision + 1,
        forgotten_revision = greatest(forgotten_revision, (SELECT pg_catalog.max(deletion.revision) FROM deletion)),
        deletions = greatest(deletions - (SELECT pg_catalog.count(*)::integer FROM deletion), 0)
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
        AND NOT EXISTS (SELECT FROM present)
        AND NOT EXISTS (SELECT FROM deletion WHERE is_remembered)
    RETURNING
        user_id,
        revision
),

forgotten AS (
    DELETE FROM deleted_tasks
    WHERE user_id = %s
        AND id = %(new_id)s::uuid
        AND EXISTS (SELECT FROM counted)
        AND EXISTS (SELECT FROM deletion)
),

made AS (
    INSERT INTO tasks (user_id, id, title, notes, due_date, due_at, priority, tags, revision)
    SELECT
        user_id,
        %(new_id)s::uuid,
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
        tags,
        completed_at,
        created_at,
        updated_at,
        revision
)

SELECT
    NULL::text AS refusal,
    TRUE AS is_new,
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
FROM made
WHERE user_id = %s
UNION ALL
SELECT
    NULL::text AS refusal,
    FALSE AS is_new,
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
FROM present
WHERE user_id = %s
UNION ALL
SELECT
    'task-deleted' AS refusal,
    FALSE AS is_new,
    NULL::uuid AS id,
    user_id,
    NULL::text AS title,
    NULL::text AS notes,
    NULL::date AS due_date,
    NULL::timestamptz AS due_at,
    NULL::smallint AS priority,
    NULL::text AS tags,
    NULL::boolean AS is_completed,
    NULL::timestamptz AS completed_at,
    NULL::timestamptz AS created_at,
    NULL::timestamptz AS updated_at,
    NULL::bigint AS revision
FROM deletion
WHERE user_id = %s
    AND is_remembered
