-- Complete a task in a batch, as tasks/complete does, and store the row for the key of the batch. Only after
-- users/take_turn and batches/claim.
--
-- Parameters: key       of the batch
--             place     in the batch
--             task_id   the task; another user's task is not found
-- Returns:    the task as it is now, or no row
-- Index:      idempotency_keys_pkey, tasks_pkey, task_counts_pkey
-- Locks:      the user's row of task_counts, until commit; the task's row, until commit
WITH found AS MATERIALIZED (
    SELECT
        id,
        user_id,
        title,
        notes,
        due_date,
        due_at,
        priority,
        tags,
        completed_at,
        created_at,
        updated_at,
        revision,
        greatest(now(), updated_at) AS moment
    FROM tasks
    WHERE user_id = %s
        AND id = %(task_id)s::uuid
),

counted AS (
    UPDATE task_counts
    SET revision = task_counts.revision + 1
    FROM found
    WHERE task_counts.user_id = %s
        AND numbered = tasks
        AND found.completed_at IS NULL
    RETURNING task_counts.revision
),

completed AS (
    UPDATE tasks
    SET
        completed_at = coalesce(tasks.completed_at, found.moment),
        updated_at = CASE WHEN tasks.completed_at IS NULL THEN found.moment ELSE tasks.updated_at END,
        revision = counted.revision
    FROM found
    CROSS JOIN counted
    WHERE tasks.user_id = %s
        AND tasks.id = found.id
    RETURNING
        tasks.id,
        tasks.user_id,
        tasks.title,
        tasks.notes,
        tasks.due_date,
        tasks.due_at,
        tasks.priority,
        tasks.tags,
        tasks.completed_at,
        tasks.created_at,
        tasks.updated_at,
        tasks.revision
),

answered AS MATERIALIZED (
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
    FROM found
    WHERE completed_at IS NOT NULL
    UNION ALL
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
    FROM completed
),

kept AS (
    INSERT INTO batch_results (user_id, key, place, answer)
    SELECT
        idempotency_keys.user_id,
        idempotency_keys.key,
        %(place)s::integer,
        pg_catalog.json_build_array(
            pg_catalog.json_build_array(
                answered.id,
                answered.user_id,
                answered.title,
                answered.notes,
                answered.due_date::text,
                answered.due_at::text,
                answered.priority,
                answered.tags,
                answered.is_completed,
                answered.completed_at::text,
                answered.created_at::text,
                answered.updated_at::text,
                answered.revision
            )
        )::text
    FROM answered
    CROSS JOIN idempotency_keys
    WHERE idempotency_keys.user_id = %s
        AND idempotency_keys.key = %(key)s::text
)

SELECT
    id,
    user_id,
    title,
    notes,
    due_date,
    due_at,
    priority,
    tags,
    is_completed,
    completed_at,
    created_at,
    updated_at,
    revision
FROM answered
WHERE user_id = %s
