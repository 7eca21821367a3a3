-- A page of the user's tasks, newest first: those that follow a given position in the list.
--
-- Parameters: last_created_at   of the previous page's last task; 'infinity' for the first page
--             last_id           of the same task
--             page_size         how many tasks the page holds
-- Returns:    one row for each task, and one more than page_size when there is a next page
-- Index:      tasks_newest_first, read from that position to the end of the page: no sort, no OFFSET
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
    AND (created_at, id) < (%(last_created_at)s::timestamptz, %(last_id)s::uuid)
ORDER BY created_at DESC, id DESC
LIMIT %(page_size)s::integer + 1
