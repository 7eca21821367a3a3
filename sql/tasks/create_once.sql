-- Add a task and store the key that came with it. If the key exists already, find what was answered. Only after
-- users/take_turn: otherwise two requests with the same key could both find no key, and two with new keys could both
-- find room for one. The key in the way is, of too many, the one that has to get too old first.
-- A task with the id that the client has chosen is answered as in tasks/create_with_id, and stored with the key: it may
-- be another one when the same request comes again. Only then the answers that are kept are added up. What was added
-- can be made again from the request itself.
--
-- Parameters: key            the client's key
--             request_hash   SHA-256 of the request's body, in hexadecimal digits
--             new_id         null, or the id that the client has chosen
--             title          1 to 500 characters, trimmed
--             notes          null, or 1 to 4 000 characters
--             due_date       null, or a date
--             due_at         null, or a moment; one of the two is null
--             priority       0 to 3
--             tags           with commas between them; '' for none
--             max_tasks      how many tasks a user may hold
--             max_text       how many bytes of text these may have
--             other_keys     how many other keys of the last 24 hours a user may have
--             max_answers    how many bytes of answers these may have when one more comes
-- Returns:    refusal        null, or the code of the problem: idempotency-key-reused, rate-limited, task-deleted. No
--                            row when a quota is used up
--             is_replay      whether the key existed
--             task_id        of the new task; null with a refusal
--             created_at     when the new task was made
--             revision       the new task's first one
--             answer         null, or the task that was there, as a JSON array of the columns of tasks/get
--             room_in        null, or seconds until there is room for a key
-- Index:      idempotency_keys_pkey, idempotency_keys_oldest_first, tasks_pkey, deleted_tasks_pkey, task_counts_pkey
-- Locks:      the user's row of task_counts, until commit; an older deletion of the id
WITH known AS MATERIALIZED (
    SELECT
        user_id,
        request_hash,
        task_id,
        created_at,
        revision,
        answer
    FROM idempotency_keys
    WHERE user_id = %s
        AND key = %(key)s::text
),

in_the_way AS MATERIALIZED (
    SELECT
        user_id,
        created_at
    FROM idempotency_keys
    WHERE user_id = %s
        AND created_at > now() - interval '24 hours'
        AND NOT EXISTS (SELECT FROM known)
    ORDER BY created_at DESC
    LIMIT 1 OFFSET %(other_keys)s::integer
),

present AS MATERIALIZED (
    SELECT
        user_id,
        id,
        revision,
        pg_catalog.json_build_array(
            id,
            user_id,
            title,
            notes,
            due_date::text,
            due_at::text,
            priority,
            pg_catalog.array_to_string(tags, ','),
            completed_at IS NOT NULL,
            completed_at::text,
            created_at::text,
            updated_at::text,
            revision
        )::text AS answer
    FROM tasks
    WHERE user_id = %s
        AND id = %(new_id)s::uuid
        AND NOT EXISTS (SELECT FROM known)
        AND NOT EXISTS (SELECT FROM in_the_way)
),

of_batches AS MATERIALIZED (
    SELECT
        key,
        pg_catalog.sum(pg_catalog.octet_length(answer) + 100) AS bytes
    FROM batch_results
    WHERE user_id = %s
        AND EXISTS (SELECT FROM present)
    GROUP BY key
),

newest_first AS MATERIALIZED (
    SELECT
        idempotency_keys.user_id,
        idempotency_keys.created_at,
        pg_catalog.sum(
            coalesce(pg_catalog.octet_length(idempotency_keys.answer), 0) + coalesce(of_batches.bytes, 0::bigint)
        ) OVER (
            ORDER BY idempotency_keys.created_at DESC, idempotency_keys.key DESC
        )::bigint AS bytes
    FROM idempotency_keys
    LEFT JOIN of_batches ON idempotency_keys.key = of_batches.key
    WHERE idempotency_keys.user_id = %s
        AND idempotency_keys.created_at > now() - interval '24 hours'
        AND EXISTS (SELECT FROM present)
),

too_long AS MATERIALIZED (
    SELECT
        user_id,
        created_at
    FROM newest_first
    WHERE bytes >= %(max_answers)s::bigint
    ORDER BY bytes
    LIMIT 1
),

deletion AS MATERIALIZED (
    SELECT
        user_id,
        revision,
        deleted_at > now() - interval '30 days' AS is_remembered
    FROM deleted_tasks
    WHERE user_id = %s
        AND id = %(new_id)s::uuid
        AND NOT EXISTS (SELECT FROM known)
        AND NOT EXISTS (SELECT FROM in_the_way)
        AND NOT EXISTS (SELECT FROM present)
),

counted AS (
    UPDATE task_counts
    SET
        tasks = tasks + 1,
        numbered = numbered + 1,
        text_bytes = text_bytes + size.bytes,
        revision = revision + 1,
        forgotten_revision = greatest(forgotten_revision, (SELECT pg_catalog.max(deletion.revision) FROM deletion)),
        deletions = greatest(deletions - (SELECT pg_catalog.count(*)::integer FROM deletion), 0)
    FROM (
        SELECT
            pg_catalog.octet_length(%(title)s::text)
            + coalesce(pg_catalog.octet_length(%(notes)s::text), 0)
            + pg_catalog.octet_length(pg_catalog.replace(%(tags)s::text, ',', '')) AS bytes
    ) AS size
    WHERE task_counts.user_id = %s
        AND numbered = tasks
        AND tasks < %(max_tasks)s::integer
        AND text_bytes + size.bytes <= %(max_text)s::bigint
        AND NOT EXISTS (SELECT FROM known)
        AND NOT EXISTS (SELECT FROM in_the_way)
        AND NOT EXISTS (SELECT FROM present)
        AND NOT EXISTS (SELECT FROM deletion WHERE is_remembered)
    RETURNING
        user_id,
        revision
),

forgotten AS (
    DELETE FROM deleted_tasks
    WHERE user_id = %s
        AND id = %(new_id)s::uuid
        AND EXISTS (SELECT FROM counted)
        AND EXISTS (SELECT FROM deletion)
),

made AS (
    INSERT INTO tasks (user_id, id, title, notes, due_date, due_at, priority, tags, revision)
    SELECT
        user_id,
        coalesce(%(new_id)s::uuid, gen_random_uuid()),
        %(title)s::text,
        %(notes)s::text,
        %(due_date)s::date,
        %(due_at)s::timestamptz,
        %(priority)s::smallint,
        pg_catalog.string_to_array(%(tags)s::text, ','),
        revision
    FROM counted
    WHERE user_id = %s
    RETURNING
        user_id,
        id,
        created_at,
        revision
),

kept AS (
    INSERT INTO idempotency_keys (user_id, key, request_hash, task_id, created_at, revision)
    SELECT
        user_id,
        %(key)s::text,
        pg_catalog.decode(%(request_hash)s::text, 'hex'),
        id,
        created_at,
        revision
    FROM made
    WHERE user_id = %s
    RETURNING
        user_id,
        task_id,
        created_at,
        revision,
        answer
),

kept_with_answer AS (
    INSERT INTO idempotency_keys (user_id, key, request_hash, task_id, created_at, revision, answer)
    SELECT
        user_id,
        %(key)s::text,
        pg_catalog.decode(%(request_hash)s::text, 'hex'),
        id,
        now(),
        revision,
        answer
    FROM present
    WHERE user_id = %s
        AND NOT EXISTS (SELECT FROM too_long)
    RETURNING
        user_id,
        task_id,
        created_at,
        revision,
        answer
)

SELECT
    NULL::text AS refusal,
    FALSE AS is_replay,
    task_id,
    created_at,
    revision,
    answer,
    NULL::integer AS room_in
FROM kept
WHERE user_id = %s
UNION ALL
SELECT
    NULL::text AS refusal,
    FALSE AS is_replay,
    task_id,
    created_at,
    revision,
    answer,
    NULL::integer AS room_in
FROM kept_with_answer
WHERE user_id = %s
UNION ALL
SELECT
    CASE
        WHEN request_hash <> pg_catalog.decode(%(request_hash)s::text, 'hex') THEN 'idempotency-key-reused'
    END AS refusal,
    TRUE AS is_replay,
    task_id,
    created_at,
    coalesce(revision, 0::bigint) AS revision,
    answer,
    NULL::integer AS room_in
FROM known
WHERE user_id = %s
UNION ALL
SELECT
    'rate-limited' AS refusal,
    FALSE AS is_replay,
    NULL::uuid AS task_id,
    created_at,
    NULL::bigint AS revision,
    NULL::text AS answer,
    pg_catalog.ceil(extract(EPOCH FROM created_at + interval '24 hours' - now()))::integer AS room_in
FROM in_the_way
WHERE user_id = %s
UNION ALL
SELECT
    'rate-limited' AS refusal,
    FALSE AS is_replay,
    NULL::uuid AS task_id,
    created_at,
    NULL::bigint AS revision,
    NULL::text AS answer,
    pg_catalog.ceil(extract(EPOCH FROM created_at + interval '24 hours' - now()))::integer AS room_in
FROM too_long
WHERE user_id = %s
UNION ALL
SELECT
    'task-deleted' AS refusal,
    FALSE AS is_replay,
    NULL::uuid AS task_id,
    NULL::timestamptz AS created_at,
    NULL::bigint AS revision,
    NULL::text AS answer,
    NULL::integer AS room_in
FROM deletion
WHERE user_id = %s
    AND is_remembered
