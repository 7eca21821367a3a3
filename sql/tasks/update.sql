-- Change a task's title, its completion, or both. Null means no change, and updated_at changes only
-- when something really changes.
--
-- Parameters: task_id        the task; another user's task is not found
--             title          1 to 500 characters, trimmed; null: no change
--             is_completed   true sets completed_at once, false clears it; null: no change
-- Returns:    the task as it is now, or no row
-- Index:      tasks_pkey
-- Locks:      the task's row, until commit
UPDATE tasks
SET
    title = coalesce(%(title)s::text, title),
    completed_at = CASE
        WHEN %(is_completed)s::boolean THEN coalesce(completed_at, moment)
        WHEN NOT %(is_completed)s::boolean THEN NULL
        ELSE completed_at
    END,
    updated_at = CASE
        WHEN title IS DISTINCT FROM coalesce(%(title)s::text, title) THEN moment
        WHEN (completed_at IS NOT NULL) IS DISTINCT FROM coalesce(%(is_completed)s::boolean, completed_at IS NOT NULL)
            THEN moment
        ELSE updated_at
    END
FROM now() AS moment
WHERE user_id = %s
    AND id = %(task_id)s::uuid
RETURNING
    id,
    user_id,
    title,
    completed_at IS NOT NULL AS is_completed,
    completed_at,
    created_at,
    updated_at
