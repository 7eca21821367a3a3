-- Delete a task, and subtract it from the user's counter. A user whose tasks were all added by hand has no
-- counter.
--
-- Parameters: task_id   the task; another user's task is not found
-- Returns:    one row when a task was deleted, otherwise none
-- Index:      tasks_pkey, task_counts_pkey
-- Locks:      the user's row of task_counts, then the task's row, until commit: delete_account locks them in this order
WITH held AS MATERIALIZED (
    SELECT user_id
    FROM task_counts
    WHERE user_id = %s
    FOR UPDATE
),

deleted AS (
    DELETE FROM tasks
    WHERE user_id = %s
        AND id = %(task_id)s::uuid
        AND (SELECT count(*) FROM held) >= 0
    RETURNING user_id
),

counted AS (
    UPDATE task_counts
    SET tasks = greatest(tasks - 1, 0)
    WHERE user_id = %s
        AND user_id IN (SELECT deleted.user_id FROM deleted)
)

SELECT user_id
FROM deleted
WHERE user_id = %s
