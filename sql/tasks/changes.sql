-- What has changed after a revision, the oldest change first: tasks as they are now, and ids of deleted tasks. All of
-- it is of one snapshot. In the order of revisions, which is the order of commits (users/take_turn), nothing that
-- commits later can come before what has been read already; so reading on after the last revision misses nothing.
--
-- The parameters stand in a WITH of their own, so that PostgreSQL estimates the same for all values and keeps its plan.
-- With each value's own estimate it plans anew each time, which takes longer than to find that nothing has changed.
--
-- Parameters: since       the revision; 0: every task, and no deletion
--             page_size   how many changes to return; when there are more, one more row comes
-- Returns:    latest               in the first row: the revision of the user's latest change
--             forgotten_revision   up to which deletions are no longer known in full
--             is_in_step           whether all of the user's tasks are counted and numbered; if not, tasks/number has
--                                  to come first. All that follows is null in this row. No such row: the user has no
--                                  counter
--             is_deletion          in each other row: whether the change is one; then only id and revision follow
--             task                 its columns as in tasks/get
-- Index:      task_counts_pkey; tasks_pkey, over all tasks of the user, unless nothing has changed; they have no index
--             by revision, which would make each update of a task write to all of its indexes.
--             deleted_tasks_by_revision
-- Locks:      none
WITH asked AS MATERIALIZED (
    SELECT
        %(since)s::bigint AS since,
        %(page_size)s::integer AS page_size
),

state AS MATERIALIZED (
    SELECT
        user_id,
        revision,
        forgotten_revision,
        coalesce(numbered = tasks, FALSE) AS is_in_step
    FROM task_counts
    WHERE user_id = %s
),

changed AS MATERIALIZED (
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
        revision
    FROM tasks
    WHERE user_id = %s
        AND (revision > (SELECT asked.since FROM asked) OR revision = 0)
        AND (SELECT state.revision > asked.since OR asked.since = 0 FROM state CROSS JOIN asked)
    ORDER BY revision ASC
    LIMIT (SELECT asked.page_size + 1 FROM asked)
),

deleted AS MATERIALIZED (
    SELECT
        id,
        user_id,
        revision
    FROM deleted_tasks
    WHERE user_id = %s
        AND revision > (SELECT asked.since FROM asked)
        AND (SELECT asked.since FROM asked) > 0
    ORDER BY revision ASC
    LIMIT (SELECT asked.page_size + 1 FROM asked)
)

SELECT
    revision AS latest,
    forgotten_revision,
    is_in_step,
    NULL::boolean AS is_deletion,
    NULL::uuid AS id,
    NULL::uuid AS user_id,
    NULL::text AS title,
    NULL::text AS notes,
    NULL::date AS due_date,
    NULL::timestamptz AS due_at,
    NULL::smallint AS priority,
    NULL::text AS tags,
    NULL::boolean AS is_completed,
    NULL::timestamptz AS completed_at,
    NULL::timestamptz AS created_at,
    NULL::timestamptz AS updated_at,
    NULL::bigint AS revision
FROM state
WHERE user_id = %s
UNION ALL
SELECT
    NULL::bigint AS latest,
    NULL::bigint AS forgotten_revision,
    NULL::boolean AS is_in_step,
    FALSE AS is_deletion,
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
FROM changed
WHERE user_id = %s
UNION ALL
SELECT
    NULL::bigint AS latest,
    NULL::bigint AS forgotten_revision,
    NULL::boolean AS is_in_step,
    TRUE AS is_deletion,
    id,
    user_id,
    NULL::text AS title,
    NULL::text AS notes,
    NULL::date AS due_date,
    NULL::timestamptz AS due_at,
    NULL::smallint AS priority,
    NULL::text AS tags,
    NULL::boolean AS is_completed,
    NULL::timestamptz AS completed_at,
    NULL::timestamptz AS created_at,
    NULL::timestamptz AS updated_at,
    revision
FROM deleted
WHERE user_id = %s
ORDER BY revision ASC NULLS FIRST
LIMIT %(page_size)s::integer + 2
