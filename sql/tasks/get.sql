-- One task of the user.
--
-- Parameters: task_id   the task; another user's task is not found
-- Returns:    the task, or no row
-- Index:      tasks_pkey
-- Locks:      none
SELECT
    id,
    user_id,
    title,
    completed_at IS NOT NULL AS is_completed,
    completed_at,
    created_at,
    updated_at
FROM tasks
WHERE user_id = %s
    AND id = %(task_id)s::uuid
