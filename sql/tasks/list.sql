-- All tasks of the user, newest first.
--
-- Parameters: none beyond the user
-- Returns:    one row for each task
-- Index:      tasks_newest_first, which is in this order already: no sort
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
ORDER BY created_at DESC, id DESC
