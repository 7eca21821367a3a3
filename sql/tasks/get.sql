-- One task of the user.
--
-- Parameters: task_id   the task; another user's task is not found
-- Returns:    the task, or no row; with the revision 0 the user's tasks have to be numbered first (tasks/number)
-- Index:      tasks_pkey
-- Locks:      none
SELECT
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
FROM tasks
WHERE user_id = %s
    AND id = %(task_id)s::uuid
