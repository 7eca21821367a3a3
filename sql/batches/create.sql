-- Add tasks of a batch that follow one another in it, in this order: for each what tasks/create_with_id does. A task
-- for which a quota is used up is left out, and one after it may fit: the function batch_room walks through them. Only
-- after users/take_turn.
--
-- Parameters: key         null, or the key of the batch: then the rows are stored for it
--             place       in the batch, of the first of them
--             creates     a JSON array of objects: place (in the batch), id (null, or the id that the client has
--                         chosen; no two are the same), title, notes, due_date, due_at, priority, tags as for
--                         tasks/create
--             max_tasks   how many tasks a user may hold
--             max_text    how many bytes of text these may have
-- Returns:    place       in the batch. No row for those for which a quota is used up
--             refusal     null, or the code of the problem: task-deleted for an id of a task that was deleted in the
--                         last 30 days
--             is_new      whether the task was added; if not, it was there
--             task        its columns as in tasks/get; null with a refusal
-- Index:      tasks_pkey, deleted_tasks_pkey, task_counts_pkey, idempotency_keys_pkey
-- Locks:      the user's row of task_counts, until commit; older deletions of the ids
WITH asked AS MATERIALIZED (
    SELECT
        place,
        id IS NOT NULL AS is_chosen,
        coalesce(id, gen_random_uuid()) AS new_id,
        title,
        notes,
        due_date,
        due_at,
        priority,
        tags,
        pg_catalog.octet_length(title)
        + coalesce(pg_catalog.octet_length(notes), 0)
        + pg_catalog.octet_length(pg_catalog.replace(tags, ',', '')) AS bytes
    FROM
        pg_catalog.json_to_recordset(%(creates)s::json) AS (
            place integer,
            id uuid,
            title text,
            notes text,
            due_date date,
            due_at timestamptz,
            priority smallint,
            tags text
        )
),

present AS MATERIALIZED (
    SELECT
        found.id,
        found.user_id,
        found.title,
        found.notes,
        found.due_date,
        found.due_at,
        found.priority,
        found.tags,
        found.completed_at,
        found.created_at,
        found.updated_at,
        found.revision
    FROM asked
    CROSS JOIN
        LATERAL (
            SELECT
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
            FROM tasks
            WHERE tasks.user_id = %s
                AND tasks.id = asked.new_id
            ORDER BY tasks.id
            LIMIT 1
        ) AS found
    WHERE asked.is_chosen
),

deletion AS MATERIALIZED (
    SELECT
        found.user_id,
        found.id,
        found.revision,
        found.is_remembered
    FROM asked
    CROSS JOIN
        LATERAL (
            SELECT
                deleted_tasks.user_id,
                deleted_tasks.id,
                deleted_tasks.revision,
                deleted_tasks.deleted_at > now() - interval '30 days' AS is_remembered
            FROM deleted_tasks
            WHERE deleted_tasks.user_id = %s
                AND deleted_tasks.id = asked.new_id
            ORDER BY deleted_tasks.id
            LIMIT 1
        ) AS found
    WHERE asked.is_chosen
        AND asked.new_id NOT IN (SELECT present.id FROM present)
),

addable AS MATERIALIZED (
    SELECT
        new_id,
        bytes,
        pg_catalog.row_number() OVER (ORDER BY place)::integer AS step
    FROM asked
    WHERE new_id NOT IN (SELECT present.id FROM present)
        AND new_id NOT IN (SELECT deletion.id FROM deletion WHERE deletion.is_remembered)
),

steps AS MATERIALIZED (
    SELECT
        public.batch_room(
            (SELECT pg_catalog.array_agg(addable.bytes ORDER BY addable.step) FROM addable),
            %(max_tasks)s::integer - task_counts.tasks,
            %(max_text)s::bigint - task_counts.text_bytes
        ) AS fitting
    FROM task_counts
    WHERE task_counts.user_id = %s
        AND task_counts.numbered = task_counts.tasks
),

fitting AS MATERIALIZED (
    SELECT
        new_id,
        bytes,
        pg_catalog.row_number() OVER (ORDER BY step) AS number
    FROM addable
    WHERE step = ANY(SELECT pg_catalog.unnest(steps.fitting) FROM steps)
),

all_fitting AS MATERIALIZED (
    SELECT
        pg_catalog.count(*)::integer AS number,
        coalesce(pg_catalog.sum(bytes), 0::bigint) AS bytes
    FROM fitting
),

forgettable AS MATERIALIZED (
    SELECT
        pg_catalog.max(revision) AS revision,
        pg_catalog.count(*)::integer AS number
    FROM deletion
    WHERE id IN (SELECT fitting.new_id FROM fitting)
),

counted AS (
    UPDATE task_counts
    SET
        tasks = tasks + all_fitting.number,
        numbered = numbered + all_fitting.number,
        text_bytes = text_bytes + all_fitting.bytes,
        revision = task_counts.revision + all_fitting.number,
        forgotten_revision = greatest(forgotten_revision, forgettable.revision),
        deletions = greatest(deletions - forgettable.number, 0)
    FROM all_fitting
    CROSS JOIN forgettable
    WHERE task_counts.user_id = %s
        AND numbered = tasks
        AND all_fitting.number > 0
    RETURNING
        task_counts.user_id,
        task_counts.revision - all_fitting.number AS revision_before
),

forgotten AS (
    DELETE FROM deleted_tasks
    WHERE user_id = %s
        AND id IN (
            SELECT deletion.id
            FROM deletion
            INNER JOIN fitting ON deletion.id = fitting.new_id
        )
        AND EXISTS (SELECT FROM counted)
),

made AS (
    INSERT INTO tasks (user_id, id, title, notes, due_date, due_at, priority, tags, revision)
    SELECT
        counted.user_id,
        asked.new_id,
        asked.title,
        asked.notes,
        asked.due_date,
        asked.due_at,
        asked.priority,
        pg_catalog.string_to_array(asked.tags, ','),
        counted.revision_before + fitting.number
    FROM counted
    CROSS JOIN fitting
    INNER JOIN asked ON fitting.new_id = asked.new_id
    WHERE counted.user_id = %s
    RETURNING
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
),

answered AS MATERIALIZED (
    SELECT
        asked.place,
        NULL::text AS refusal,
        TRUE AS is_new,
        made.id,
        made.user_id,
        made.title,
        made.notes,
        made.due_date,
        made.due_at,
        made.priority,
        pg_catalog.array_to_string(made.tags, ',') AS tags,
        made.completed_at IS NOT NULL AS is_completed,
        made.completed_at,
        made.created_at,
        made.updated_at,
        made.revision
    FROM made
    INNER JOIN asked ON made.id = asked.new_id
    UNION ALL
    SELECT
        asked.place,
        NULL::text AS refusal,
        FALSE AS is_new,
        present.id,
        present.user_id,
        present.title,
        present.notes,
        present.due_date,
        present.due_at,
        present.priority,
        pg_catalog.array_to_string(present.tags, ',') AS tags,
        present.completed_at IS NOT NULL AS is_completed,
        present.completed_at,
        present.created_at,
        present.updated_at,
        present.revision
    FROM present
    INNER JOIN asked ON present.id = asked.new_id
    UNION ALL
    SELECT
        asked.place,
        'task-deleted' AS refusal,
        FALSE AS is_new,
        NULL::uuid AS id,
        deletion.user_id,
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
    FROM deletion
    INNER JOIN asked ON deletion.id = asked.new_id
    WHERE deletion.is_remembered
),

kept AS (
    INSERT INTO batch_results (user_id, key, place, answer)
    SELECT
        idempotency_keys.user_id,
        idempotency_keys.key,
        %(place)s::integer,
        pg_catalog.json_agg(
            CASE
                WHEN answered.refusal IS NULL
                    THEN pg_catalog.json_build_array(
                            answered.place,
                            answered.refusal,
                            answered.is_new,
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
                ELSE pg_catalog.json_build_array(answered.place, answered.refusal)
            END
        )::text
    FROM answered
    CROSS JOIN idempotency_keys
    WHERE idempotency_keys.user_id = %s
        AND idempotency_keys.key = %(key)s::text
    GROUP BY
        idempotency_keys.user_id,
        idempotency_keys.key
)

SELECT
    place,
    refusal,
    is_new,
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
