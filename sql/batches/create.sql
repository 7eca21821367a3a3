-- Add the tasks of a batch that follow one another in it, in this order: what tasks/create and tasks/create_with_id do
-- for one. What does not fit is left out, and a shorter one after it may fit. Only after tasks/take_turn.
--
-- Parameters: creates     a JSON array of objects: position in the batch, id (null, or the client's choice; no two are
--                         the same), title, notes, due_date, due_at, priority, tags, as in tasks/create
--             max_tasks   how many tasks a user may hold
--             max_text    how many bytes of text these may have
-- Returns:    one row for each, in order; none for those for which a quota is used up
--             position    in the batch
--             refusal     null, or the code of the problem: task-deleted
--             is_new      whether the task was added; if not, it was there
--             task        its columns as in tasks/get; null with a refusal
-- Index:      tasks_pkey, deleted_tasks_pkey, task_counts_pkey
-- Locks:      the user's row of task_counts, until commit; older deletions of the ids
WITH RECURSIVE asked AS MATERIALIZED (
    SELECT
        position,
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
    FROM pg_catalog.json_to_recordset(%(creates)s::json) AS given (
        position integer,
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
        asked.position,
        found.*
    FROM asked
    CROSS JOIN LATERAL (
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
            AND id = asked.new_id
        LIMIT 1
    ) AS found
    WHERE asked.is_chosen
),

deletion AS MATERIALIZED (
    SELECT
        asked.position,
        asked.new_id,
        found.user_id,
        found.revision,
        found.is_remembered
    FROM asked
    CROSS JOIN LATERAL (
        SELECT
            user_id,
            revision,
            deleted_at > now() - interval '30 days' AS is_remembered
        FROM deleted_tasks
        WHERE user_id = %s
            AND id = asked.new_id
        LIMIT 1
    ) AS found
    WHERE asked.is_chosen
        AND asked.position NOT IN (SELECT present.position FROM present)
),

addable AS MATERIALIZED (
    SELECT
        position,
        bytes,
        pg_catalog.row_number() OVER (ORDER BY position) AS place
    FROM asked
    WHERE position NOT IN (SELECT present.position FROM present)
        AND position NOT IN (SELECT deletion.position FROM deletion WHERE deletion.is_remembered)
),

held AS MATERIALIZED (
    SELECT
        task_counts.tasks,
        task_counts.text_bytes,
        task_counts.tasks + sum_of.number <= %(max_tasks)s::integer
        AND task_counts.text_bytes + sum_of.bytes <= %(max_text)s::bigint AS has_room_for_all
    FROM task_counts
    CROSS JOIN (
        SELECT
            pg_catalog.count(*) AS number,
            coalesce(pg_catalog.sum(bytes), 0::bigint) AS bytes
        FROM addable
    ) AS sum_of
    WHERE task_counts.user_id = %s
        AND task_counts.numbered = task_counts.tasks
),

-- one after the other, only where there is no room for all of them
walked AS (
    SELECT
        0::bigint AS place,
        held.tasks,
        held.text_bytes,
        FALSE AS fits
    FROM held
    WHERE NOT held.has_room_for_all
    UNION ALL
    SELECT
        addable.place,
        walked.tasks + step.fits::integer AS tasks,
        walked.text_bytes + CASE WHEN step.fits THEN addable.bytes ELSE 0 END AS text_bytes,
        step.fits
    FROM walked
    INNER JOIN addable ON walked.place + 1 = addable.place
    CROSS JOIN LATERAL (
        SELECT
            walked.tasks < %(max_tasks)s::integer
            AND walked.text_bytes + addable.bytes <= %(max_text)s::bigint AS fits
    ) AS step
),

fitting AS MATERIALIZED (
    SELECT
        position,
        bytes,
        pg_catalog.row_number() OVER (ORDER BY position) AS number
    FROM addable
    WHERE EXISTS (SELECT FROM held WHERE held.has_room_for_all)
        OR place IN (SELECT walked.place FROM walked WHERE walked.fits)
),

counted AS (
    UPDATE task_counts
    SET
        tasks = tasks + added.number,
        numbered = numbered + added.number,
        text_bytes = text_bytes + added.bytes,
        revision = task_counts.revision + added.number,
        forgotten_revision = greatest(forgotten_revision, forgotten_now.revision),
        deletions = greatest(deletions - forgotten_now.number, 0)
    FROM (
        SELECT
            pg_catalog.count(*)::integer AS number,
            coalesce(pg_catalog.sum(bytes), 0::bigint) AS bytes
        FROM fitting
    ) AS added
    CROSS JOIN (
        SELECT
            pg_catalog.max(deletion.revision) AS revision,
            pg_catalog.count(*)::integer AS number
        FROM deletion
        INNER JOIN fitting ON deletion.position = fitting.position
    ) AS forgotten_now
    WHERE task_counts.user_id = %s
        AND numbered = tasks
        AND added.number > 0
    RETURNING
        task_counts.user_id,
        task_counts.revision - added.number AS revision_before
),

forgotten AS (
    DELETE FROM deleted_tasks
    WHERE user_id = %s
        AND id IN (
            SELECT deletion.new_id
            FROM deletion
            INNER JOIN fitting ON deletion.position = fitting.position
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
    INNER JOIN asked ON fitting.position = asked.position
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
)

SELECT
    asked.position,
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
WHERE made.user_id = %s
UNION ALL
SELECT
    position,
    NULL::text AS refusal,
    FALSE AS is_new,
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
FROM present
WHERE user_id = %s
UNION ALL
SELECT
    position,
    'task-deleted' AS refusal,
    FALSE AS is_new,
    NULL::uuid AS id,
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
    NULL::bigint AS revision
FROM deletion
WHERE user_id = %s
    AND is_remembered
