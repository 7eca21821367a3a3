-- Store the key of a batch before anything is done. If the user has the key already, it fails, and the whole batch with
-- it: batches/answered tells what was answered. Where too many keys of the last 24 hours are kept, or too long answers,
-- the key is added twice, which fails too. Only after users/take_turn.
--
-- Parameters: key            the client's key
--             request_hash   SHA-256 of the request's body, in hexadecimal digits
--             other_keys     how many other keys of the last 24 hours a user may have
--             max_answers    how many bytes of answers these may have when one more comes
-- Returns:    key            no row: the user's tasks have to be numbered first
-- Index:      task_counts_pkey, idempotency_keys_oldest_first, idempotency_keys_pkey, batch_results_pkey
-- Locks:      the user's row of task_counts, until commit: a former version of the service, which takes no turn, can't
--             add or delete a task between this and what follows, which would then do nothing
WITH of_batches AS MATERIALIZED (
    SELECT
        key,
        pg_catalog.sum(pg_catalog.octet_length(answer) + 100) AS bytes
    FROM batch_results
    WHERE user_id = %s
    GROUP BY key
),

newest_first AS MATERIALIZED (
    SELECT
        idempotency_keys.key,
        idempotency_keys.created_at,
        pg_catalog.row_number() OVER (
            ORDER BY idempotency_keys.created_at DESC, idempotency_keys.key ASC
        ) AS number,
        pg_catalog.sum(
            coalesce(pg_catalog.octet_length(idempotency_keys.answer), 0) + coalesce(of_batches.bytes, 0::bigint)
        ) OVER (
            ORDER BY idempotency_keys.created_at DESC, idempotency_keys.key ASC
        )::bigint AS bytes
    FROM idempotency_keys
    LEFT JOIN of_batches ON idempotency_keys.key = of_batches.key
    WHERE idempotency_keys.user_id = %s
        AND idempotency_keys.created_at > now() - interval '24 hours'
),

in_the_way AS MATERIALIZED (
    SELECT key
    FROM newest_first
    WHERE number > %(other_keys)s::integer
        OR bytes >= %(max_answers)s::bigint
    ORDER BY number
    LIMIT 1
),

times AS MATERIALIZED (
    SELECT 1 AS number
    UNION ALL
    SELECT 2 AS number
    FROM in_the_way
),

held AS MATERIALIZED (
    SELECT user_id
    FROM task_counts
    WHERE user_id = %s
        AND numbered = tasks
    FOR NO KEY UPDATE
)

INSERT INTO idempotency_keys (user_id, key, request_hash, task_id, created_at)
SELECT
    held.user_id,
    %(key)s::text,
    pg_catalog.decode(%(request_hash)s::text, 'hex'),
    gen_random_uuid(),
    now()
FROM held
CROSS JOIN times
WHERE held.user_id = %s
RETURNING key
