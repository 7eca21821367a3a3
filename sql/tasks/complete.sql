-- Complete a task. Completing it again changes nothing, and writes nothing.
--
-- Parameters: task_id   the task; another user's task is not found
-- Returns:    the task as it is now, or no row
-- Index:      tasks_pkey
-- Locks:      the task's row, until commit; none when it was complete already. If another transaction
--             completed the task since this statement began, the task keeps that time
WITH found AS MATERIALIZED (
    SELECT
        id,
        user_id,
        title,
        completed_at,
        created_at,
        updated_at
    FROM tasks
    WHERE user_id = %s
        AND id = %(task_id)s::uuid
),

completed AS (
    UPDATE tasks
    SET
        completed_at = coalesce(completed_at, moment),
        updated_at = CASE WHEN completed_at IS NULL THEN moment ELSE updated_at END
    FROM now() AS moment
    WHERE user_id = %s
        AND id = %(task_id)s::uuid
        AND EXISTS (SELECT FROM found WHERE completed_at IS NULL)
    RETURNING
        id,
        user_id,
        title,
        completed_at,
        created_at,
        updated_at
)

SELECT
    id,
    user_id,
    title,
    TRUE AS is_completed,
    completed_at,
    created_at,
    updated_at
FROM found
WHERE user_id = %s
    AND completed_at IS NOT NULL
UNION ALL
SELECT
    id,
    user_id,
    title,
    TRUE AS is_completed,
    completed_at,
    created_at,
    updated_at
FROM completed
WHERE user_id = %s
