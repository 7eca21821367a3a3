-- Delete a task, and remember for 30 days that it was. Only after users/take_turn.
-- Of somebody who adds and deletes without end, the oldest hundred deletions are forgotten before their time.
--
-- Parameters: task_id         the task; another user's task is not found
--             if_revision     null, or the revision that the task has to have
--             max_deletions   how many deletions of a user are remembered
-- Returns:    refusal         null, or the code of the problem: revision-conflict. No row: there is no such task
--             task            its columns as in tasks/get, as it was
-- Index:      tasks_pkey, task_counts_pkey, deleted_tasks_pkey, deleted_tasks_by_revision
-- Locks:      the user's row of task_counts, until commit; the removed rows, until commit
WITH found AS MATERIALIZED (
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
        revision,
        coalesce(revision <> %(if_revision)s::bigint, FALSE) AS is_stale,
        pg_catalog.octet_length(title)
        + coalesce(pg_catalog.octet_length(notes), 0)
        + pg_catalog.octet_length(pg_catalog.array_to_string(tags, '')) AS bytes
    FROM tasks
    WHERE user_id = %s
        AND id = %(task_id)s::uuid
),

oldest AS MATERIALIZED (
    SELECT
        coalesce(pg_catalog.max(revision), 0::bigint) AS revision,
        pg_catalog.count(*)::integer AS number
    FROM (
        SELECT revision
        FROM deleted_tasks
        WHERE user_id = %s
            AND EXISTS (
                SELECT FROM task_counts
                WHERE task_counts.user_id = %s
                    AND task_counts.deletions >= %(max_deletions)s::integer
            )
        ORDER BY revision
        LIMIT 100
    ) AS by_revision
),

counted AS (
    UPDATE task_counts
    SET
        tasks = greatest(tasks - 1, 0),
        numbered = greatest(numbered - 1, 0),
        text_bytes = greatest(text_bytes - found.bytes, 0::bigint),
        revision = task_counts.revision + 1,
        deletions = greatest(deletions - oldest.number, 0) + 1,
        forgotten_revision = greatest(forgotten_revision, oldest.revision)
    FROM found
    CROSS JOIN oldest
    WHERE task_counts.user_id = %s
        AND numbered = tasks
        AND NOT found.is_stale
    RETURNING
        task_counts.user_id,
        task_counts.revision
),

deleted AS (
    DELETE FROM tasks
    WHERE user_id = %s
        AND id = %(task_id)s::uuid
        AND EXISTS (SELECT FROM counted)
),

forgotten AS (
    DELETE FROM deleted_tasks
    WHERE user_id = %s
        AND revision <= (SELECT oldest.revision FROM oldest)
        AND EXISTS (SELECT FROM counted)
),

remembered AS (
    INSERT INTO deleted_tasks (user_id, id, revision)
    SELECT
        user_id,
        %(task_id)s::uuid,
        revision
    FROM counted
    WHERE user_id = %s
    ON CONFLICT (user_id, id) DO UPDATE
        SET
            revision = excluded.revision,
            deleted_at = excluded.deleted_at
)

SELECT
    CASE WHEN is_stale THEN 'revision-conflict' END AS refusal,
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
FROM found
WHERE user_id = %s
