-- Add a task and store the key that came with it. If the key exists already, find the task that was made with it.
-- Only after users/take_turn: otherwise two requests with the same key could both find no key, and two with new keys
-- could both find room for one. The key in the way is, of too many, the one that has to get too old first.
--
-- Parameters: key            the client's key
--             request_hash   SHA-256 of the request's body, in hexadecimal digits
--             title          1 to 500 characters, trimmed
--             max_tasks      how many tasks a user may hold
--             other_keys     how many other keys of the last 24 hours a user may have
-- Returns:    is_replay      whether the key existed; no row for a new key when the quota is used up
--             is_same        whether the key was stored with the same request_hash
--             task_id        the task that was made with the key; null when there is no room for a key
--             created_at     when the task was made
--             room_in        null, or seconds until there is room for a key
-- Index:      idempotency_keys_pkey, idempotency_keys_oldest_first, users_pkey, task_counts_pkey
-- Locks:      as tasks/create, and only if the key is new
WITH known AS (
    SELECT
        user_id,
        request_hash,
        task_id,
        created_at
    FROM idempotency_keys
    WHERE user_id = %s
        AND key = %(key)s::text
),

in_the_way AS (
    SELECT
        user_id,
        created_at
    FROM idempotency_keys
    WHERE user_id = %s
        AND created_at > now() - interval '24 hours'
    ORDER BY created_at DESC
    LIMIT 1 OFFSET %(other_keys)s::integer
),

counted AS (
    INSERT INTO task_counts AS held (user_id, tasks)
    SELECT
        user_id,
        1
    FROM users
    WHERE user_id = %s
        AND NOT EXISTS (SELECT FROM known)
        AND NOT EXISTS (SELECT FROM in_the_way)
    ON CONFLICT (user_id) DO UPDATE
        SET tasks = held.tasks + 1
        WHERE held.tasks < %(max_tasks)s::integer
    RETURNING user_id
),

made AS (
    INSERT INTO tasks (user_id, title)
    SELECT
        user_id,
        %(title)s::text
    FROM counted
    WHERE user_id = %s
    RETURNING
        user_id,
        id,
        created_at
),

kept AS (
    INSERT INTO idempotency_keys (user_id, key, request_hash, task_id, created_at)
    SELECT
        user_id,
        %(key)s::text,
        pg_catalog.decode(%(request_hash)s::text, 'hex'),
        id,
        created_at
    FROM made
    WHERE user_id = %s
    RETURNING
        user_id,
        task_id,
        created_at
)

SELECT
    FALSE AS is_replay,
    TRUE AS is_same,
    task_id,
    created_at,
    NULL::integer AS room_in
FROM kept
WHERE user_id = %s
UNION ALL
SELECT
    TRUE AS is_replay,
    request_hash = pg_catalog.decode(%(request_hash)s::text, 'hex') AS is_same,
    task_id,
    created_at,
    NULL::integer AS room_in
FROM known
WHERE user_id = %s
UNION ALL
SELECT
    FALSE AS is_replay,
    TRUE AS is_same,
    NULL::uuid AS task_id,
    created_at,
    pg_catalog.ceil(extract(EPOCH FROM created_at + interval '24 hours' - now()))::integer AS room_in
FROM in_the_way
WHERE user_id = %s
    AND NOT EXISTS (SELECT FROM known)
