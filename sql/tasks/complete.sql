-- Complete a task. Completing it again changes nothing.
--
-- Parameters: task_id   the task; another user's finds nothing
-- Returns:    the task as it is now, or no row
-- Index:      tasks_pkey
-- Locks:      the task's row, until commit
UPDATE tasks
SET
    completed_at = coalesce(completed_at, moment),
    updated_at = CASE WHEN completed_at IS NULL THEN moment ELSE updated_at END
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
