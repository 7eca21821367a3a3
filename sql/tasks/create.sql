-- Add a task, unless the user holds as many as allowed.
--
-- Parameters: title       1 to 500 characters, trimmed
--             max_tasks   how many tasks a user may hold
-- Returns:    the new task, or no row when the quota is used up
-- Index:      users_pkey, task_counts_pkey
-- Locks:      the user's row of task_counts, until commit: parallel creates of one user
--             take turns, so that none checks a stale count
WITH counted AS (
    INSERT INTO task_counts AS held (user_id, tasks)
    SELECT
        user_id,
        1
    FROM users
    WHERE user_id = %s
    ON CONFLICT (user_id) DO UPDATE
        SET tasks = held.tasks + 1
        WHERE held.tasks < %(max_tasks)s::integer
    RETURNING user_id
)

INSERT INTO tasks (user_id, title)
SELECT
    user_id,
    %(title)s::text
FROM counted
WHERE user_id = %s
RETURNING
    id,
    user_id,
    title,
    completed_at IS NOT NULL AS is_completed,
    completed_at,
    created_at,
    updated_at
