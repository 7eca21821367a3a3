-- A page of the user's tasks, newest first: those that follow a given place in the list.
--
-- Parameters: last_created_at   where the page before ended; 'infinity': before the newest task
--             last_id           which of the tasks of that moment
--             page_size         how many tasks the page holds
-- Returns:    one row a task, and one more than page_size when there is a next page
-- Index:      tasks_newest_first, entered at that place and left after the page: no sort, no OFFSET
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
    AND (created_at, id) < (%(last_created_at)s::timestamptz, %(last_id)s::uuid)
ORDER BY created_at DESC, id DESC
LIMIT %(page_size)s::integer + 1
