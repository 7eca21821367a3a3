-- Change fields of a task in a batch, as tasks/update does, and store the row for the key of the batch.
-- Only after users/take_turn and batches/claim.
--
-- Parameters: key            of the batch
--             place          in the batch
--             task_id        the task; another user's task is not found
--             if_revision    null, or the revision that the task has to have
--             title          1 to 500 characters, trimmed; null: no change
--             sets_notes     whether notes are changed, to
--             notes          null, or 1 to 4 000 characters
--             sets_due_date  whether due_date is changed, to
--             due_date       null, or a date
--             sets_due_at    whether due_at is changed, to
--             due_at         null, or a moment
--             priority       0 to 3; null: no change
--             tags           with commas between them; '' for none; null: no change
--             is_completed   true sets completed_at once, false clears it; null: no change
--             max_text       how many bytes of text the user's tasks may have; a change that shortens is always made
-- Returns:    refusal        null, or the code of the problem: revision-conflict, task-quota-exceeded. No row: there is
--                            no such task
--             task           its columns as in tasks/get, as it is now
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
        coalesce(revision <> %(if_revision)s::bigint, FALSE) AS is_stale,
        greatest(now(), updated_at) AS moment
    FROM tasks
    WHERE user_id = %s
        AND id = %(task_id)s::uuid
),

wanted AS MATERIALIZED (
    SELECT
        id,
        coalesce(%(title)s::text, title) AS title,
        CASE WHEN %(sets_notes)s::boolean THEN %(notes)s::text ELSE notes END AS notes,
        CASE WHEN %(sets_due_date)s::boolean THEN %(due_date)s::date ELSE due_date END AS due_date,
        CASE WHEN %(sets_due_at)s::boolean THEN %(due_at)s::timestamptz ELSE due_at END AS due_at,
        coalesce(%(priority)s::smallint, priority) AS priority,
        coalesce(pg_catalog.string_to_array(%(tags)s::text, ','), tags) AS tags,
        CASE
            WHEN %(is_completed)s::boolean THEN coalesce(completed_at, moment)
            WHEN NOT %(is_completed)s::boolean THEN NULL
            ELSE completed_at
        END AS completed_at,
        moment AS updated_at
    FROM found
),

asked AS MATERIALIZED (
    SELECT
        found.user_id,
        found.is_stale,
        (wanted.title <> found.title)
        OR (wanted.notes IS DISTINCT FROM found.notes)
        OR (wanted.due_date IS DISTINCT FROM found.due_date)
        OR (wanted.due_at IS DISTINCT FROM found.due_at)
        OR (wanted.priority <> found.priority)
        OR (pg_catalog.array_to_string(wanted.tags, ',') <> pg_catalog.array_to_string(found.tags, ','))
        OR (wanted.completed_at IS DISTINCT FROM found.completed_at) AS is_changed,
        pg_catalog.octet_length(wanted.title) - pg_catalog.octet_length(found.title)
        + coalesce(pg_catalog.octet_length(wanted.notes), 0) - coalesce(pg_catalog.octet_length(found.notes), 0)
        + pg_catalog.octet_length(pg_catalog.array_to_string(wanted.tags, ''))
        - pg_catalog.octet_length(pg_catalog.array_to_string(found.tags, '')) AS growth
    FROM found
    CROSS JOIN wanted
),

counted AS (
    UPDATE task_counts
    SET
        text_bytes = greatest(text_bytes + asked.growth, 0::bigint),
        revision = revision + 1
    FROM asked
    WHERE task_counts.user_id = %s
        AND numbered = tasks
        AND asked.is_changed
        AND NOT asked.is_stale
        AND (asked.growth <= 0 OR text_bytes + asked.growth <= %(max_text)s::bigint)
    RETURNING revision
),

changed AS (
    UPDATE tasks
    SET
        title = wanted.title,
        notes = wanted.notes,
        due_date = wanted.due_date,
        due_at = wanted.due_at,
        priority = wanted.priority,
        tags = wanted.tags,
        completed_at = wanted.completed_at,
        updated_at = wanted.updated_at,
        revision = counted.revision
    FROM wanted
    CROSS JOIN counted
    WHERE tasks.user_id = %s
        AND tasks.id = wanted.id
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
        NULL::text AS refusal,
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
    UNION ALL
    SELECT
        CASE
            WHEN asked.is_stale THEN 'revision-conflict'
            WHEN asked.is_changed THEN 'task-quota-exceeded'
        END AS refusal,
        found.id,
        found.user_id,
        found.title,
        found.notes,
        found.due_date,
        found.due_at,
        found.priority,
        pg_catalog.array_to_string(found.tags, ',') AS tags,
        found.completed_at IS NOT NULL AS is_completed,
        found.completed_at,
        found.created_at,
        found.updated_at,
        found.revision
    FROM found
    CROSS JOIN asked
    WHERE NOT EXISTS (SELECT FROM changed)
),

kept AS (
    INSERT INTO batch_results (user_id, key, place, answer)
    SELECT
        idempotency_keys.user_id,
        idempotency_keys.key,
        %(place)s::integer,
        pg_catalog.json_build_array(
            CASE
                WHEN answered.refusal IS NULL
                    THEN pg_catalog.json_build_array(
                            answered.refusal,
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
                ELSE pg_catalog.json_build_array(answered.refusal)
            END
        )::text
    FROM answered
    CROSS JOIN idempotency_keys
    WHERE idempotency_keys.user_id = %s
        AND idempotency_keys.key = %(key)s::text
)

SELECT
    refusal,
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
